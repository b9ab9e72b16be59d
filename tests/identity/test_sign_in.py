"""Customers' credentials and sessions, seen from outside."""

import asyncio
import hashlib
from datetime import UTC, datetime, timedelta

import pytest

from tests.bank import Bank
from tests.identity.support import PASSWORD, customer, customer_who_signs_in, register, sign_in

VERIFICATION = "/v1/sessions/verification"


def hashed(word: str) -> bytes:
    return hashlib.sha256(word.encode()).digest()


async def age_session(bank: Bank, token: str, *, began: timedelta, used: timedelta) -> None:
    """Make a session look as if it had begun and been used so long ago."""
    connection = await bank.connect("identity")
    try:
        done = await connection.execute(
            "UPDATE sign_in_sessions SET started_at = now() - $2::interval,"
            " last_used_at = now() - $3::interval WHERE token_hash = $1",
            hashed(token),
            began,
            used,
        )
        assert done == "UPDATE 1"
    finally:
        await connection.close()


class TestSignIn:
    async def test_opens_a_session_that_names_its_owner(self, bank: Bank, unique: str) -> None:
        async with bank.client("identity", roles=("operator",)) as operator:
            customer_id = await customer_who_signs_in(operator, unique)
            read = await operator.get(f"/v1/customers/{customer_id}")
            assert read.json()["can_sign_in"] is True
        async with bank.client("identity", caller="gateway") as client:
            response = await sign_in(client, unique)
            assert response.status_code == 201
            assert response.json()["customer_id"] == customer_id
            token = response.json()["session_token"]
            assert len(token) >= 43  # 256 bits in base64url
            owner = await client.post(VERIFICATION, json={"session_token": token})
            assert owner.status_code == 200
            assert owner.json()["customer_id"] == customer_id
            expires_at = datetime.fromisoformat(owner.json()["expires_at"])
            assert timedelta() < expires_at - datetime.now(UTC) <= timedelta(minutes=30)

    async def test_gives_a_new_token_each_time(self, bank: Bank, unique: str) -> None:
        async with bank.client("identity", roles=("operator",)) as operator:
            await customer_who_signs_in(operator, unique)
        async with bank.client("identity", caller="gateway") as client:
            tokens = {(await sign_in(client, unique)).json()["session_token"] for _ in range(3)}
        assert len(tokens) == 3

    async def test_answers_every_cause_of_refusal_alike(self, bank: Bank, unique: str) -> None:
        async with bank.client("identity", roles=("operator",)) as operator:
            await customer_who_signs_in(operator, unique)
            await register(operator, customer(f"c-{unique}-never"))
        async with bank.client("identity", caller="gateway") as client:
            wrong = await sign_in(client, unique, "wrong password!")
            unknown = await sign_in(client, f"{unique}.x")
        assert wrong.status_code == unknown.status_code == 401
        assert wrong.json()["code"] == "sign_in_refused"
        told = [{**answer.json(), "trace_id": None} for answer in (wrong, unknown)]
        assert told[0] == told[1]

    async def test_takes_a_password_however_the_keyboard_composes_it(
        self, bank: Bank, unique: str
    ) -> None:
        async with bank.client("identity", roles=("operator",)) as operator:
            await customer_who_signs_in(operator, unique, password="caf\u00e9 caf\u00e9 caf\u00e9")
        async with bank.client("identity", caller="gateway") as client:
            response = await sign_in(client, unique, "cafe\u0301 cafe\u0301 cafe\u0301")
        assert response.status_code == 201

    async def test_stores_neither_the_password_nor_the_token(self, bank: Bank, unique: str) -> None:
        async with bank.client("identity", roles=("operator",)) as operator:
            customer_id = await customer_who_signs_in(operator, unique)
        async with bank.client("identity", caller="gateway") as client:
            token = (await sign_in(client, unique)).json()["session_token"]
        connection = await bank.connect("identity")
        try:
            stored = await connection.fetchval(
                "SELECT password_hash FROM customer_credentials WHERE customer_id = $1",
                customer_id,
            )
            sessions = await connection.fetch(
                "SELECT * FROM sign_in_sessions WHERE customer_id = $1", customer_id
            )
        finally:
            await connection.close()
        assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
        assert PASSWORD not in stored
        assert [row["token_hash"] for row in sessions] == [hashed(token)]
        assert token not in str([dict(row) for row in sessions])

    async def test_is_for_the_gateway_alone(self, bank: Bank, unique: str) -> None:
        for asking in ({"caller": "payments"}, {"roles": ("operator", "admin")}):
            async with bank.client("identity", **asking) as client:
                assert (await sign_in(client, unique)).status_code == 403
                body = {"session_token": "x"}
                assert (await client.post(VERIFICATION, json=body)).status_code == 403
                assert (await client.post("/v1/sessions/end", json=body)).status_code == 403


