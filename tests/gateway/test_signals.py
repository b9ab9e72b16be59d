"""What a partner says of device, address and merchant reaches risk, and nobody else."""

from uuid import uuid4

import pytest

from tests.bank import Bank, eventually
from tests.gateway.customers import authorized_consent
from tests.gateway.test_payments import PATH, payment

HEADER = "x-fapi-customer-ip-address"
DEVICE = "a3f1c9d27b604e58"


@pytest.fixture
async def consent(bank: Bank, shop, customer):
    return await authorized_consent(bank, shop, customer)


async def pay(shop, body, *, key: str, address: str | None = None):
    headers = shop.headers("POST", PATH) | {"Idempotency-Key": key}
    if address is not None:
        headers[HEADER] = address
    return await shop.client.post(PATH, json=body, headers=headers)


class TestSignals:
    async def test_of_a_partner_travel_with_the_payment_and_its_events(
        self, bank: Bank, shop, customer, consent
    ):
        signals = {"device_id": DEVICE, "merchant_id": "m-7"}
        body = payment(consent, risk=signals)
        made = await pay(shop, body, key=uuid4().hex, address="2001:DB8:0:0:0:0:0:1")
        assert made.status_code == 201, made.text
        assert DEVICE not in made.text
        assert "2001" not in made.text

        async def told() -> list[dict]:
            return await bank.events("payments.payment.v1", key=customer.account_id)

        for event in await eventually(told):
            data = event["data"]
            assert (data["device_id"], data["merchant_id"]) == (DEVICE, "m-7")
            assert data["ip_address"] == "2001:db8::1"

    async def test_are_optional(self, bank: Bank, shop, customer, consent):
        assert (await pay(shop, payment(consent), key=uuid4().hex)).status_code == 201

    async def test_at_another_address_are_the_same_payment(
        self, bank: Bank, shop, customer, consent
    ):
        key, body = uuid4().hex, payment(consent)
        first = await pay(shop, body, key=key, address="192.0.2.1")
        again = await pay(shop, body, key=key, address="192.0.2.2")
        assert again.content == first.content

    @pytest.mark.parametrize("address", ["300.1.1.1", "here", "1" * 46, "192.0.2.1, 192.0.2.2"])
    async def test_with_a_wrong_address_are_refused_by_the_header_s_name(
        self, bank: Bank, shop, customer, consent, address: str
    ):
        refused = await pay(shop, payment(consent), key=uuid4().hex, address=address)
        assert refused.status_code == 422
        assert [error["field"] for error in refused.json()["errors"]] == [HEADER]
        assert address not in refused.text

    @pytest.mark.parametrize(
        ("signals", "field"),
        [
            ({"device_id": "short"}, "risk.device_id"),
            ({"device_id": "x" * 129}, "risk.device_id"),
            ({"merchant_id": "a b"}, "risk.merchant_id"),
            ({"phone": "1"}, "risk.phone"),
        ],
    )
    async def test_with_a_wrong_field_are_refused_by_its_name(
        self, bank: Bank, shop, customer, consent, signals: dict, field: str
    ):
        refused = await pay(shop, payment(consent, risk=signals), key=uuid4().hex)
        assert refused.status_code == 422
        assert [error["field"] for error in refused.json()["errors"]] == [field]

    async def test_stay_out_of_the_logs(self, bank: Bank, shop, customer, consent):
        device = f"d-{uuid4().hex}"
        body = payment(consent, risk={"device_id": device})
        await pay(shop, body, key=uuid4().hex, address="198.51.100.77")
        for log in bank.folder.glob("*.jsonl"):
            text = log.read_text()
            assert device not in text
            assert "198.51.100.77" not in text
