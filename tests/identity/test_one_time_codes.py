"""One-time codes, from the message on the phone to the verdict."""

import asyncio
import stat
from datetime import timedelta

import httpx
import pytest

from tests.bank import Bank
from tests.identity.support import (
    another_identity,
    challenge,
    customer,
    message,
    other_than,
    register,
    send_code,
    tried,
)

CODES = "/v1/one-time-codes"


async def new_customer(bank: Bank, unique: str) -> str:
    async with bank.client("identity", roles=("operator",)) as operator:
        await register(operator, customer(f"c-{unique}"))
    return f"c-{unique}"


async def verify(
    client: httpx.AsyncClient, challenge_id: str, body: dict[str, str]
) -> httpx.Response:
    return await client.post(f"{CODES}/{challenge_id}/verification", json=body)


async def age_codes(bank: Bank, customer_id: str, by: timedelta) -> None:
    connection = await bank.connect("identity")
    try:
        await connection.execute(
            "UPDATE one_time_codes SET sent_at = sent_at - $2::interval WHERE customer_id = $1",
            customer_id,
            by,
        )
    finally:
        await connection.close()


class TestOneTimeCode:
    async def test_reaches_the_customer_in_two_languages_and_nobody_else(
        self, bank: Bank, unique: str
    ) -> None:
        customer_id = await new_customer(bank, unique)
        async with bank.client("identity", caller="gateway") as client:
            response = await client.post(CODES, json=challenge(customer_id))
        sent = message(bank, response.json()["challenge_id"])
        assert sent["customer_id"] == customer_id
        assert len(sent["code"]) == 6
        assert sent["code"].isdigit()
        assert sent["zh"].startswith("您将允许付款 12.00 元。")
        assert sent["en"].startswith("You are about to allow a payment of 12.00 CNY.")
        assert sent["code"] in sent["zh"]
        assert sent["code"] in sent["en"]
        assert sent["code"] not in response.text
        assert stat.S_IMODE(bank.messages().stat().st_mode) == 0o600

    async def test_is_verified_once(self, bank: Bank, unique: str) -> None:
        customer_id = await new_customer(bank, unique)
        async with bank.client("identity", caller="gateway") as client:
            challenge_id, code = await send_code(client, bank, customer_id)
            first = await verify(client, challenge_id, tried(customer_id, code))
            again = await verify(client, challenge_id, tried(customer_id, code))
        assert first.status_code == 200
        assert first.json()["challenge_id"] == challenge_id
        assert (again.status_code, again.json()["code"]) == (422, "code_spent")

    async def test_is_verified_once_of_many_at_once(self, bank: Bank, unique: str) -> None:
        customer_id = await new_customer(bank, unique)
        async with bank.client("identity", caller="gateway") as client:
            challenge_id, code = await send_code(client, bank, customer_id)
            body = tried(customer_id, code)
            answers = await asyncio.gather(*(verify(client, challenge_id, body) for _ in range(8)))
        assert sorted(answer.status_code for answer in answers) == [200] + [422] * 7

    async def test_is_spent_after_five_wrong_tries_that_came_at_once(
        self, bank: Bank, unique: str
    ) -> None:
        customer_id = await new_customer(bank, unique)
        async with bank.client("identity", caller="gateway") as client:
            challenge_id, code = await send_code(client, bank, customer_id)
            wrong = tried(customer_id, other_than(code))
            answers = await asyncio.gather(*(verify(client, challenge_id, wrong) for _ in range(8)))
            codes = sorted(answer.json()["code"] for answer in answers)
            assert codes == ["code_spent"] * 3 + ["code_wrong"] * 5
            late = await verify(client, challenge_id, tried(customer_id, code))
        assert late.json()["code"] == "code_spent"

    async def test_survives_four_wrong_tries(self, bank: Bank, unique: str) -> None:
        customer_id = await new_customer(bank, unique)
        async with bank.client("identity", caller="gateway") as client:
            challenge_id, code = await send_code(client, bank, customer_id)
            for _ in range(4):
                await verify(client, challenge_id, tried(customer_id, other_than(code)))
            right = await verify(client, challenge_id, tried(customer_id, code))
        assert right.status_code == 200

    @pytest.mark.parametrize(
        "elsewhere",
        [{"customer_id": "c-other"}, {"purpose": "other"}, {"subject": "consent-2"}],
    )
    async def test_is_wrong_for_anything_but_what_it_was_sent_for(
        self, bank: Bank, unique: str, elsewhere: dict[str, str]
    ) -> None:
        customer_id = await new_customer(bank, unique)
        async with bank.client("identity", caller="gateway") as client:
            challenge_id, code = await send_code(client, bank, customer_id)
            answer = await verify(client, challenge_id, tried(customer_id, code) | elsewhere)
        assert (answer.status_code, answer.json()["code"]) == (422, "code_wrong")

    async def test_is_wrong_for_another_challenge(self, bank: Bank, unique: str) -> None:
        customer_id = await new_customer(bank, unique)
        async with bank.client("identity", caller="gateway") as client:
            first, code = await send_code(client, bank, customer_id)
            second, other = await send_code(client, bank, customer_id)
            if code != other:
                answer = await verify(client, second, tried(customer_id, code))
                assert answer.json()["code"] == "code_wrong"
            assert (await verify(client, first, tried(customer_id, code))).status_code == 200

    async def test_expires_after_five_minutes(self, bank: Bank, unique: str) -> None:
        customer_id = await new_customer(bank, unique)
        async with bank.client("identity", caller="gateway") as client:
            challenge_id, code = await send_code(client, bank, customer_id)
            await age_codes(bank, customer_id, timedelta(minutes=5))
            answer = await verify(client, challenge_id, tried(customer_id, code))
        assert (answer.status_code, answer.json()["code"]) == (422, "code_expired")

    async def test_is_not_stored(self, bank: Bank, unique: str) -> None:
        customer_id = await new_customer(bank, unique)
        async with bank.client("identity", caller="gateway") as client:
            _, code = await send_code(client, bank, customer_id)
        connection = await bank.connect("identity")
        try:
            rows = await connection.fetch(
                "SELECT customer_id, purpose, subject, code_hash, tries FROM one_time_codes"
                " WHERE customer_id = $1",
                customer_id,
            )
        finally:
            await connection.close()
        (row,) = rows
        assert code.encode() not in row["code_hash"]
        assert len(row["code_hash"]) == 32

    async def test_is_known_by_its_challenge_alone(self, bank: Bank, unique: str) -> None:
        async with bank.client("identity", caller="gateway") as client:
            nobody = "01890000-0000-7000-8000-000000000000"
            answer = await verify(client, nobody, tried(f"c-{unique}", "123456"))
            assert (answer.status_code, answer.json()["code"]) == (404, "challenge_not_found")
            assert (await client.post(CODES, json=challenge(f"c-{unique}"))).status_code == 404

    async def test_is_for_the_gateway_alone(self, bank: Bank, unique: str) -> None:
        for asking in ({"caller": "payments"}, {"roles": ("operator", "admin")}):
            async with bank.client("identity", **asking) as client:
                answer = await client.post(CODES, json=challenge(f"c-{unique}"))
                assert answer.status_code == 403


