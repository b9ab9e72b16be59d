"""A payment that a person has to look at, through the whole bank: held, asked about, decided."""

from typing import Any

import httpx
import pytest

from shared.kit.clock import new_id
from tests.bank import Bank, eventually
from tests.gateway.customers import new_customer
from tests.gateway.support import PASSWORD

#: Above the policy's ceiling, below what takes two people to approve.
LARGE = 30_000_000


@pytest.fixture
async def waiting(bank: Bank, whole_bank: str, unique: str):
    """The customer's own client, and the payment of theirs that is in review."""
    customer = await new_customer(bank, unique, funds=LARGE)
    body = {
        "payment_id": str(new_id()),
        "customer_id": customer.customer_id,
        "debtor_account": customer.account_id,
        "creditor": {"account_id": customer.payee_id, "name": "Shop"},
        "amount_minor": LARGE,
        "currency": "CNY",
        "end_to_end_id": "invoice-1",
    }
    async with bank.client(
        "payments", caller="gateway", customer_id=customer.customer_id
    ) as payments:
        key = {"Idempotency-Key": body["payment_id"]}
        made = await payments.post("/v1/payments", json=body, headers=key)
    assert made.json()["state"] == "in_review", made.text
    async with httpx.AsyncClient(base_url=whole_bank, timeout=30) as me:
        signed_in = await me.post(
            "/v1/sessions", json={"login_name": customer.login_name, "password": PASSWORD}
        )
        me.headers["Authorization"] = f"Bearer {signed_in.json()['session_token']}"
        yield me, body["payment_id"]


async def case_of(bank: Bank, payment_id: str) -> Any:
    """The payment's case, once payments has told risk that the payment waits."""

    async def ready() -> object:
        async with bank.client("risk", roles=("reviewer",)) as risk:
            case = (await risk.get(f"/v1/cases/{payment_id}")).json()["case"]
        return case if case["review_until"] else None

    return await eventually(ready)


async def decide(bank: Bank, payment_id: str, verdict: str, code: str) -> None:
    async with bank.client("risk", roles=("reviewer",)) as risk:
        await risk.put(f"/v1/cases/{payment_id}/assignment")
        body = {"verdict": verdict, "reason_code": code}
        given = await risk.post(f"/v1/cases/{payment_id}/verdict", json=body)
        assert given.status_code == 200, given.text


class TestReviewedPayment:
    async def test_is_explained_decided_and_settled(self, bank: Bank, waiting):
        me, payment_id = waiting
        said = (await me.get(f"/v1/me/payments/{payment_id}/explanation")).json()
        assert said["situation"] == "waiting"
        assert said["can_ask_for_person"] is True
        asked = await me.put(
            f"/v1/me/payments/{payment_id}/person-request", json={"message": "it was me"}
        )
        assert asked.status_code == 200, asked.text
        assert asked.json()["asked_for_person_at"]
        assert (await case_of(bank, payment_id))["asked_at"]
        await decide(bank, payment_id, "approve", "customer_confirmed")

        async def settled() -> bool:
            payments = (await me.get("/v1/me/payments")).json()["items"]
            return payments[0]["state"] == "settled"

        await eventually(settled)

        async def closed() -> object:
            async with bank.client("risk", roles=("reviewer",)) as risk:
                case = (await risk.get(f"/v1/cases/{payment_id}")).json()["case"]
            return case["outcome"]

        assert await eventually(closed) == "approved"
        later = (await me.get(f"/v1/me/payments/{payment_id}/explanation")).json()
        assert later["situation"] == "approved"

    async def test_of_another_customer_is_not_explained(
        self, bank: Bank, whole_bank: str, waiting, unique: str
    ):
        _, payment_id = waiting
        other = await new_customer(bank, f"o{unique}")
        async with httpx.AsyncClient(base_url=whole_bank, timeout=30) as client:
            signed_in = await client.post(
                "/v1/sessions", json={"login_name": other.login_name, "password": PASSWORD}
            )
            client.headers["Authorization"] = f"Bearer {signed_in.json()['session_token']}"
            answer = await client.get(f"/v1/me/payments/{payment_id}/explanation")
        assert answer.status_code == 404

    async def test_reviewed_at_payments_closes_its_case(self, bank: Bank, waiting):
        _, payment_id = waiting
        await case_of(bank, payment_id)
        async with bank.client("payments", roles=("reviewer",)) as payments:
            body = {"outcome": "decline", "reason": "called the customer"}
            path = f"/v1/payments/{payment_id}/review"
            assert (await payments.post(path, json=body)).json()["state"] == "rejected"

        async def closed() -> object:
            async with bank.client("risk", roles=("reviewer",)) as risk:
                case = (await risk.get(f"/v1/cases/{payment_id}")).json()["case"]
            return case["outcome"]

        assert await eventually(closed) == "declined"
