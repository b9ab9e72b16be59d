"""What a customer does in a session of their own, through every service behind."""

from uuid import uuid4

import httpx
import pytest

from tests.bank import Bank
from tests.gateway.customers import authorized_consent, new_customer
from tests.gateway.support import PASSWORD, staff
from tests.gateway.test_payments import payment


@pytest.fixture
async def me(whole_bank: str, customer):
    """The customer's own client, signed in."""
    async with httpx.AsyncClient(base_url=whole_bank, timeout=30) as client:
        signed_in = await client.post(
            "/v1/sessions", json={"login_name": customer.login_name, "password": PASSWORD}
        )
        assert signed_in.status_code == 201, signed_in.text
        client.headers["Authorization"] = f"Bearer {signed_in.json()['session_token']}"
        yield client


def key() -> dict[str, str]:
    return {"Idempotency-Key": uuid4().hex}


class TestSession:
    async def test_begins_with_a_password_and_ends_for_good(self, me):
        assert (await me.get("/v1/me/accounts")).status_code == 200
        assert (await me.delete("/v1/sessions/current")).status_code == 204
        ended = await me.get("/v1/me/accounts")
        assert ended.status_code == 401
        assert ended.json()["code"] == "session_missing"
        assert (await me.delete("/v1/sessions/current")).status_code == 204

    async def test_is_refused_with_a_wrong_password(self, whole_bank, customer):
        async with httpx.AsyncClient(base_url=whole_bank) as client:
            refused = await client.post(
                "/v1/sessions",
                json={"login_name": customer.login_name, "password": "wrong password"},
            )
        assert refused.status_code == 401
        assert "wrong password" not in refused.text

    async def test_is_no_partners(self, shop):
        for path in ("/v1/me/accounts", "/v1/me/profile", "/v1/me/questionnaire"):
            refused = await shop.get(path)
            assert refused.status_code == 403
            assert refused.json()["code"] == "customer_session_needed"
            as_bearer = await shop.client.get(
                path, headers={"Authorization": f"Bearer {shop.token}"}
            )
            assert as_bearer.status_code == 401
        assessment = {"questionnaire_version": "2026-1", "answers": {"age": "18_to_30"}}
        assert (await shop.post("/v1/me/assessments", assessment)).status_code == 403

    async def test_is_no_staffs(self, bank: Bank, whole_bank):
        async with httpx.AsyncClient(base_url=whole_bank) as client:
            refused = await client.get("/v1/me/accounts", headers=staff(bank))
        assert refused.status_code == 401

    async def test_opens_no_partners_route(self, me):
        refused = await me.get("/v1/payments")
        assert refused.status_code == 401


class TestMyAccounts:
    async def test_are_mine_with_right_and_balance(self, bank: Bank, me, customer, unique):
        await new_customer(bank, f"s{unique}"[:14])
        (account,) = (await me.get("/v1/me/accounts")).json()["items"]
        assert account["account_id"] == customer.account_id
        assert account["right"] == "owner"
        assert account["balance"]["posted_minor"] == 100_000


class TestMyConsents:
    async def test_are_listed_and_can_be_taken_back(self, bank: Bank, me, shop, customer):
        consent = await authorized_consent(bank, shop, customer)
        (mine,) = (await me.get("/v1/me/consents")).json()["items"]
        assert mine["consent_id"] == consent["consent_id"]
        assert mine["debtor_account"] == customer.account_id
        path = f"/v1/me/consents/{consent['consent_id']}/revocation"
        assert (await me.post(path)).json()["state"] == "revoked"
        assert (await me.post(path)).json()["state"] == "revoked"
        refused = await shop.post("/v1/payments", payment(consent))
        assert refused.json()["code"] == "consent_not_authorized"

    async def test_of_others_are_not_found(self, bank: Bank, me, shop, unique):
        other = await new_customer(bank, f"o{unique}"[:14])
        consent = await authorized_consent(bank, shop, other)
        assert (await me.get("/v1/me/consents")).json()["items"] == []
        refused = await me.post(f"/v1/me/consents/{consent['consent_id']}/revocation")
        assert refused.status_code == 404


class TestMyPayments:
    async def test_are_mine_with_everything_that_the_bank_knows(
        self, bank: Bank, me, shop, customer
    ):
        consent = await authorized_consent(bank, shop, customer)
        made = (await shop.post("/v1/payments", payment(consent))).json()
        (mine,) = (await me.get("/v1/me/payments")).json()["items"]
        assert mine["payment_id"] == made["payment_id"]
        assert mine["debtor_account"] == customer.account_id


