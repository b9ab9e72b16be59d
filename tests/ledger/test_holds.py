"""The life of a hold, met over HTTP and against a model."""

import asyncio
from typing import Any

import httpx
import pytest

from shared.kit.clock import new_id
from tests.bank import Bank, eventually
from tests.ledger.support import balance, fund, open_account


def hold(account: str, destination: str, amount: int, **fields: Any) -> dict[str, Any]:
    return {
        "hold_id": str(new_id()),
        "account_id": account,
        "destination_id": destination,
        "amount_minor": amount,
        "currency": "CNY",
        "expires_in_s": 600,
    } | fields


async def capture(ledger: httpx.AsyncClient, hold_id: str, **fields: Any) -> httpx.Response:
    body = {"transfer_id": str(new_id()), "kind": "payment"} | fields
    return await ledger.post(f"/v1/holds/{hold_id}/capture", json=body)


@pytest.fixture
async def accounts(bank: Bank, unique: str) -> tuple[str, str]:
    async with bank.client("ledger", roles=("operator",)) as ledger:
        await open_account(ledger, f"a-{unique}")
        await open_account(ledger, f"b-{unique}")
        await fund(ledger, f"a-{unique}", 1000)
    return f"a-{unique}", f"b-{unique}"


class TestHold:
    async def test_reserves_without_moving(self, bank: Bank, accounts: tuple[str, str]):
        async with bank.client("ledger", caller="payments") as ledger:
            placed = await ledger.post("/v1/holds", json=hold(*accounts, 400))
            assert placed.status_code == 201
            assert placed.json()["state"] == "placed"
            assert await balance(ledger, accounts[0]) == {
                "posted_minor": 1000,
                "held_minor": 400,
                "available_minor": 600,
            }
            beyond = await ledger.post("/v1/holds", json=hold(*accounts, 601))
            assert beyond.json()["code"] == "insufficient_funds"

    async def test_repeated_reserves_once(self, bank: Bank, accounts: tuple[str, str]):
        async with bank.client("ledger", caller="payments") as ledger:
            body = hold(*accounts, 1000)
            answers = await asyncio.gather(*(ledger.post("/v1/holds", json=body) for _ in range(8)))
            assert {answer.status_code for answer in answers} == {201}
            assert (await balance(ledger, accounts[0]))["held_minor"] == 1000
            other = await ledger.post("/v1/holds", json=body | {"amount_minor": 1})
            assert other.json()["code"] == "hold_exists"

    async def test_is_captured_once_even_by_many(self, bank: Bank, accounts: tuple[str, str]):
        async with bank.client("ledger", caller="payments") as ledger:
            body = hold(*accounts, 400)
            await ledger.post("/v1/holds", json=body)
            transfer_id = str(new_id())
            answers = await asyncio.gather(
                *(capture(ledger, body["hold_id"], transfer_id=transfer_id) for _ in range(8))
            )
            assert {answer.status_code for answer in answers} == {200}
            assert await balance(ledger, accounts[0]) == {
                "posted_minor": 600,
                "held_minor": 0,
                "available_minor": 600,
            }
            assert (await balance(ledger, accounts[1]))["posted_minor"] == 400
            again = await capture(ledger, body["hold_id"])
            assert again.json()["code"] == "hold_not_open"

    async def test_is_not_ended_by_the_transfer_of_another_hold(
        self, bank: Bank, accounts: tuple[str, str]
    ):
        async with bank.client("ledger", caller="payments") as ledger:
            first, second = hold(*accounts, 400), hold(*accounts, 400)
            for body in (first, second):
                await ledger.post("/v1/holds", json=body)
            transfer_id = str(new_id())
            answers = await asyncio.gather(
                *(
                    capture(ledger, body["hold_id"], transfer_id=transfer_id)
                    for body in (first, second)
                )
            )
            assert sorted(answer.status_code for answer in answers) == [200, 409]
            (refused,) = (answer for answer in answers if answer.status_code == 409)
            assert refused.json()["code"] == "transfer_exists"
            assert await balance(ledger, accounts[0]) == {
                "posted_minor": 600,
                "held_minor": 400,
                "available_minor": 200,
            }

    async def test_captured_in_part_frees_the_rest(self, bank: Bank, accounts: tuple[str, str]):
        async with bank.client("ledger", caller="payments") as ledger:
            body = hold(*accounts, 400)
            await ledger.post("/v1/holds", json=body)
            more = await capture(ledger, body["hold_id"], amount_minor=401)
            assert more.json()["code"] == "hold_exceeded"
            part = await capture(ledger, body["hold_id"], amount_minor=150)
            assert part.json()["state"] == "captured"
            assert (await balance(ledger, accounts[0]))["available_minor"] == 850

    async def test_released_twice_frees_once(self, bank: Bank, accounts: tuple[str, str]):
        async with bank.client("ledger", caller="payments") as ledger:
            body = hold(*accounts, 400)
            await ledger.post("/v1/holds", json=body)
            for _ in range(2):
                answer = await ledger.post(f"/v1/holds/{body['hold_id']}/release")
                assert answer.json()["state"] == "released"
            assert (await balance(ledger, accounts[0]))["held_minor"] == 0
            assert (await capture(ledger, body["hold_id"])).json()["code"] == "hold_not_open"

    async def test_expires_and_frees_the_amount(self, bank: Bank, accounts: tuple[str, str]):
        async with bank.client("ledger", caller="payments") as ledger:
            body = hold(*accounts, 400, expires_in_s=1)
            await ledger.post("/v1/holds", json=body)

            async def is_free() -> bool:
                return (await balance(ledger, accounts[0]))["held_minor"] == 0

            await eventually(is_free)
            state = await ledger.get(f"/v1/holds/{body['hold_id']}")
            assert state.json()["state"] == "expired"
            assert (await capture(ledger, body["hold_id"])).json()["code"] == "hold_not_open"

    async def test_extended_outlives_its_first_time(self, bank: Bank, accounts: tuple[str, str]):
        async with bank.client("ledger", caller="payments") as ledger:
            body = hold(*accounts, 400, expires_in_s=2)
            first = await ledger.post("/v1/holds", json=body)
            path = f"/v1/holds/{body['hold_id']}/extension"
            later = await ledger.post(path, json={"expires_in_s": 1000})
            assert later.json()["expires_at"] > first.json()["expires_at"]

    async def test_of_a_frozen_account_is_refused_and_not_captured(
        self, bank: Bank, accounts: tuple[str, str]
    ):
        async with (
            bank.client("ledger", caller="payments") as ledger,
            bank.client("ledger", roles=("operator",)) as operator,
        ):
            body = hold(*accounts, 400)
            await ledger.post("/v1/holds", json=body)
            path = f"/v1/accounts/{accounts[0]}/freeze"
            frozen = await operator.post(
                path, json={"reason": "court order"}, headers={"idempotency-key": str(new_id())}
            )
            assert frozen.json()["frozen"] is True
            placed = await ledger.post("/v1/holds", json=hold(*accounts, 1))
            assert placed.json()["code"] == "account_frozen"
            assert (await capture(ledger, body["hold_id"])).json()["code"] == "account_frozen"
            assert (await balance(ledger, accounts[0]))["held_minor"] == 400

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            ({"account_id": "nobody"}, "account_not_found"),
            ({"destination_id": "nobody"}, "destination_not_found"),
            ({"currency": "EUR"}, "currency_mismatch"),
        ],
    )
    async def test_needs_both_accounts_in_its_currency(
        self, bank: Bank, accounts: tuple[str, str], change: dict[str, str], code: str
    ):
        async with bank.client("ledger", caller="payments") as ledger:
            answer = await ledger.post("/v1/holds", json=hold(*accounts, 1) | change)
            assert answer.json()["code"] == code
