"""A customer applies in a session of their own: through the gateway, risk and identity."""

from typing import Any
from uuid import uuid4

import httpx
import pytest

from services.risk.policies.seeds import seed_program
from tests.bank import Bank
from tests.gateway.customers import Customer, new_customer
from tests.gateway.support import PASSWORD
from tests.risk.support import record

LOAN = {
    "currency": "CNY",
    "requested_minor": 3_000_000,
    "monthly_income_minor": 1_000_000,
    "monthly_debt_minor": 100_000,
    "employed_months": 36,
    "term_months": 24,
}


def key() -> dict[str, str]:
    return {"Idempotency-Key": uuid4().hex}


async def signed_in(client: httpx.AsyncClient, customer: Customer) -> None:
    answer = await client.post(
        "/v1/sessions", json={"login_name": customer.login_name, "password": PASSWORD}
    )
    assert answer.status_code == 201, answer.text
    client.headers["Authorization"] = f"Bearer {answer.json()['session_token']}"


@pytest.fixture
async def me(whole_bank: str, customer: Customer):
    """The customer's own client, signed in."""
    async with httpx.AsyncClient(base_url=whole_bank, timeout=30) as client:
        await signed_in(client, customer)
        yield client


async def decide(bank: Bank, case_id: str, **verdict: Any) -> httpx.Response:
    async with bank.client("risk", roles=("reviewer",)) as reviewer:
        taken = await reviewer.put(f"/v1/cases/{case_id}/assignment")
        assert taken.status_code == 200, taken.text
        return await reviewer.post(f"/v1/cases/{case_id}/verdict", json=verdict)


class TestLoanApplication:
    async def test_goes_to_a_person_and_shows_what_the_person_granted(self, bank: Bank, me):
        once = key()
        made = await me.post("/v1/me/loan-applications", json=LOAN, headers=once)
        assert made.status_code == 201, made.text
        again = await me.post("/v1/me/loan-applications", json=LOAN, headers=once)
        assert again.json() == made.json()
        path = f"/v1/me/applications/{made.json()['application_id']}"
        assert made.json()["state"] == "in_review"
        said = (await me.get(f"{path}/explanation")).json()
        assert (said["situation"], said["can_ask_for_person"]) == ("waiting", True)
        assert "您的申请" in said["text"]["zh"]
        assert "payment" not in said["text"]["en"]
        asked = await me.put(f"{path}/person-request", json={"message": "请回电"})
        assert asked.json()["asked_for_person_at"]
        given = await decide(
            bank,
            made.json()["application_id"],
            verdict="approve",
            reason_code="documents_in_order",
            limit_minor=2_000_000,
        )
        assert given.json()["state"] == "closed", given.text
        stands = (await me.get(path)).json()
        assert (stands["state"], stands["decided_by"]) == ("approved", "person")
        grade = (await record(bank, made.json()["application_id"]))["grade"]
        price = seed_program("loan").price_of(grade)
        assert (stands["limit_minor"], stands["price_bps"]) == (2_000_000, price)
        assert stands["can_ask_for_person"] is False
        (listed,) = (await me.get("/v1/me/applications")).json()["items"]
        assert listed == stands

    async def test_of_too_much_debt_is_declined_with_reasons_and_a_way_on(self, me):
        body = LOAN | {"monthly_debt_minor": 900_000}
        made = await me.post("/v1/me/loan-applications", json=body, headers=key())
        path = f"/v1/me/applications/{made.json()['application_id']}"
        assert (made.json()["state"], made.json()["decided_by"]) == ("declined", "machine")
        assert [reason["code"] for reason in made.json()["reasons"]] == ["debt_burden_high"]
        said = (await me.get(f"{path}/explanation")).json()
        assert said["situation"] == "machine_declined"
        assert "偿还部分现有借款后" in said["text"]["zh"]
        assert "right to ask" in said["text"]["en"]
        assert said["advice"][0]["en"] in said["text"]["en"]
        appealed = await me.put(f"{path}/person-request", json={})
        assert appealed.json()["situation"] == "appeal_waiting"
        assert (await me.get(path)).json()["state"] == "in_review"

    async def test_of_another_customer_is_not_found(self, bank: Bank, whole_bank, me, unique):
        made = await me.post("/v1/me/loan-applications", json=LOAN, headers=key())
        other = await new_customer(bank, f"o{unique}"[:14])
        path = f"/v1/me/applications/{made.json()['application_id']}"
        async with httpx.AsyncClient(base_url=whole_bank, timeout=30) as client:
            await signed_in(client, other)
            assert (await client.get(path)).status_code == 404
            assert (await client.get(f"{path}/explanation")).status_code == 404

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"requested_minor": "much"}, "requested_minor"),
            ({"term_months": 0}, "term_months"),
            ({"customer_id": "c-other"}, "customer_id"),
            ({"face_match": 1.0}, "face_match"),
        ],
    )
    async def test_with_a_wrong_field_is_refused_by_its_name(
        self, me, change: dict[str, Any], field: str
    ):
        refused = await me.post("/v1/me/loan-applications", json=LOAN | change, headers=key())
        assert refused.status_code == 422
        assert [error["field"] for error in refused.json()["errors"]] == [field]

    async def test_with_the_same_key_and_another_wish_is_refused(self, me):
        once = key()
        await me.post("/v1/me/loan-applications", json=LOAN, headers=once)
        changed = LOAN | {"requested_minor": 3_000_001}
        refused = await me.post("/v1/me/loan-applications", json=changed, headers=once)
        assert (refused.status_code, refused.json()["code"]) == (409, "decision_exists")

    async def test_is_no_partners(self, shop):
        refused = await shop.post("/v1/me/loan-applications", LOAN)
        assert refused.json()["code"] == "customer_session_needed"


class TestOtherApplications:
    async def test_of_a_card_and_an_account_have_cases_of_their_own(self, bank: Bank, me):
        card = {name: value for name, value in LOAN.items() if name != "term_months"}
        made = [
            await me.post("/v1/me/card-applications", json=card, headers=key()),
            await me.post("/v1/me/account-applications", json={}, headers=key()),
        ]
        # no channel compares faces yet, so that a person looks at an account as well
        assert [one.json()["state"] for one in made] == ["in_review", "in_review"]
        async with bank.client("risk", roles=("reviewer",)) as reviewer:
            found = [
                (await reviewer.get(f"/v1/cases/{one.json()['application_id']}")).json()["case"]
                for one in made
            ]
        assert [case["product"] for case in found] == ["card", "account_opening"]
        assert [case["amount_minor"] for case in found] == [3_000_000, None]
        assert all(case["kind"] == "review" for case in found)