class TestMyProfile:
    async def test_follows_consent_to_marketing(self, me, customer):
        offer = (await me.get("/v1/me/offer")).json()
        assert offer["personalized"] is False
        body, once = {"granted": True}, key()
        granted = await me.put("/v1/me/marketing-consent", json=body, headers=once)
        assert granted.status_code == 200, granted.text
        assert granted.json()["granted"] is True
        again = await me.put("/v1/me/marketing-consent", json=body, headers=once)
        assert again.json() == granted.json()
        assert (await me.get("/v1/me/marketing-consent")).json()["granted"] is True
        assert (await me.put("/v1/me/marketing-consent", json=body)).status_code == 422
        assert (await me.get("/v1/me/profile")).status_code in {200, 404}


class TestMyAssessment:
    async def answers(self, me) -> dict:
        asked = (await me.get("/v1/me/questionnaire?lang=en")).json()
        return {
            "questionnaire_version": asked["version"],
            "answers": {
                item["item_id"]: item["options"][0]["option_id"] for item in asked["items"]
            },
        }

    async def test_gives_a_grade_and_only_products_that_suit_it(self, me):
        none_yet = await me.get("/v1/me/assessment")
        assert none_yet.status_code == 404
        body, once = await self.answers(me), key()
        done = await me.post("/v1/me/assessments", json=body, headers=once)
        assert done.status_code == 201, done.text
        again = await me.post("/v1/me/assessments", json=body, headers=once)
        assert again.json() == done.json()
        grade = done.json()["grade"]
        assert (await me.get("/v1/me/assessment")).json()["grade"] == grade
        shown = (await me.get("/v1/me/products")).json()
        assert shown["grade"] == grade
        assert all(product["rating"][1] <= grade[1] for product in shown["items"])
        check = await me.post(
            "/v1/me/suitability-checks", json={"product_id": shown["items"][0]["product_id"]}
        )
        assert check.json()["suitable"] is True

    async def test_is_for_nobody_but_the_customer(self, me, unique):
        body = await self.answers(me) | {"customer_id": f"c-{unique}-other"}
        refused = await me.post("/v1/me/assessments", json=body, headers=key())
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["field"] == "customer_id"

    async def test_names_the_answer_that_is_wrong(self, me):
        body = await self.answers(me)
        body["answers"].popitem()
        refused = await me.post("/v1/me/assessments", json=body, headers=key())
        assert refused.status_code == 422
        assert refused.headers["content-type"] == "application/problem+json"


class TestMySourceConsents:
    async def test_are_given_and_taken_back_by_source_and_purpose(self, me, customer):
        path = "/v1/me/source-consents"
        before = (await me.get(path)).json()
        assert before["customer_id"] == customer.customer_id
        assert {item["granted"] for item in before["items"]} == {False}
        assert all(item["title"]["zh"] and item["title"]["en"] for item in before["items"])
        given = await me.put(f"{path}/tax/credit", json={"granted": True}, headers=key())
        assert given.status_code == 200, given.text
        assert given.json()["granted"] is True
        taken = await me.put(f"{path}/tax/credit", json={"granted": False}, headers=key())
        assert taken.json()["granted"] is False
        assert [said["granted"] for said in (await me.get(path)).json()["history"]] == [False, True]

    async def test_say_which_field_is_wrong(self, me):
        path = "/v1/me/source-consents"
        for wrong, body in (
            ("horoscope/credit", {"granted": True}),
            ("tax/credit", {"granted": 3}),
        ):
            refused = await me.put(f"{path}/{wrong}", json=body, headers=key())
            assert refused.status_code == 422
            assert refused.json()["errors"][0]["field"] in {"source", "granted"}


class TestIdentifiers:
    async def test_are_told_by_the_customer_alone_and_not_repeated(
        self, me, shop, customer, unique: str
    ):
        body = {"device_id": f"device-{unique}", "phone": "+8613800000000"}
        told = await me.put("/v1/me/identifiers", json=body)
        assert told.json() == {"kinds": ["device", "phone"]}
        assert (await me.put("/v1/me/identifiers", json={})).status_code == 422
        wrong = await me.put("/v1/me/identifiers", json={"card": "not a card"})
        assert wrong.status_code == 422
        assert "not a card" not in wrong.text
        by_partner = await shop.client.put(
            "/v1/me/identifiers", json=body, headers=shop.headers("PUT", "/v1/me/identifiers")
        )
        assert by_partner.status_code == 403
