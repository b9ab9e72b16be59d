"""Payments with the bank's own risk beside it, and everything at its defaults."""

import asyncio
from typing import Any

from shared.kit.clock import new_id
from tests.bank import Bank, eventually
from tests.ledger.support import balance, fund, open_account

STATES = {"approve": "settled", "review": "in_review", "decline": "rejected"}


async def pay(bank: Bank, *bodies: dict[str, Any]) -> list[Any]:
    """Send all at once; whoever is told to come again does so."""
    async with bank.client(
        "payments", caller="gateway", customer_id=bodies[0]["customer_id"]
    ) as client:

        async def send(body: dict[str, Any]) -> Any:
            key = {"Idempotency-Key": body["payment_id"]}
            for _ in range(20):
                response = await client.post("/v1/payments", json=body, headers=key)
                if response.status_code != 503:
                    break
                await asyncio.sleep(int(response.headers["retry-after"]))
            return response

        return await asyncio.gather(*(send(body) for body in bodies))


async def payment(bank: Bank, unique: str, *, funds: int) -> dict[str, Any]:
    """Opens two accounts; the body of a payment of all that the first one has to the second."""
    async with bank.client("ledger", roles=("operator",)) as ledger:
        await open_account(ledger, f"d-{unique}", holder_id=f"cust-{unique}")
        await open_account(ledger, f"c-{unique}")
        await fund(ledger, f"d-{unique}", funds)
    return {
        "payment_id": str(new_id()),
        "customer_id": f"cust-{unique}",
        "debtor_account": f"d-{unique}",
        "creditor": {"account_id": f"c-{unique}", "name": "Shop"},
        "amount_minor": funds,
        "currency": "CNY",
        "end_to_end_id": "invoice-1",
    }


class TestPaymentWithRisk:
    async def test_goes_where_the_decision_sends_it(self, bank: Bank, unique: str):
        # Above the policy's ceiling, so that the outcome is known whatever the model says.
        large = await payment(bank, f"{unique}l", funds=50_000_000)
        small = await payment(bank, f"{unique}s", funds=1_000)
        for body in (large, small):
            (response,) = await pay(bank, body)
            assert response.status_code == 201, response.text
            got = response.json()
            async with bank.client("risk", roles=("operator", "reviewer")) as risk:
                decision = (await risk.get(f"/v1/decisions/{body['payment_id']}")).json()
            assert got["state"] == STATES[decision["outcome"]]
            assert got["risk_score"] == decision["score"]
            if got["state"] != "settled":
                codes = {reason["code"] for reason in decision["reasons"]}
                assert codes <= set(got["reason_codes"])
        assert (await self.state(bank, large)) in {"in_review", "rejected"}

    async def state(self, bank: Bank, body: dict[str, Any]) -> str:
        async with bank.client("payments", roles=("operator",)) as client:
            return (await client.get(f"/v1/payments/{body['payment_id']}")).json()["state"]

    async def test_of_sixty_four_at_once_on_one_balance_is_held_once(self, bank: Bank, unique: str):
        body = await payment(bank, unique, funds=1_000)
        replies = await pay(bank, *(body | {"payment_id": str(new_id())} for _ in range(64)))
        taken = [reply.json() for reply in replies if reply.status_code == 201]
        assert len(taken) == 1, [reply.text for reply in replies]
        assert taken[0]["state"] in {"settled", "in_review"}
        refused = {reply.json()["code"] for reply in replies if reply.status_code != 201}
        assert refused == {"insufficient_funds"}

        async def moved() -> bool:
            async with bank.client("ledger", roles=("operator",)) as ledger:
                found = await balance(ledger, f"d-{unique}")
            return found["available_minor"] == 0

        await eventually(moved)
