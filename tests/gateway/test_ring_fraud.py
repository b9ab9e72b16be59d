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


async def tell(gateway: str, customer: Customer, identifiers: dict[str, str]) -> None:
    """As the customer's own app does."""
    async with session_of(gateway, customer) as me:
        answer = await me.put("/v1/me/identifiers", json=identifiers)
    assert answer.status_code == 200, answer.text
    assert not any(value in answer.text for value in identifiers.values())


async def charge_back(bank: Bank, unique: str, payment_id: str, *, device: str) -> None:
    """An operator labels the payment's decision; over when risk's rings know of it."""
    async with bank.client("risk", roles=("operator",)) as staff:
        labelled = await staff.post(
            f"/v1/decisions/{payment_id}/labels",
            json={"label": "fraud", "source": "chargeback", "note": "charged back"},
            headers={"idempotency-key": f"label-{unique}"},
        )
        assert labelled.status_code == 201, labelled.text

        async def known() -> bool:
            probe = risk_payment(unique, customer_id=f"probe-{unique}", device_id=device)
            found = await ring_of(bank, await decided(staff, bank, probe))
            return bool(found["fraud_distance"] == 2)

        await eventually(known)


class TestRingOfFraud:
    async def test_is_stopped_at_the_counter_and_the_honest_beside_it_are_not(
        self, bank: Bank, whole_bank: str, shop: Partner, unique: str
    ):
        merchant, burner = f"m-{unique}", f"burner-{unique}"
        names = ("lead", "one", "two", "far", "honest")
        people = {name: await new_customer(bank, f"{unique}{name}") for name in names}
        own = {name: f"{name}-{unique}" for name in ("far", "honest")}
        phone = {"phone": f"139{int(unique, 16) % 10**8:08d}"}
        await tell(whole_bank, people["one"], {"device_id": burner})
        await tell(whole_bank, people["two"], {"device_id": burner} | phone)
        await tell(whole_bank, people["far"], {"device_id": own["far"]} | phone)
        await tell(whole_bank, people["honest"], {"device_id": own["honest"]})

        async def paid(name: str) -> dict[str, Any]:
            device = own.get(name, burner)
            made = await cash_out(bank, shop, people[name], merchant=merchant, device=device)
            return made | {"record": await record(bank, made["payment_id"])}

        # the first one's payment settles, and is charged back later
        first = await paid("lead")
        assert first["state"] == "settled"
        await charge_back(bank, unique, first["payment_id"], device=burner)
        stopped = [await paid(name) for name in ("one", "two")]
        far, honest = await paid("far"), await paid("honest")
        for made in stopped:
            assert made["state"] == "in_review"
            assert [one["code"] for one in made["record"]["reasons"]] == ["ring_suspected"]
            assert made["record"]["trace"] == ["ring_near_fraud"]
            assert made["record"]["facts"]["ring"] == {"size": 5, "fraud_distance": 2}
        assert (far["state"], honest["state"]) == ("settled", "settled")
        assert far["record"]["facts"]["ring"] == {"size": 5, "fraud_distance": 4}
        assert honest["record"]["facts"]["ring"] == {"size": 1, "fraud_distance": None}
        async with session_of(whole_bank, people["one"]) as me:
            path = f"/v1/me/payments/{stopped[0]['payment_id']}/explanation"
            said = (await me.get(path)).json()
        assert (said["situation"], said["can_ask_for_person"]) == ("waiting", True)
