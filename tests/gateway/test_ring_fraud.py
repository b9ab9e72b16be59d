"""A ring of new customers around one known fraudster, who cash out through one merchant.

No payment of theirs is odd by itself: the amounts are those of the honest customers beside them,
at the same merchant. What gives them away is what they share.
"""

from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import httpx

from tests.bank import Bank, eventually
from tests.gateway.customers import Customer, authorized_consent, new_customer
from tests.gateway.support import PASSWORD, Partner
from tests.gateway.test_payments import PATH, payment
from tests.risk.support import decided, record, ring_of
from tests.risk.support import payment as risk_payment


@asynccontextmanager
async def session_of(gateway: str, customer: Customer):
    """The customer's own client, signed in."""
    async with httpx.AsyncClient(base_url=gateway, timeout=30) as client:
        signed_in = await client.post(
            "/v1/sessions", json={"login_name": customer.login_name, "password": PASSWORD}
        )
        assert signed_in.status_code == 201, signed_in.text
        client.headers["Authorization"] = f"Bearer {signed_in.json()['session_token']}"
        yield client


async def cash_out(
    bank: Bank, shop: Partner, customer: Customer, *, merchant: str, device: str
) -> dict[str, Any]:
    """A payment of the customer's to the merchant, through the partner; as it stands then."""
    consent = await authorized_consent(bank, shop, customer)
    body = payment(consent, risk={"device_id": device, "merchant_id": merchant})
    headers = shop.headers("POST", PATH) | {"Idempotency-Key": uuid4().hex}
    made = await shop.client.post(PATH, json=body, headers=headers)
    assert made.status_code == 201, made.text
    return dict(made.json())


class TestRingOfFraud:
    async def test_is_stopped_at_the_counter_and_the_honest_beside_it_are_not(
        self, bank: Bank, whole_bank: str, shop: Partner, unique: str
    ):
        merchant, device = f"m-{unique}", f"burner-{unique}"
        names = ("lead", "one", "two", "far", "honest")
        people = {name: await new_customer(bank, f"{unique}{name}") for name in names}
        phone = f"139{int(unique, 16) % 10**8:08d}"
        told = {
            "one": {"device_id": device},
            "two": {"device_id": device, "phone": phone},
            "far": {"device_id": f"own-{unique}", "phone": phone},
            "honest": {"device_id": f"honest-{unique}"},
        }
        for name, identifiers in told.items():
            async with session_of(whole_bank, people[name]) as me:
                answer = await me.put("/v1/me/identifiers", json=identifiers)
                assert answer.status_code == 200, answer.text
                assert phone not in answer.text

        # the first one's payment settles, and is charged back later
        first = await cash_out(bank, shop, people["lead"], merchant=merchant, device=device)
        assert first["state"] == "settled"
        async with bank.client("risk", roles=("operator",)) as staff:
            labelled = await staff.post(
                f"/v1/decisions/{first['payment_id']}/labels",
                json={"label": "fraud", "source": "chargeback", "note": "charged back"},
                headers={"idempotency-key": f"label-{unique}"},
            )
            assert labelled.status_code == 201, labelled.text

            async def known() -> bool:
                probe = risk_payment(unique, customer_id=f"probe-{unique}", device_id=device)
                found = await ring_of(bank, await decided(staff, bank, probe))
                return bool(found["fraud_distance"] == 2)

            await eventually(known)
        stopped = {}
        for name in ("one", "two"):
            made = await cash_out(bank, shop, people[name], merchant=merchant, device=device)
            stopped[name] = made["payment_id"]
            assert made["state"] == "in_review", name
        passed = {}
        for name, own in (("far", f"own-{unique}"), ("honest", f"honest-{unique}")):
            made = await cash_out(bank, shop, people[name], merchant=merchant, device=own)
            passed[name] = made["payment_id"]
            assert made["state"] == "settled", name

        for payment_id in stopped.values():
            kept = await record(bank, payment_id)
            assert [reason["code"] for reason in kept["reasons"]] == ["ring_suspected"]
            assert kept["trace"] == ["ring_near_fraud"]
            assert kept["facts"]["ring"] == {"size": 5, "fraud_distance": 2}
        far = await record(bank, passed["far"])
        assert far["facts"]["ring"] == {"size": 5, "fraud_distance": 4}
        honest = await record(bank, passed["honest"])
        assert honest["facts"]["ring"] == {"size": 1, "fraud_distance": None}
        async with session_of(whole_bank, people["one"]) as me:
            path = f"/v1/me/payments/{stopped['one']}/explanation"
            said = (await me.get(path)).json()
        assert said["situation"] == "waiting"
        assert said["can_ask_for_person"] is True
