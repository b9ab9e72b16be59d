"""Cases from the outside: how they open, who works on them, and how they end."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from shared.kit.clock import new_id
from tests.bank import Bank
from tests.risk.cases.support import (
    HUGE,
    LARGE,
    NOTE,
    Desk,
    ended,
    opened,
    take_and_judge,
    verdict,
)
from tests.risk.support import decided, payment


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


class TestOpening:
    async def test_comes_with_the_decision(self, desk: Desk):
        body = await desk.decision()
        file = await desk.file(body["decision_id"])
        case = file["case"]
        assert (case["state"], case["kind"], case["product"]) == ("open", "review", "payment")
        assert case["amount_minor"] == LARGE
        assert case["reason_codes"] == ["amount_over_ceiling"]
        assert file["decision"]["outcome"] == "review"
        assert file["decision"]["features"]["payee_new"] == 1.0

    async def test_happens_once_however_often_it_is_decided(self, desk: Desk, bank: Bank):
        body = payment(desk.unique, amount_minor=LARGE)
        async with bank.client("risk") as client:
            await asyncio.gather(*(decided(client, bank, body) for _ in range(8)))
        found = await desk.sql("SELECT 1 FROM cases WHERE decision_id = $1", body["decision_id"])
        assert len(found) == 1

    async def test_is_not_for_what_was_approved(self, desk: Desk, bank: Bank):
        body = payment(desk.unique)
        async with bank.client("risk") as client:
            assert (await decided(client, bank, body))["outcome"] == "approve"
        assert not await desk.sql("SELECT 1 FROM cases WHERE decision_id = $1", body["decision_id"])

    async def test_comes_from_payments_where_risk_was_away(self, desk: Desk):
        body = payment(desk.unique, amount_minor=1_000)
        await desk.tell(opened(body, reason_codes=["risk_unavailable"]))
        case = await desk.until(body["decision_id"], lambda case: case["review_until"])
        assert case["reason_codes"] == ["risk_unavailable"]
        assert (await desk.file(body["decision_id"]))["decision"] is None

    async def test_learns_what_payments_knows(self, desk: Desk):
        case_id = await desk.case()
        case = (await desk.file(case_id))["case"]
        assert (case["creditor_name"], case["remittance"]) == ("王小明", "装修尾款")

    @pytest.mark.parametrize(
        ("changes", "hours"),
        [({"amount_minor": LARGE}, 1), ({"amount_minor": 100, "currency": "XAF"}, 1)],
        ids=["large", "currency without a rate"],
    )
    async def test_sets_when_it_is_due_by_its_value(self, desk: Desk, changes: dict, hours: int):
        body = await desk.decision(**changes)
        case = (await desk.file(body["decision_id"]))["case"]
        within = moment(case["due_at"]) - moment(case["opened_at"])
        assert within == timedelta(hours=hours)

    async def test_is_due_before_the_review_is_over(self, desk: Desk):
        body = await desk.decision()
        until = datetime.now(UTC) + timedelta(minutes=10)
        await desk.tell(opened(body, review_until=until))
        case = await desk.until(body["decision_id"], lambda case: case["review_until"])
        assert moment(case["due_at"]) == moment(case["review_until"])


class TestAssignment:
    async def test_of_two_at_once_goes_to_one(self, desk: Desk):
        case_id = await desk.case()

        async def take(name: str) -> int:
            async with desk.staff(name) as client:
                return (await client.put(f"/v1/cases/{case_id}/assignment")).status_code

        statuses = await asyncio.gather(*(take(f"r{number}") for number in range(6)))
        assert sorted(statuses) == [200, 409, 409, 409, 409, 409]

    async def test_is_refused_with_a_clear_word(self, desk: Desk):
        case_id = await desk.case()
        async with desk.staff("first") as first, desk.staff("second") as second:
            await first.put(f"/v1/cases/{case_id}/assignment")
            refused = await second.put(f"/v1/cases/{case_id}/assignment")
        assert refused.status_code == 409
        assert refused.json()["code"] == "case_taken"

    async def test_goes_back_to_the_queue(self, desk: Desk):
        case_id = await desk.case()
        async with desk.staff("first") as first, desk.staff("second") as second:
            await first.put(f"/v1/cases/{case_id}/assignment")
            assert (await second.delete(f"/v1/cases/{case_id}/assignment")).status_code == 409
            back = await first.delete(f"/v1/cases/{case_id}/assignment")
            assert back.json()["state"] == "open"
            assert (await second.put(f"/v1/cases/{case_id}/assignment")).status_code == 200
        kinds = [entry["kind"] for entry in (await desk.file(case_id))["entries"]]
        assert kinds == ["taken", "given_back", "taken"]

    async def test_lapses(self, desk: Desk):
        case_id = await desk.case()
        async with desk.staff("first") as first, desk.staff("second") as second:
            await first.put(f"/v1/cases/{case_id}/assignment")
            await desk.sql("UPDATE cases SET assigned_until = now() WHERE case_id = $1", case_id)
            late = await first.post(f"/v1/cases/{case_id}/verdict", json=verdict())
            assert late.json()["code"] == "case_not_yours"
            assert (await second.put(f"/v1/cases/{case_id}/assignment")).status_code == 200


class TestVerdict:
    async def test_reaches_payments_and_labels_the_decision(self, desk: Desk):
        case_id = await desk.case()
        response = await take_and_judge(desk, "first", case_id, verdict())
        assert response.status_code == 200, response.text
        assert response.json()["state"] == "decided"
        (told,) = await desk.told("risk.case.v1", case_id)
        assert (told["verdict"], told["reason_code"]) == ("approve", "customer_confirmed")
        assert (told["note"], told["decided_by"]) == (NOTE, desk.named("first"))
        (label,) = await desk.told("risk.label.v1", case_id)
        assert (label["label"], label["source"]) == ("honest", "case")
        assert [found["label"] for found in (await desk.file(case_id))["labels"]] == ["honest"]

    async def test_given_twice_counts_once(self, desk: Desk):
        case_id = await desk.case()
        await take_and_judge(desk, "first", case_id, verdict())
        async with desk.staff("first") as client:
            again = await client.post(f"/v1/cases/{case_id}/verdict", json=verdict())
            other = await client.post(f"/v1/cases/{case_id}/verdict", json=verdict("decline"))
        assert again.status_code == 200
        assert (other.status_code, other.json()["code"]) == (409, "case_not_open")
        rows = await desk.sql("SELECT 1 FROM labels WHERE decision_id = $1", case_id)
        assert len(rows) == 1

    async def test_needs_the_case(self, desk: Desk):
        case_id = await desk.case()
        async with desk.staff("first") as first, desk.staff("second") as second:
            await first.put(f"/v1/cases/{case_id}/assignment")
            refused = await second.post(f"/v1/cases/{case_id}/verdict", json=verdict())
        assert (refused.status_code, refused.json()["code"]) == (409, "case_not_yours")

    async def test_waits_until_the_payment_does(self, desk: Desk):
        body = await desk.decision()
        early = await take_and_judge(desk, "first", body["decision_id"], verdict())
        assert (early.status_code, early.json()["code"]) == (409, "case_not_ready")

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            (verdict(code="customer_denied"), "reason_code"),
            (verdict(code="no_such_reason"), "reason_code"),
            ({"verdict": "maybe", "reason_code": "false_alarm"}, "verdict"),
            (verdict(note="x" * 1_001), "note"),
            (verdict() | {"sure": "yes"}, "sure"),
        ],
    )
    async def test_of_another_form_names_the_field(self, desk: Desk, body: dict, field: str):
        case_id = await desk.case()
        response = await take_and_judge(desk, "first", case_id, body)
        assert response.status_code == 422, response.text
        assert response.json()["errors"][0]["field"] == field
        assert (await desk.file(case_id))["case"]["state"] == "assigned"


class TestSecondPair:
    @pytest.mark.parametrize(
        ("amount_minor", "word", "state"),
        [
            (LARGE, "approve", "decided"),
            (LARGE, "decline", "awaiting_second"),
            (HUGE, "approve", "awaiting_second"),
        ],
    )
    async def test_is_asked_for_by_amount_and_verdict(
        self, desk: Desk, amount_minor: int, word: str, state: str
    ):
        case_id = await desk.case(amount_minor=amount_minor)
        response = await take_and_judge(desk, "first", case_id, verdict(word))
        assert response.json()["state"] == state
        rows = await desk.sql("SELECT 1 FROM labels WHERE decision_id = $1", case_id)
        assert bool(rows) == (state == "decided")

    async def test_is_another_person(self, desk: Desk):
        case_id = await desk.case(amount_minor=HUGE)
        await take_and_judge(desk, "first", case_id, verdict())
        async with desk.staff("first") as client:
            own = await client.post(f"/v1/cases/{case_id}/second", json={"agrees": True})
        assert (own.status_code, own.json()["code"]) == (403, "same_person")
        async with desk.staff("second") as client:
            done = await client.post(f"/v1/cases/{case_id}/second", json={"agrees": True})
        assert (done.status_code, done.json()["state"]) == (200, "decided")
        (told,) = await desk.told("risk.case.v1", case_id)
        assert told["second_by"] == desk.named("second")

    async def test_that_refuses_opens_the_case_again(self, desk: Desk):
        case_id = await desk.case(amount_minor=HUGE)
        await take_and_judge(desk, "first", case_id, verdict())
        async with desk.staff("second") as client:
            body = {"agrees": False, "note": "the number was changed yesterday"}
            back = await client.post(f"/v1/cases/{case_id}/second", json=body)
        assert back.json()["state"] == "open"
        assert back.json()["verdict"] is None
        last = (await desk.file(case_id))["entries"][-1]
        assert (last["kind"], last["text"]) == ("second_refused", body["note"])

    async def test_of_two_at_once_is_one(self, desk: Desk):
        case_id = await desk.case(amount_minor=HUGE)
        await take_and_judge(desk, "first", case_id, verdict())

        async def say(name: str, agrees: bool) -> int:
            async with desk.staff(name) as client:
                body = {"agrees": agrees}
                return (await client.post(f"/v1/cases/{case_id}/second", json=body)).status_code

        statuses = await asyncio.gather(
            *(say(f"s{number}", number % 2 == 0) for number in range(4))
        )
        assert sorted(statuses) == [200, 409, 409, 409]


class TestEnd:
    @pytest.mark.parametrize(
        ("changes", "outcome"),
        [
            ({}, "approved"),
            ({"state": "rejected", "reason_codes": ["review_declined"]}, "declined"),
            ({"state": "rejected", "reason_codes": ["review_expired"]}, "expired"),
            ({"state": "rejected", "reason_codes": ["account_frozen"]}, "refused"),
        ],
    )
    async def test_is_what_became_of_the_payment(self, desk: Desk, changes: dict, outcome: str):
        case_id = await desk.case()
        await take_and_judge(desk, "first", case_id, verdict())
        await desk.tell(ended(case_id, **changes))
        case = await desk.until(case_id, lambda case: case["state"] == "closed")
        assert case["outcome"] == outcome
        assert case["outcome_code"] == (changes.get("reason_codes") or [None])[0]

    async def test_by_a_review_elsewhere_names_who(self, desk: Desk):
        case_id = await desk.case()
        await desk.tell(ended(case_id, reviewed_by="s-elsewhere"))
        await desk.until(case_id, lambda case: case["state"] == "closed")
        last = (await desk.file(case_id))["entries"][-1]
        assert (last["kind"], last["by"]) == ("closed", "s-elsewhere")
        refused = None
        async with desk.staff("first") as client:
            refused = await client.put(f"/v1/cases/{case_id}/assignment")
        assert (refused.status_code, refused.json()["code"]) == (409, "case_not_open")

    async def test_told_twice_is_one(self, desk: Desk):
        case_id = await desk.case()
        _, again = await desk.tell(
            ended(case_id), ended(case_id, state="rejected", reason_codes=["review_expired"])
        )
        await desk.handled(again)
        assert (await desk.file(case_id))["case"]["outcome"] == "approved"
        kinds = [entry["kind"] for entry in (await desk.file(case_id))["entries"]]
        assert kinds == ["closed"]


class TestQueue:
    async def test_shows_what_is_due_first_first(self, desk: Desk):
        ids = [await desk.case() for _ in range(3)]
        for place, case_id in enumerate(ids):
            await desk.sql(
                "UPDATE cases SET due_at = now() - make_interval(hours => $2) WHERE case_id = $1",
                case_id,
                place + 1,
            )
        found = []
        after = None
        async with desk.staff("first") as client:
            while True:
                params = {"customer_id": f"c-{desk.unique}", "overdue": "true", "limit": "2"}
                page = (
                    await client.get(
                        "/v1/cases", params=params | ({"after": after} if after else {})
                    )
                ).json()
                found += [item["case_id"] for item in page["items"]]
                after = page["next_after"]
                if after is None:
                    break
        assert found == ids[::-1]

    async def test_shows_whose_it_is(self, desk: Desk):
        case_id = await desk.case()
        async with desk.staff("first") as client:
            await client.put(f"/v1/cases/{case_id}/assignment")
            params = {"assigned_to": desk.named("first")}
            mine = (await client.get("/v1/cases", params=params)).json()["items"]
        assert [item["case_id"] for item in mine] == [case_id]

    @pytest.mark.parametrize(
        "after", ["x", "2026-01-01T00:00:00_x", "2026-01-01_01a1b2c3-0000-7000-8000-000000000001"]
    )
    async def test_refuses_a_place_that_is_none(self, desk: Desk, after: str):
        async with desk.staff("first") as client:
            response = await client.get("/v1/cases", params={"after": after})
        assert response.status_code == 422
        assert response.json()["errors"][0]["field"] == "after"


class TestRights:
    @pytest.mark.parametrize("roles", [("operator",), ("admin",)])
    async def test_to_decide_are_the_reviewers_alone(self, desk: Desk, roles: tuple[str, ...]):
        case_id = await desk.case()
        async with desk.staff("other", *roles) as client:
            answers = [
                await client.put(f"/v1/cases/{case_id}/assignment"),
                await client.delete(f"/v1/cases/{case_id}/assignment"),
                await client.post(f"/v1/cases/{case_id}/verdict", json=verdict()),
                await client.post(f"/v1/cases/{case_id}/second", json={"agrees": True}),
            ]
        assert {answer.status_code for answer in answers} == {403}
        assert (await desk.file(case_id))["case"]["state"] == "open"

    async def test_to_read_are_not_an_admins(self, desk: Desk):
        case_id = await desk.case()
        async with desk.staff("other", "admin") as client:
            assert (await client.get(f"/v1/cases/{case_id}")).status_code == 403
            assert (await client.get("/v1/cases")).status_code == 403

    async def test_are_not_a_services(self, desk: Desk, bank: Bank):
        async with bank.client("risk", caller="payments", customer_id="c-1") as client:
            assert (await client.get("/v1/cases")).status_code == 403


class TestNote:
    async def test_is_kept_once_for_its_key(self, desk: Desk):
        case_id = await desk.case()
        async with desk.staff("first") as client:
            for _ in range(2):
                response = await client.post(
                    f"/v1/cases/{case_id}/notes",
                    json={"text": NOTE},
                    headers={"Idempotency-Key": desk.unique},
                )
                assert response.status_code == 201, response.text
        entries = (await desk.file(case_id))["entries"]
        assert [(entry["kind"], entry["text"]) for entry in entries] == [("note", NOTE)]

    async def test_of_an_unknown_case_finds_none(self, desk: Desk):
        async with desk.staff("first") as client:
            response = await client.post(
                f"/v1/cases/{new_id()}/notes",
                json={"text": NOTE},
                headers={"Idempotency-Key": desk.unique},
            )
        assert (response.status_code, response.json()["code"]) == (404, "case_not_found")