class TestSendingCodes:
    async def test_stops_at_ten_in_ten_minutes_for_one_customer(
        self, bank: Bank, unique: str
    ) -> None:
        customer_id = await new_customer(bank, unique)
        neighbor = await new_customer(bank, f"{unique}-2")
        async with bank.client("identity", caller="gateway") as client:
            answers = await asyncio.gather(
                *(client.post(CODES, json=challenge(customer_id)) for _ in range(13))
            )
            assert sorted(answer.status_code for answer in answers) == [201] * 10 + [429] * 3
            (refused, *_) = [answer for answer in answers if answer.status_code == 429]
            assert refused.json()["code"] == "too_many_codes"
            assert 0 < int(refused.headers["retry-after"]) <= 600
            assert (await client.post(CODES, json=challenge(neighbor))).status_code == 201
            await age_codes(bank, customer_id, timedelta(minutes=10))
            assert (await client.post(CODES, json=challenge(customer_id))).status_code == 201

    async def test_is_refused_where_the_bank_has_no_channel(self, bank: Bank, unique: str) -> None:
        customer_id = await new_customer(bank, unique)
        token = bank.token("identity", caller="gateway")
        headers = {"authorization": f"Bearer {token}"}
        with another_identity(bank, MESSAGES_FILE=None) as url:
            async with httpx.AsyncClient(base_url=url, headers=headers) as client:
                answer = await client.post(CODES, json=challenge(customer_id))
        assert (answer.status_code, answer.json()["code"]) == (503, "no_messenger")

    async def test_is_refused_where_the_message_cannot_be_written(
        self, bank: Bank, unique: str
    ) -> None:
        customer_id = await new_customer(bank, unique)
        headers = {"authorization": f"Bearer {bank.token('identity', caller='gateway')}"}
        with another_identity(bank, MESSAGES_FILE=str(bank.folder / "no" / "such.jsonl")) as url:
            async with httpx.AsyncClient(base_url=url, headers=headers) as client:
                answer = await client.post(CODES, json=challenge(customer_id))
        assert (answer.status_code, answer.json()["code"]) == (503, "no_messenger")
