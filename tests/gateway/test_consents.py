"""Payment consents as a partner meets them."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from tests.bank import Bank
from tests.gateway.support import consent_body, register_partner

PATH = "/v1/payment-consents"


class TestPaymentConsent:
    async def test_is_created_waiting_for_the_customer(self, partner):
        body = consent_body(redirect_uri="https://shop.example/back")
        created = await partner.post(PATH, body)
        assert created.status_code == 201, created.text
        consent = created.json()
        assert consent["state"] == "awaiting_authorization"
        assert consent["authorize_url"].startswith(f"{partner.origin}/consents/")
        assert consent["payee"] == body["payee"]
        assert consent["used_minor"] == 0
        read = await partner.get(f"{PATH}/{consent['consent_id']}")
        assert read.json() == consent

    async def test_is_created_once_for_a_key(self, partner):
        body, key = consent_body(), uuid4().hex
        answers = await asyncio.gather(*(partner.post(PATH, body, key=key) for _ in range(5)))
        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.content for answer in answers}) == 1
        other = await partner.post(PATH, body | {"limit_minor": 1}, key=key)
        assert other.status_code == 422
        assert other.json()["code"] == "idempotency_key_reused"
        assert len((await partner.get(PATH)).json()["items"]) == 1

    @pytest.mark.parametrize("days", [-1, 91])
    async def test_may_not_end_in_the_past_or_last_too_long(self, partner, days):
        expires_at = (datetime.now(UTC) + timedelta(days=days)).isoformat()
        refused = await partner.post(PATH, consent_body(expires_at=expires_at))
        assert refused.status_code == 422
        assert refused.json()["code"] == "consent_expiry_refused"
        assert (await partner.get(PATH)).json()["items"] == []

    @pytest.mark.parametrize(
        "uri",
        [
            "https://shop.example/",
            "https://shop.example/back/more",
            "https://shop.example/back?x=1",
            "https://SHOP.example/back",
            "https://shop.example.evil.example/back",
            "http://shop.example/back",
            "",
        ],
    )
    async def test_goes_back_to_a_registered_address_alone(self, partner, uri):
        refused = await partner.post(PATH, consent_body(redirect_uri=uri))
        assert refused.status_code == 422
        assert refused.json()["code"] == "redirect_uri_not_registered"

    async def test_is_not_found_by_another_partner(self, bank: Bank, outside, unique, partner):
        created = (await partner.post(PATH, consent_body())).json()
        other = await (await register_partner(bank, outside, f"o-{unique}")).sign_in()
        path = f"{PATH}/{created['consent_id']}"
        assert (await other.get(path)).status_code == 404
        revoked = await other.post(f"{path}/revocation")
        assert revoked.status_code == 404
        assert revoked.json()["code"] == "consent_not_found"
        assert (await other.get(PATH)).json()["items"] == []
        assert (await partner.get(path)).json()["state"] == "awaiting_authorization"

    async def test_is_revoked_by_its_partner_and_again_is_the_same(self, partner):
        created = (await partner.post(PATH, consent_body())).json()
        path = f"{PATH}/{created['consent_id']}"
        first = await partner.post(f"{path}/revocation")
        assert first.status_code == 200
        assert first.json()["state"] == "revoked"
        assert (await partner.post(f"{path}/revocation")).json() == first.json()

    async def test_is_listed_the_youngest_first_a_page_at_a_time(self, partner):
        ids = [(await partner.post(PATH, consent_body())).json()["consent_id"] for _ in range(3)]
        page = (await partner.get(f"{PATH}?limit=2")).json()
        assert [item["consent_id"] for item in page["items"]] == [ids[2], ids[1]]
        rest = (await partner.get(f"{PATH}?limit=2&before={page['next_before']}")).json()
        assert [item["consent_id"] for item in rest["items"]] == [ids[0]]
        assert rest["next_before"] is None

    async def test_that_is_not_authorized_pays_nothing(self, partner):
        created = (await partner.post(PATH, consent_body())).json()
        payment = {
            "consent_id": created["consent_id"],
            "amount_minor": 1,
            "currency": "CNY",
            "creditor": created["payee"],
            "end_to_end_id": "order-1",
        }
        refused = await partner.post("/v1/payments", payment)
        assert refused.status_code == 403
        assert refused.json()["code"] == "consent_not_authorized"
        unknown = await partner.post("/v1/payments", payment | {"consent_id": str(uuid4())})
        assert unknown.status_code == 404
        assert unknown.json()["code"] == "consent_not_found"
