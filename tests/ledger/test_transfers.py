"""What the ledger promises of transfers, met over HTTP."""

from shared.kit.clock import new_id
from tests.bank import Bank, eventually
from tests.ledger.support import balance, fund, open_account, transfer


class TestTransfer:
    async def test_moves_money_and_shows_the_balance_after_it(self, bank: Bank, unique: str):
        async with bank.client("ledger", roles=("operator",)) as ledger:
            await open_account(ledger, f"a-{unique}")
            await open_account(ledger, f"b-{unique}")
            await fund(ledger, f"a-{unique}", 1000)
            body = transfer((f"a-{unique}", -300), (f"b-{unique}", 300))
            response = await ledger.post("/v1/transfers", json=body)
            assert response.status_code == 201
            assert [leg["balance_minor"] for leg in response.json()["postings"]] == [700, 300]
            assert (await balance(ledger, f"b-{unique}"))["posted_minor"] == 300

    async def test_is_told_on_the_bus_with_its_balances(self, bank: Bank, unique: str):
        async with bank.client("ledger", roles=("operator",)) as ledger:
            await open_account(ledger, f"a-{unique}", holder_id=f"c-{unique}")
            source = await fund(ledger, f"a-{unique}", 1000)
            body = transfer((source, -5), (f"a-{unique}", 5))
            await ledger.post("/v1/transfers", json=body)

        async def told() -> list[dict]:
            return await bank.events("ledger.transfer.v1", key=body["transfer_id"])

        (event,) = await eventually(told)
        assert event["type"] == "TransferPosted"
        credit = next(leg for leg in event["data"]["legs"] if leg["amount_minor"] == 5)
        assert credit["balance_minor"] == 1005
        assert credit["holder_id"] == f"c-{unique}"

    async def test_repeated_answers_the_same_and_moves_nothing_more(self, bank: Bank, unique: str):
        async with bank.client("ledger", roles=("operator",)) as ledger:
            await open_account(ledger, f"a-{unique}")
            source = await fund(ledger, f"a-{unique}", 1000)
            body = transfer((f"a-{unique}", -300), (source, 300))
            first = await ledger.post("/v1/transfers", json=body)
            second = await ledger.post("/v1/transfers", json=body)
            assert first.json() == second.json()
            assert (await balance(ledger, f"a-{unique}"))["posted_minor"] == 700

    async def test_under_a_taken_id_with_another_body_is_refused(self, bank: Bank, unique: str):
        async with bank.client("ledger", roles=("operator",)) as ledger:
            await open_account(ledger, f"a-{unique}")
            source = await fund(ledger, f"a-{unique}", 1000)
            body = transfer((f"a-{unique}", -300), (source, 300))
            await ledger.post("/v1/transfers", json=body)
            other = transfer((f"a-{unique}", -301), (source, 301), transfer_id=body["transfer_id"])
            response = await ledger.post("/v1/transfers", json=other)
            assert response.status_code == 409
            assert response.json()["code"] == "transfer_exists"
            assert (await balance(ledger, f"a-{unique}"))["posted_minor"] == 700
