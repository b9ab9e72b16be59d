"""What a customer is told of a decision, and how to ask for a person."""

import httpx
import pytest

from shared.kit.clock import new_id
from tests.bank import Bank
from tests.risk.cases.support import (
    HUGE,
    Desk,
    ended,
    take_and_judge,
    verdict,
)
from tests.risk.support import decided, payment


def path(desk: Desk, decision_id: str, last: str = "explanation") -> str:
    return f"/v1/customers/c-{desk.unique}/decisions/{decision_id}/{last}"


async def explained(desk: Desk, decision_id: str) -> dict:
    async with customer(desk) as client:
        response = await client.get(path(desk, decision_id))
    assert response.status_code == 200, response.text
    return response.json()


async def ask(desk: Desk, decision_id: str, message: str = "请回电") -> httpx.Response:
    async with customer(desk) as client:
        return await client.put(
            path(desk, decision_id, "person-request"), json={"message": message}
        )


def customer(desk: Desk) -> httpx.AsyncClient:
    return desk.bank.client("risk", caller="gateway", customer_id=f"c-{desk.unique}")


async def declined(desk: Desk) -> str:
    """The id of a payment that risk itself declined: its payee is on the black list."""
    payee = f"bad-{desk.unique}"
    async with desk.staff("operator", "operator") as client:
        listed = await client.post(
            "/v1/listed-accounts",
            json={"account_id": payee, "reason": "court order"},
            headers={"Idempotency-Key": desk.unique},
        )
        assert listed.status_code == 201, listed.text
    body = payment(desk.unique, creditor_account=payee)
    async with desk.bank.client("risk") as client:
        assert (await decided(client, desk.bank, body))["outcome"] == "decline"
    return str(body["decision_id"])


class TestExplanation:
    async def test_of_a_case_says_that_a_person_looks(self, desk: Desk):
        case_id = await desk.case()
        said = await explained(desk, case_id)
        assert said["situation"] == "waiting"
        assert "大额付款需要人工核实" in said["text"]["zh"]
        assert "right to ask" in said["text"]["en"]
        assert said["can_ask_for_person"] is True

    async def test_of_a_decline_gives_the_decisions_own_reasons(self, desk: Desk):
        said = await explained(desk, await declined(desk))
        assert said["situation"] == "machine_declined"
        assert [reason["code"] for reason in said["reasons"]] == ["payee_listed"]
        assert "decided by a machine" in said["text"]["en"]

    async def test_after_a_verdict_says_who_decided(self, desk: Desk):
        case_id = await desk.case(amount_minor=HUGE)
        await take_and_judge(desk, "first", case_id, verdict("decline"))
        await desk.tell(ended(case_id, state="rejected", reason_codes=["review_declined"]))
        await desk.until(case_id, lambda case: case["state"] == "closed")
        said = await explained(desk, case_id)
        assert said["situation"] == "person_declined"
        assert desk.named("first") not in str(said)

    async def test_is_the_customers_own_alone(self, desk: Desk):
        case_id = await desk.case()
        async with desk.bank.client("risk", caller="gateway", customer_id="c-other") as client:
            other = await client.get(path(desk, case_id))
            own_path = await client.get(f"/v1/customers/c-other/decisions/{case_id}/explanation")
        assert other.status_code == 403
        assert own_path.status_code == 404

    async def test_is_not_for_staff(self, desk: Desk):
        case_id = await desk.case()
        async with desk.staff("first") as client:
            assert (await client.get(path(desk, case_id))).status_code == 403


class TestPersonRequest:
    async def test_raises_an_open_case(self, desk: Desk):
        case_id = await desk.case(amount_minor=100, currency="XAF")
        await desk.sql(
            "UPDATE cases SET due_at = now() + interval '9 hours' WHERE case_id = $1", case_id
        )
        before = (await desk.file(case_id))["case"]["due_at"]
        said = (await ask(desk, case_id)).json()
        assert said["can_ask_for_person"] is False
        assert said["asked_for_person_at"] is not None
        file = await desk.file(case_id)
        assert file["case"]["due_at"] < before
        assert [(e["kind"], e["text"]) for e in file["entries"]] == [("asked", "请回电")]

    async def test_again_is_the_same_as_once(self, desk: Desk):
        case_id = await desk.case()
        first = (await ask(desk, case_id)).json()
        again = (await ask(desk, case_id, "hello?")).json()
        assert again == first
        assert len((await desk.file(case_id))["entries"]) == 1

    async def test_of_a_decline_opens_an_appeal(self, desk: Desk):
        decision_id = await declined(desk)
        said = (await ask(desk, decision_id)).json()
        assert said["situation"] == "appeal_waiting"
        async with desk.staff("first") as client:
            params = {"customer_id": f"c-{desk.unique}"}
            (appeal,) = (await client.get("/v1/cases", params=params)).json()["items"]
        assert (appeal["kind"], appeal["decision_id"]) == ("appeal", decision_id)
        assert appeal["reason_codes"] == ["payee_listed"]
        done = await take_and_judge(desk, "first", appeal["case_id"], verdict(code="false_alarm"))
        assert (done.json()["state"], done.json()["outcome"]) == ("closed", "approved")
        assert (await explained(desk, decision_id))["situation"] == "appeal_approved"
        (told,) = await desk.told("risk.case.v1", decision_id)
        assert told["kind"] == "appeal"

    async def test_of_an_approved_payment_is_refused(self, desk: Desk, bank: Bank):
        body = payment(desk.unique)
        async with bank.client("risk") as client:
            await decided(client, bank, body)
        refused = await ask(desk, body["decision_id"])
        assert (refused.status_code, refused.json()["code"]) == (409, "nothing_to_ask")

    async def test_of_an_unknown_payment_finds_none(self, desk: Desk):
        assert (await ask(desk, str(new_id()))).status_code == 404

    @pytest.mark.parametrize("body", [{"message": "x" * 501}, {"urgent": True}, []])
    async def test_of_another_form_is_refused(self, desk: Desk, body: object):
        case_id = await desk.case()
        async with customer(desk) as client:
            response = await client.put(path(desk, case_id, "person-request"), json=body)
        assert response.status_code == 422
