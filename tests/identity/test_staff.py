"""Staff: the first one by a command, the others over HTTP, each with a token of 15 minutes."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.bank import Bank, eventually
from tests.identity.support import PASSWORD, bootstrap, customer, register

SIGN_INS = "/v1/staff/sign-ins"


def member(unique: str, **fields: Any) -> dict[str, Any]:
    return {
        "staff_id": f"s-{unique}",
        "login_name": unique,
        "password": PASSWORD,
        "roles": ["operator"],
    } | fields


async def staff_sign_in(
    client: httpx.AsyncClient, name: str, password: str = PASSWORD
) -> httpx.Response:
    return await client.post(SIGN_INS, json={"login_name": name, "password": password})


async def acts_of(bank: Bank, staff_id: str) -> list[tuple[str, str]]:
    events = await bank.events("identity.audit.v1", key=staff_id)
    return [(event["data"]["action"], event["data"]["subject"]) for event in events]


class TestStaffSignIn:
    async def test_gives_a_token_that_works_for_its_roles(self, bank: Bank, unique: str) -> None:
        async with bank.client("identity", roles=("admin",)) as admin:
            registered = await admin.post("/v1/staff", json=member(unique))
            assert registered.status_code == 201
            assert registered.json() == {
                "staff_id": f"s-{unique}",
                "login_name": unique,
                "roles": ["operator"],
            }
        async with bank.client("identity") as client:
            response = await staff_sign_in(client, unique)
            assert response.status_code == 201
            told = response.json()
            assert told["staff_id"] == f"s-{unique}"
            assert told["roles"] == ["operator"]
            left = datetime.fromisoformat(told["expires_at"]) - datetime.now(UTC)
            assert timedelta(minutes=14) < left <= timedelta(minutes=15)
            client.headers["authorization"] = f"Bearer {told['token']}"
            assert (await register(client, customer(f"c-{unique}")))["created"] == 1
            refused = await client.post("/v1/staff", json=member(f"{unique}-2"))
            assert refused.status_code == 403

        async def told_on_the_bus() -> bool:
            acts = await acts_of(bank, f"s-{unique}")
            return [action for action, _ in acts] == ["staff.sign_in", "customers.register"]

        assert await eventually(told_on_the_bus)

    async def test_gives_a_token_that_other_services_take(self, bank: Bank, unique: str) -> None:
        async with bank.client("identity", roles=("admin",)) as admin:
            await admin.post("/v1/staff", json=member(unique))
        async with bank.client("identity") as client:
            token = (await staff_sign_in(client, unique)).json()["token"]
        caller = bank.authenticator("ledger").verify(token)
        assert (caller.staff_id, caller.roles) == (f"s-{unique}", ("operator",))

    @pytest.mark.parametrize("exists", [True, False])
    async def test_is_locked_after_five_failures(
        self, bank: Bank, unique: str, exists: bool
    ) -> None:
        if exists:
            async with bank.client("identity", roles=("admin",)) as admin:
                await admin.post("/v1/staff", json=member(unique))
        async with bank.client("identity") as client:
            answers = [await staff_sign_in(client, unique, "wrong password!") for _ in range(6)]
        assert [answer.status_code for answer in answers] == [401] * 5 + [429]
        assert int(answers[-1].headers["retry-after"]) > 0
        assert answers[0].json()["code"] == "sign_in_refused"

    async def test_is_apart_from_the_customers(self, bank: Bank, unique: str) -> None:
        async with bank.client("identity", roles=("admin",)) as admin:
            await admin.post("/v1/staff", json=member(unique))
        async with bank.client("identity", caller="gateway") as gateway:
            body = {"login_name": unique, "password": PASSWORD}
            assert (await gateway.post("/v1/customers/sign-ins", json=body)).status_code == 401


class TestRegisteringStaff:
    async def test_changes_nothing_the_second_time(self, bank: Bank, unique: str) -> None:
        async with bank.client("identity", roles=("admin",)) as admin:
            first = await admin.post("/v1/staff", json=member(unique, roles=["operator", "admin"]))
            again = await admin.post("/v1/staff", json=member(unique, roles=["admin", "operator"]))
        assert first.status_code == again.status_code == 201
        assert first.json() == again.json()

    @pytest.mark.parametrize(
        "other",
        [
            {"roles": ["operator", "admin"]},
            {"password": "another password"},
            {"login_name": "x"},
            {"staff_id": "s-other"},
        ],
    )
    async def test_refuses_other_content_under_an_id_or_a_name(
        self, bank: Bank, unique: str, other: dict[str, Any]
    ) -> None:
        changed = {
            field: f"{value}{unique}" if field in {"login_name", "staff_id"} else value
            for field, value in other.items()
        }
        async with bank.client("identity", roles=("admin",)) as admin:
            await admin.post("/v1/staff", json=member(unique))
            response = await admin.post("/v1/staff", json=member(unique) | changed)
            assert (response.status_code, response.json()["code"]) == (409, "staff_exists")
        async with bank.client("identity") as client:
            kept = await staff_sign_in(client, unique)
        assert kept.json()["roles"] == ["operator"]

    async def test_is_for_admins_alone(self, bank: Bank, unique: str) -> None:
        async with bank.client("identity") as nobody:
            assert (await nobody.post("/v1/staff", json=member(unique))).status_code == 401
        for asking in ({"caller": "gateway"}, {"roles": ("operator", "reviewer")}):
            async with bank.client("identity", **asking) as client:
                assert (await client.post("/v1/staff", json=member(unique))).status_code == 403

    async def test_knows_three_roles(self, bank: Bank, unique: str) -> None:
        async with bank.client("identity", roles=("admin",)) as admin:
            response = await admin.post("/v1/staff", json=member(unique, roles=["king"]))
        assert response.status_code == 422
        assert response.json()["errors"][0]["field"] == "roles.0"


class TestBootstrap:
    def arguments(self, unique: str, folder: Path, *, password: str = PASSWORD) -> list[str]:
        file = folder / "password"
        file.write_text(password + "\n")
        return [
            *("--staff-id", f"s-{unique}", "--login-name", unique),
            *("--roles", "admin,operator", "--password-file", str(file)),
        ]

    async def test_lets_the_first_admin_in_and_can_be_repeated(
        self, bank: Bank, unique: str, tmp_path: Path
    ) -> None:
        for _ in range(2):
            done = bootstrap(bank, *self.arguments(unique, tmp_path))
            assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        async with bank.client("identity") as client:
            token = (await staff_sign_in(client, unique)).json()["token"]
            client.headers["authorization"] = f"Bearer {token}"
            response = await client.post("/v1/staff", json=member(f"{unique}-2"))
        assert response.status_code == 201

        async def told() -> bool:
            return ("staff.register", f"s-{unique}") in await acts_of(bank, "bootstrap")

        assert await eventually(told)

    async def test_refuses_other_content_in_one_line(
        self, bank: Bank, unique: str, tmp_path: Path
    ) -> None:
        bootstrap(bank, *self.arguments(unique, tmp_path))
        done = bootstrap(bank, *self.arguments(unique, tmp_path, password="another password"))
        assert done.returncode == 1
        assert done.stderr == (f"bootstrap: Staff s-{unique} is registered with other content\n")

    def test_tells_what_is_wrong_without_the_password(
        self, bank: Bank, unique: str, tmp_path: Path
    ) -> None:
        done = bootstrap(bank, *self.arguments(unique, tmp_path, password="hunter2"))
        assert done.returncode == 1
        assert done.stderr == "bootstrap: not as expected: password\n"
