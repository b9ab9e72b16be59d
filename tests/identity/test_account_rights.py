"""Who may use which account, and the cards and loans that came with a book."""

import asyncio
from typing import Any

import pytest

from tests.bank import Bank, eventually
from tests.identity.support import customer, register

RIGHTS = "/v1/account-rights/bulk"
RECORDS = "/v1/reference-records/bulk"


def right(account: str, customer_id: str, kind: str = "owner") -> dict[str, str]:
    return {"account_id": account, "customer_id": customer_id, "right": kind}


def record(record_id: str, customer_id: str, **fields: Any) -> dict[str, Any]:
    facts = {"amount_minor": 9_639_600, "duration_months": 12, "purpose": "购车", "status": None}
    return {
        "record_id": record_id,
        "customer_id": customer_id,
        "account_id": "1-1",
        "kind": "loan",
        "facts": facts,
    } | fields


class TestGrantingRights:
    async def test_lets_owner_and_user_be_found_by_account_and_by_customer(
        self, bank: Bank, unique: str
    ) -> None:
        owner, user, account = f"c-{unique}-1", f"c-{unique}-2", f"a-{unique}"
        granted = [right(account, owner), right(account, user, "authorized_user")]
        async with bank.client("identity", roles=("operator",)) as client:
            await register(client, customer(owner), customer(user))
            response = await client.post(RIGHTS, json={"rights": granted})
            assert response.json() == {"created": 2, "unchanged": 0}
            again = await client.post(RIGHTS, json={"rights": granted})
            assert again.json() == {"created": 0, "unchanged": 2}
        async with bank.client("identity", caller="gateway") as client:
            by_account = await client.get("/v1/account-rights", params={"account_id": account})
            assert by_account.json() == {"items": granted}
            by_customer = await client.get(f"/v1/customers/{user}/account-rights")
            assert by_customer.json() == {"items": [granted[1]]}

        async def told() -> list[dict[str, Any]]:
            events = await bank.events("identity.customer.v1", key=user)
            return [event["data"] for event in events if event["type"] == "AccountRightGranted"]

        assert await eventually(told) == [granted[1]]

    @pytest.mark.parametrize("together", [True, False])
    async def test_refuses_a_second_owner(self, bank: Bank, unique: str, together: bool) -> None:
        one, two, account = f"c-{unique}-1", f"c-{unique}-2", f"a-{unique}"
        async with bank.client("identity", roles=("operator",)) as client:
            await register(client, customer(one), customer(two))
            rights = [right(account, one), right(account, two)]
            if together:
                response = await client.post(RIGHTS, json={"rights": rights})
            else:
                await client.post(RIGHTS, json={"rights": rights[:1]})
                response = await client.post(RIGHTS, json={"rights": rights[1:]})
            assert response.status_code == 409
            assert response.json()["code"] == "owner_exists"
            assert account in response.json()["detail"]
            held = await client.get("/v1/account-rights", params={"account_id": account})
        assert len(held.json()["items"]) == (0 if together else 1)

    async def test_makes_one_owner_of_many_at_once(self, bank: Bank, unique: str) -> None:
        ids, account = [f"c-{unique}-{number}" for number in range(8)], f"a-{unique}"
        async with bank.client("identity", roles=("operator",)) as client:
            await register(client, *(customer(one) for one in ids))
            answers = await asyncio.gather(
                *(client.post(RIGHTS, json={"rights": [right(account, one)]}) for one in ids)
            )
        assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7

    @pytest.mark.parametrize("together", [True, False])
    async def test_refuses_another_right_of_the_same_customer(
        self, bank: Bank, unique: str, together: bool
    ) -> None:
        one, account = f"c-{unique}", f"a-{unique}"
        rights = [right(account, one), right(account, one, "authorized_user")]
        async with bank.client("identity", roles=("operator",)) as client:
            await register(client, customer(one))
            if not together:
                await client.post(RIGHTS, json={"rights": rights[:1]})
                rights = rights[1:]
            response = await client.post(RIGHTS, json={"rights": rights})
        assert response.status_code == 409
        assert response.json()["code"] == "right_exists"

    @pytest.mark.parametrize("path", [RIGHTS, RECORDS])
    async def test_refuses_a_customer_who_does_not_exist(
        self, bank: Bank, unique: str, path: str
    ) -> None:
        known, unknown, account = f"c-{unique}-1", f"c-{unique}-2", f"a-{unique}"
        body: dict[str, Any] = {"rights": [right(account, known), right(account + "-2", unknown)]}
        if path == RECORDS:
            body = {"records": [record(f"l-{unique}", known), record(f"m-{unique}", unknown)]}
        async with bank.client("identity", roles=("operator",)) as client:
            await register(client, customer(known))
            response = await client.post(path, json=body)
            assert response.status_code == 422
            assert response.json()["code"] == "customer_unknown"
            assert unknown in response.json()["detail"]
            held = await client.get("/v1/account-rights", params={"account_id": account})
            assert held.json() == {"items": []}
            kept = await client.get(f"/v1/customers/{known}/reference-records")
            assert kept.json() == {"items": []}

    async def test_is_for_operators_alone(self, bank: Bank, unique: str) -> None:
        async with bank.client("identity", caller="gateway") as client:
            body = {"rights": [right(f"a-{unique}", f"c-{unique}")]}
            assert (await client.post(RIGHTS, json=body)).status_code == 403
            records = {"records": [record(f"l-{unique}", f"c-{unique}")]}
            assert (await client.post(RECORDS, json=records)).status_code == 403


class TestReferenceRecords:
    async def test_are_kept_as_they_came(self, bank: Bank, unique: str) -> None:
        customer_id = f"c-{unique}"
        kept = [
            record(
                f"card-{unique}", customer_id, kind="card", account_id=None, facts={"type": "g"}
            ),
            record(f"loan-{unique}", customer_id),
        ]
        async with bank.client("identity", roles=("operator",)) as client:
            await register(client, customer(customer_id))
            response = await client.post(RECORDS, json={"records": kept})
            assert response.json() == {"created": 2, "unchanged": 0}
            again = await client.post(RECORDS, json={"records": kept[::-1]})
            assert again.json() == {"created": 0, "unchanged": 2}
            read = await client.get(f"/v1/customers/{customer_id}/reference-records")
        assert read.json() == {"items": kept}

    async def test_are_never_changed(self, bank: Bank, unique: str) -> None:
        customer_id, record_id = f"c-{unique}", f"loan-{unique}"
        async with bank.client("identity", roles=("operator",)) as client:
            await register(client, customer(customer_id))
            await client.post(RECORDS, json={"records": [record(record_id, customer_id)]})
            other = record(record_id, customer_id, facts={"amount_minor": 1})
            response = await client.post(RECORDS, json={"records": [other]})
            assert response.status_code == 409
            assert record_id in response.json()["detail"]
