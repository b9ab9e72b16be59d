"""A mule's account: opened to collect what several deceived customers pay, and nobody's habit."""

from dataclasses import replace
from typing import Any
from uuid import uuid4

from tests.bank import Bank
from tests.gateway.customers import authorized_consent, new_customer
from tests.gateway.support import Partner
from tests.gateway.test_payments import PATH, payment
from tests.risk.support import record

PAYERS_WATCHED = 5
AMOUNT = 250_000


async def pay(bank: Bank, shop: Partner, name: str, *, payee: str, amount: int) -> dict[str, Any]:
    """A new customer's payment to the account through the partner, as it stands then."""
    payer = replace(await new_customer(bank, name, funds=1_000_000), payee_id=payee)
    consent = await authorized_consent(bank, shop, payer, limit_minor=amount)
    headers = shop.headers("POST", PATH) | {"Idempotency-Key": uuid4().hex}
    body = payment(consent, amount_minor=amount)
    made = await shop.client.post(PATH, json=body, headers=headers)
    assert made.status_code == 201, made.text
    return dict(made.json())


class TestMule:
    async def test_is_held_from_the_fifth_payer_on_and_small_gifts_to_it_are_not(
        self, bank: Bank, whole_bank: str, shop: Partner, unique: str
    ):
        mule = await new_customer(bank, f"{unique}m", funds=0)
        made = [
            await pay(bank, shop, f"{unique}{i}", payee=mule.account_id, amount=AMOUNT)
            for i in range(PAYERS_WATCHED)
        ]
        assert [one["state"] for one in made] == ["settled"] * 4 + ["in_review"]
        decision = await record(bank, made[-1]["payment_id"])
        assert [one["code"] for one in decision["reasons"]] == ["payee_collects"]
        gift = await pay(bank, shop, f"{unique}g", payee=mule.account_id, amount=6_600)
        assert gift["state"] == "settled"