class TestLockOut:
    @pytest.mark.parametrize("exists", [True, False])
    async def test_comes_after_five_failures_whether_the_name_exists_or_not(
        self, bank: Bank, unique: str, exists: bool
    ) -> None:
        async with bank.client("identity", roles=("operator",)) as operator:
            if exists:
                await customer_who_signs_in(operator, unique)
        async with bank.client("identity", caller="gateway") as client:
            answers = [await sign_in(client, unique, "wrong password!") for _ in range(5)]
            assert [answer.status_code for answer in answers] == [401] * 5
            locked = await sign_in(client, unique)
        assert locked.status_code == 429
        assert locked.json()["code"] == "locked_out"
        assert 0 < int(locked.headers["retry-after"]) <= 30

    async def test_looks_at_five_of_many_guesses_at_once(self, bank: Bank, unique: str) -> None:
        async with bank.client("identity", roles=("operator",)) as operator:
            await customer_who_signs_in(operator, unique)
        async with bank.client("identity", caller="gateway") as client:
            answers = await asyncio.gather(
                *(sign_in(client, unique, f"wrong password {n}") for n in range(20))
            )
        assert sorted(answer.status_code for answer in answers) == [401] * 5 + [429] * 15

    async def test_is_over_after_its_time_and_forgotten_by_success(
        self, bank: Bank, unique: str
    ) -> None:
        async with bank.client("identity", roles=("operator",)) as operator:
            await customer_who_signs_in(operator, unique)
        connection = await bank.connect("identity")
        try:
            async with bank.client("identity", caller="gateway") as client:
                for _ in range(5):
                    await sign_in(client, unique, "wrong password!")
                done = await connection.execute(
                    "UPDATE sign_in_attempts SET locked_until = now() WHERE name_hash = $1",
                    hashed(unique),
                )
                assert done == "UPDATE 1"
                assert (await sign_in(client, unique)).status_code == 201
                again = [await sign_in(client, unique, "wrong password!") for _ in range(4)]
                assert [answer.status_code for answer in again] == [401] * 4
                assert (await sign_in(client, unique)).status_code == 201
        finally:
            await connection.close()


class TestCustomerSession:
    async def test_ends_when_it_is_told_to(self, bank: Bank, unique: str) -> None:
        async with bank.client("identity", roles=("operator",)) as operator:
            await customer_who_signs_in(operator, unique)
        async with bank.client("identity", caller="gateway") as client:
            body = {"session_token": (await sign_in(client, unique)).json()["session_token"]}
            for _ in range(2):
                assert (await client.post("/v1/sessions/end", json=body)).status_code == 204
            over = await client.post(VERIFICATION, json=body)
            unknown = await client.post(VERIFICATION, json={"session_token": "nobody's"})
        for answer in (over, unknown):
            assert answer.status_code == 401
            assert answer.json()["code"] == "session_over"

    @pytest.mark.parametrize(
        ("began_min", "used_min", "alive"),
        [(29, 29, True), (30, 30, False), (8 * 60 - 1, 1, True), (8 * 60, 1, False)],
    )
    async def test_ends_after_30_idle_minutes_and_after_8_hours(
        self, bank: Bank, unique: str, began_min: int, used_min: int, alive: bool
    ) -> None:
        async with bank.client("identity", roles=("operator",)) as operator:
            await customer_who_signs_in(operator, unique)
        async with bank.client("identity", caller="gateway") as client:
            token = (await sign_in(client, unique)).json()["session_token"]
            await age_session(
                bank,
                token,
                began=timedelta(minutes=began_min),
                used=timedelta(minutes=used_min),
            )
            answer = await client.post(VERIFICATION, json={"session_token": token})
        assert answer.status_code == (200 if alive else 401)

    async def test_is_kept_alive_by_use(self, bank: Bank, unique: str) -> None:
        async with bank.client("identity", roles=("operator",)) as operator:
            await customer_who_signs_in(operator, unique)
        async with bank.client("identity", caller="gateway") as client:
            token = (await sign_in(client, unique)).json()["session_token"]
            old = timedelta(minutes=25)
            await age_session(bank, token, began=old, used=old)
            answer = await client.post(VERIFICATION, json={"session_token": token})
        left = datetime.fromisoformat(answer.json()["expires_at"]) - datetime.now(UTC)
        assert left > timedelta(minutes=20)

    async def test_ends_with_the_credentials_that_opened_it(self, bank: Bank, unique: str) -> None:
        async with (
            bank.client("identity", roles=("operator",)) as operator,
            bank.client("identity", caller="gateway") as client,
        ):
            await customer_who_signs_in(operator, unique)
            token = (await sign_in(client, unique)).json()["session_token"]
            await customer_who_signs_in(operator, unique, password="another password")
            over = await client.post(VERIFICATION, json={"session_token": token})
            assert over.status_code == 401
            assert (await sign_in(client, unique)).status_code == 401
            assert (await sign_in(client, unique, "another password")).status_code == 201


class TestCredentials:
    async def test_keep_a_login_name_for_one_customer(self, bank: Bank, unique: str) -> None:
        async with bank.client("identity", roles=("operator",)) as operator:
            await customer_who_signs_in(operator, unique)
            await register(operator, customer(f"c-{unique}-2"))
            response = await operator.put(
                f"/v1/customers/c-{unique}-2/credentials",
                json={"login_name": unique, "password": PASSWORD},
            )
        assert response.status_code == 409
        assert response.json()["code"] == "login_name_taken"

    async def test_are_for_a_customer_who_exists(self, bank: Bank, unique: str) -> None:
        async with bank.client("identity", roles=("operator",)) as operator:
            response = await operator.put(
                f"/v1/customers/c-{unique}/credentials",
                json={"login_name": unique, "password": PASSWORD},
            )
        assert response.status_code == 404

    async def test_need_a_long_password_and_do_not_repeat_a_short_one(
        self, bank: Bank, unique: str
    ) -> None:
        async with bank.client("identity", roles=("operator",)) as operator:
            await register(operator, customer(f"c-{unique}"))
            response = await operator.put(
                f"/v1/customers/c-{unique}/credentials",
                json={"login_name": unique, "password": "hunter2"},
            )
        assert response.status_code == 422
        assert response.json()["errors"][0]["field"] == "password"
        assert "hunter2" not in response.text
