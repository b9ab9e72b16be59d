"""What must not be told: names and secrets, in logs, in events and in what a program prints."""

from pathlib import Path

import pytest

from shared.contracts.http import identity as http
from tests.bank import Bank, eventually
from tests.identity.support import (
    PASSWORD,
    bootstrap,
    challenge,
    customer,
    message,
    other_than,
    register,
    sign_in,
    tried,
)

NAME = "欧阳不为人知"
PHONE = "+8613912345678"
WRONG = "wrong horse battery"


async def use_everything(bank: Bank, unique: str) -> list[str]:
    """Go through every route with a name and secrets; what must stand in no log."""
    customer_id, login = f"c-{unique}", f"login-{unique}"
    person = customer(customer_id, full_name=NAME, phone=PHONE)
    async with bank.client("identity", roles=("operator", "admin")) as staff:
        await register(staff, person)
        again = {"customers": [person | {"full_name": NAME + "二"}]}
        assert (await staff.post("/v1/customers/bulk", json=again)).status_code == 409
        broken = {"customers": [person | {"phone": "x" + PHONE}]}
        refused = await staff.post("/v1/customers/bulk", json=broken)
        assert refused.status_code == 422
        assert NAME not in refused.text
        credentials = {"login_name": login, "password": PASSWORD}
        path = f"/v1/customers/{customer_id}/credentials"
        assert (await staff.put(path, json=credentials)).status_code == 204
        member = {"staff_id": f"s-{unique}", "roles": ["reviewer"]} | credentials
        assert (await staff.post("/v1/staff", json=member)).status_code == 201
        token = (await staff.post("/v1/staff/sign-ins", json=credentials)).json()["token"]
    async with bank.client("identity", caller="gateway") as gateway:
        assert (await sign_in(gateway, login, WRONG)).status_code == 401
        session = (await sign_in(gateway, login)).json()["session_token"]
        await gateway.post("/v1/sessions/verification", json={"session_token": session})
        sent = await gateway.post("/v1/one-time-codes", json=challenge(customer_id))
        challenge_id = sent.json()["challenge_id"]
        code = message(bank, challenge_id)["code"]
        for offered in (other_than(code), code):
            await gateway.post(
                f"/v1/one-time-codes/{challenge_id}/verification",
                json=tried(customer_id, offered),
            )
        await gateway.post("/v1/sessions/end", json={"session_token": session})
    return [NAME, PHONE, login, PASSWORD, WRONG, session, token, f'"{code}"', f" {code}"]


class TestLog:
    async def test_tells_nothing_that_is_personal_or_secret(self, bank: Bank, unique: str) -> None:
        secrets = await use_everything(bank, unique)
        log = bank.log("identity").read_text() + (bank.folder / "identity.out").read_text()
        assert "sign_in.refused" in log  # the log is the one that was written to
        assert [secret for secret in secrets if secret in log] == []

    async def test_of_the_bus_tells_no_name_either(self, bank: Bank, unique: str) -> None:
        secrets = await use_everything(bank, unique)

        async def told() -> bool:
            acts = await bank.events("identity.audit.v1", key=f"s-{unique}")
            return len(acts) == 1

        assert await eventually(told)
        told_events = [
            *await bank.events("identity.customer.v1"),
            *await bank.events("identity.audit.v1"),
        ]
        text = str(told_events)
        assert f"c-{unique}" in text
        assert [secret for secret in secrets[:-2] if secret in text] == []


class TestSecrets:
    @pytest.mark.parametrize(
        "model",
        [
            http.SignIn(login_name="somebody", password=PASSWORD),
            http.SetCredentials(login_name="somebody", password=PASSWORD),
            http.SessionToken(session_token=PASSWORD),
            http.VerifyOneTimeCode(customer_id="c-1", purpose="p", subject="s", code=PASSWORD[:12]),
        ],
        ids=lambda model: type(model).__name__,
    )
    def test_are_not_printed(self, model: http.Contract) -> None:
        for text in (str(model), repr(model), model.model_dump_json()):
            assert PASSWORD[:12] not in text

    def test_are_not_told_by_a_command_that_fails(
        self, bank: Bank, unique: str, tmp_path: Path
    ) -> None:
        file = tmp_path / "password"
        file.write_text(PASSWORD)
        done = bootstrap(
            bank,
            *("--staff-id", f"s-{unique}", "--login-name", "Not A Name"),
            *("--roles", "admin", "--password-file", str(file)),
        )
        assert done.returncode == 1
        assert PASSWORD not in done.stderr + done.stdout
