"""What a person says of an application, and what its customer sees of it."""

from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from services.risk.policies.seeds import seed_program
from tests.bank import Bank
from tests.risk.applications.support import (
    application,
    applied,
    as_customer,
    register,
    standing,
)
from tests.risk.cases.support import Desk, take_and_judge
from tests.risk.support import record

#: From this limit on two people grant.
LARGE = 10_000_000
APPROVE = {"verdict": "approve", "reason_code": "documents_in_order"}
DECLINE = {"verdict": "decline", "reason_code": "documents_missing"}


@pytest.fixture
async def desk(bank: Bank, unique: str) -> Desk:
    await register(bank, f"c-{unique}")
    return Desk(bank, unique)


async def waiting(desk: Desk, product: str = "loan", **changes: Any) -> dict[str, Any]:
    """An application that a person has to decide."""
    body = application(desk.unique, product, **changes)
    made = await applied(desk.bank, body, product)
    assert made["state"] == "in_review", made
    return body


async def judged(
    desk: Desk, body: dict[str, Any], verdict: dict[str, Any], *, who: str = "first"
) -> httpx.Response:
    return await take_and_judge(desk, who, str(body["application_id"]), verdict)


async def explanation(desk: Desk, body: dict[str, Any], last: str = "explanation") -> Any:
    customer = f"c-{desk.unique}"
    path = f"/v1/customers/{customer}/decisions/{body['application_id']}/{last}"
    async with as_customer(desk.bank, customer) as client:
        if last == "explanation":
            return (await client.get(path)).json()
        return (await client.put(path, json={})).json()


async def price_of_grade(desk: Desk, body: dict[str, Any]) -> int:
    """What the release's policy asks of the grade that the application got."""
    grade = (await record(desk.bank, body["application_id"]))["grade"]
    price = seed_program("loan").price_of(grade)
    assert price is not None, grade
    return price


class TestCase:
    @pytest.mark.parametrize(("product", "hours"), [("loan", 48), ("card", 24)])
    async def test_is_due_as_its_product_asks(self, desk: Desk, product: str, hours: int):
        body = await waiting(desk, product)
        case = (await desk.file(body["application_id"]))["case"]
        opened, due = (datetime.fromisoformat(case[name]) for name in ("opened_at", "due_at"))
        assert due - opened == timedelta(hours=hours)
        assert (case["kind"], case["product"], case["state"]) == ("review", product, "open")
        assert (case["value_minor"], case["currency"]) == (2_000_000, "CNY")


class TestVerdict:
    async def test_to_approve_grants_a_limit_at_the_price_of_the_grade(self, desk: Desk):
        body = await waiting(desk)
        done = await judged(desk, body, APPROVE | {"limit_minor": 1_500_000})
        assert (done.json()["state"], done.json()["outcome"]) == ("closed", "approved")
        stands = await standing(desk.bank, body)
        assert (stands["state"], stands["decided_by"]) == ("approved", "person")
        price = await price_of_grade(desk, body)
        assert (stands["limit_minor"], stands["price_bps"]) == (1_500_000, price)
        assert stands["reasons"] == []
        assert (await explanation(desk, body))["situation"] == "approved"
        (told,) = await desk.told("risk.case.v1", body["application_id"])
        assert (told["limit_minor"], told["price_bps"]) == (1_500_000, price)

    async def test_leaves_the_first_answer_as_it_was(self, desk: Desk):
        body = await waiting(desk)
        first = await applied(desk.bank, body)
        await judged(desk, body, APPROVE | {"limit_minor": 1_500_000})
        assert await applied(desk.bank, body) == first

    async def test_to_decline_is_what_the_customer_sees(self, desk: Desk):
        body = await waiting(desk)
        await judged(desk, body, DECLINE)
        stands = await standing(desk.bank, body)
        assert (stands["state"], stands["decided_by"]) == ("declined", "person")
        assert (stands["limit_minor"], stands["price_bps"]) == (None, None)
        said = await explanation(desk, body)
        assert said["situation"] == "person_declined"
        assert said["advice"]

    @pytest.mark.parametrize(
        "verdict",
        [
            APPROVE | {"limit_minor": 2_000_001},
            DECLINE | {"limit_minor": 1},
        ],
    )
    async def test_with_a_limit_that_does_not_fit_is_refused(
        self, desk: Desk, verdict: dict[str, Any]
    ):
        body = await waiting(desk)
        refused = await judged(desk, body, verdict)
        assert (refused.status_code, refused.json()["code"]) == (422, "limit_unfit")
        assert refused.json()["errors"][0]["field"] == "limit_minor"

    async def test_again_is_the_same_and_another_limit_is_not(self, desk: Desk):
        body = await waiting(desk)
        verdict = APPROVE | {"limit_minor": 1_500_000}
        first = await judged(desk, body, verdict)
        path = f"/v1/cases/{body['application_id']}/verdict"
        async with desk.staff("first") as client:
            again = await client.post(path, json=verdict)
            other = await client.post(path, json=verdict | {"limit_minor": 1_600_000})
        assert again.json() == first.json()
        assert other.json()["code"] == "case_not_open"

    async def test_over_much_money_takes_two_people(self, desk: Desk):
        body = await waiting(desk, requested_minor=2 * LARGE, monthly_income_minor=5_000_000)
        done = await judged(desk, body, APPROVE | {"limit_minor": LARGE})
        assert done.json()["state"] == "awaiting_second"
        assert (await standing(desk.bank, body))["state"] == "in_review"
        path = f"/v1/cases/{body['application_id']}/second"
        async with desk.staff("second") as client:
            refused = await client.post(path, json={"agrees": False, "note": "too much"})
            assert refused.json()["granted_minor"] is None, refused.text
        again = await judged(desk, body, APPROVE | {"limit_minor": LARGE - 1})
        assert again.json()["state"] == "closed", again.text
        assert (await standing(desk.bank, body))["limit_minor"] == LARGE - 1


class TestAppeal:
    async def test_of_a_decline_can_grant_what_the_policy_did_not(self, desk: Desk):
        body = application(desk.unique, monthly_debt_minor=900_000)
        assert (await applied(desk.bank, body))["state"] == "declined"
        said = await explanation(desk, body, "person-request")
        assert said["situation"] == "appeal_waiting"
        params = {"customer_id": f"c-{desk.unique}"}
        async with desk.staff("first") as client:
            (appeal,) = (await client.get("/v1/cases", params=params)).json()["items"]
        done = await take_and_judge(
            desk, "first", appeal["case_id"], APPROVE | {"limit_minor": 500_000}
        )
        assert done.json()["outcome"] == "approved", done.text
        stands = await standing(desk.bank, body)
        assert (stands["state"], stands["limit_minor"]) == ("approved", 500_000)
        # declined, so that nothing was offered: the price is that of the grade all the same
        assert stands["price_bps"] == await price_of_grade(desk, body)
        assert (await explanation(desk, body))["situation"] == "appeal_approved"


class TestExplanation:
    async def test_names_what_declined_and_not_what_asked_for_a_person(self, desk: Desk):
        body = application(
            desk.unique,
            device_id=f"device-{desk.unique}",
            monthly_debt_minor=900_000,
            requested_minor=15_000_000,
        )
        await applied(desk.bank, body)
        said = await explanation(desk, body)
        assert [reason["code"] for reason in said["reasons"]] == ["debt_burden_high"]
        assert "a person is checking it" not in said["text"]["en"]
        assert said["can_ask_for_person"] is True
