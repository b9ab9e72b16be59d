"""What the advisor promises of questionnaire and assessments, met over HTTP."""

import asyncio
import json
from datetime import timedelta

import asyncpg
import pytest

from services.advisor import domain
from services.advisor.data import load_rules
from shared.kit.clock import bank_date, utc_now
from tests.advisor.support import (
    COPY_TO_DAY,
    QUESTIONNAIRE,
    answers,
    assessment,
    complete,
    own_session,
    sql,
)
from tests.bank import Bank, eventually


class TestQuestionnaire:
    @pytest.mark.parametrize(("lang", "age"), [("zh", "您的年龄是?"), ("en", "How old are you?")])
    async def test_is_told_in_one_language_without_its_points(
        self, bank: Bank, unique: str, lang: str, age: str
    ):
        async with own_session(bank, f"c-{unique}") as advisor:
            response = await advisor.get("/v1/questionnaire", params={"lang": lang})
        told = response.json()
        assert told["items"][0]["text"] == age
        assert len(told["items"]) == len(QUESTIONNAIRE.items)
        assert "points" not in response.text
        assert told["preamble"]

    async def test_is_refused_in_another_language(self, bank: Bank, unique: str):
        async with own_session(bank, f"c-{unique}") as advisor:
            response = await advisor.get("/v1/questionnaire", params={"lang": "fr"})
        assert response.status_code == 422
        assert response.json()["errors"][0]["field"] == "lang"


class TestAssessment:
    async def test_gives_a_grade_for_12_months_with_its_reasons(self, bank: Bank, unique: str):
        async with own_session(bank, f"c-{unique}") as advisor:
            response = await complete(advisor, assessment(f"c-{unique}", age="65_or_over"))
            assert response.status_code == 201, response.text
            told = response.json()
            assert (told["grade"], told["lowest_class"], told["expired"]) == ("C3", False, False)
            assert any("65" in reason["zh"] for reason in told["reasons"])
            until = domain.add_months(bank_date(utc_now()), 12)
            assert told["valid_until"] == until.isoformat()
            latest = await advisor.get(f"/v1/customers/c-{unique}/assessment")
            assert latest.json() == told

    async def test_is_told_on_the_bus(self, bank: Bank, unique: str):
        async with own_session(bank, f"c-{unique}") as advisor:
            told = (await complete(advisor, assessment(f"c-{unique}", 0))).json()

        async def heard() -> list[dict]:
            return await bank.events("advisor.assessment.v1", key=f"c-{unique}")

        (event,) = await eventually(heard)
        assert event["type"] == "AssessmentCompleted"
        assert event["data"]["assessment_id"] == told["assessment_id"]
        assert event["data"]["grade"] == "C1"
        assert event["data"]["valid_until"] == told["valid_until"]

    async def test_repeated_under_its_key_has_one_effect(self, bank: Bank, unique: str):
        body = assessment(f"c-{unique}")
        async with own_session(bank, f"c-{unique}") as advisor:
            replies = await asyncio.gather(*(complete(advisor, body, "k") for _ in range(8)))
        assert {reply.status_code for reply in replies} == {201}
        assert len({reply.text for reply in replies}) == 1
        async with sql(bank) as database:
            stored = "SELECT count(*) FROM assessments WHERE customer_id = $1"
            assert await database.fetchval(stored, f"c-{unique}") == 1
            told = "SELECT count(*) FROM outbox WHERE key = $1"
            assert await database.fetchval(told, f"c-{unique}") == 1

    async def test_under_a_used_key_with_another_body_is_refused(self, bank: Bank, unique: str):
        async with own_session(bank, f"c-{unique}") as advisor:
            await complete(advisor, assessment(f"c-{unique}"), "k")
            response = await complete(advisor, assessment(f"c-{unique}"), "k")
        assert response.status_code == 422
        assert response.json()["code"] == "idempotency_key_reused"

    async def test_under_a_used_id_with_other_answers_is_refused(self, bank: Bank, unique: str):
        body = assessment(f"c-{unique}")
        async with own_session(bank, f"c-{unique}") as advisor:
            first = await complete(advisor, body)
            again = await complete(advisor, body)
            other = await complete(advisor, body | {"answers": answers(0)})
        assert again.json() == first.json()
        assert other.status_code == 409
        assert other.json()["errors"][0]["field"] == "assessment_id"

    async def test_under_another_customers_id_is_refused(self, bank: Bank, unique: str):
        body = assessment(f"a-{unique}")
        async with own_session(bank, f"a-{unique}") as advisor:
            await complete(advisor, body)
        async with own_session(bank, f"b-{unique}") as advisor:
            response = await complete(advisor, body | {"customer_id": f"b-{unique}"})
        assert response.status_code == 409

    async def test_without_a_key_is_refused(self, bank: Bank, unique: str):
        async with own_session(bank, f"c-{unique}") as advisor:
            response = await advisor.post("/v1/assessments", json=assessment(f"c-{unique}"))
        assert response.status_code == 422
        assert response.json()["errors"][0]["field"] == "Idempotency-Key"

    @pytest.mark.parametrize(
        ("change", "code", "field"),
        [
            ({"shoe_size": "44"}, "unknown_item", "answers.shoe_size"),
            ({"age": "perhaps"}, "unknown_option", "answers.age"),
            ({"age": None}, "missing_answer", "answers.age"),
        ],
    )
    async def test_with_bad_answers_names_the_item_and_stores_nothing(
        self, bank: Bank, unique: str, change: dict[str, str | None], code: str, field: str
    ):
        body = assessment(f"c-{unique}")
        changed = body["answers"] | change
        body["answers"] = {item: option for item, option in changed.items() if option is not None}
        async with own_session(bank, f"c-{unique}") as advisor:
            response = await complete(advisor, body)
            assert response.status_code == 422
            assert response.json()["code"] == code
            assert response.json()["errors"][0]["field"] == field
            assert "one of" in response.json()["errors"][0]["expected"]
            latest = await advisor.get(f"/v1/customers/c-{unique}/assessment")
        assert latest.status_code == 404
        assert latest.json()["code"] == "assessment_not_found"

    async def test_of_another_version_is_told_which_is_asked(self, bank: Bank, unique: str):
        body = assessment(f"c-{unique}") | {"questionnaire_version": "1999-1"}
        async with own_session(bank, f"c-{unique}") as advisor:
            response = await complete(advisor, body)
        assert response.status_code == 422
        (error,) = response.json()["errors"]
        assert error == {"field": "questionnaire_version", "expected": QUESTIONNAIRE.version}

    async def test_is_refused_the_third_time_in_a_day(self, bank: Bank, unique: str):
        async with own_session(bank, f"c-{unique}") as advisor:
            bodies = [assessment(f"c-{unique}") for _ in range(6)]
            replies = await asyncio.gather(*(complete(advisor, body) for body in bodies))
        assert sorted(reply.status_code for reply in replies) == [201, 201, 409, 409, 409, 409]
        refused = next(reply for reply in replies if reply.status_code == 409)
        assert refused.json()["code"] == "assessment_limit_reached"

    async def test_is_refused_the_ninth_time_in_12_months(self, bank: Bank, unique: str):
        today = bank_date(utc_now())
        async with own_session(bank, f"c-{unique}") as advisor:
            await complete(advisor, assessment(f"c-{unique}"))
            async with sql(bank) as database:
                for month in range(1, 8):
                    day = domain.add_months(today, -month)
                    until = domain.add_months(day, 12)
                    await database.execute(COPY_TO_DAY, f"c-{unique}", day, until)
            response = await complete(advisor, assessment(f"c-{unique}"))
        assert response.status_code == 409
        assert "8 in 12 months" in response.json()["detail"]

    async def test_says_so_once_it_has_expired(self, bank: Bank, unique: str):
        today = bank_date(utc_now())
        async with own_session(bank, f"c-{unique}") as advisor:
            await complete(advisor, assessment(f"c-{unique}"))
            async with sql(bank) as database:
                year_ago = today - timedelta(days=366)
                await database.execute(COPY_TO_DAY, f"c-{unique}", year_ago, today)
            latest = (await advisor.get(f"/v1/customers/c-{unique}/assessment")).json()
        assert (latest["valid_until"], latest["expired"]) == (today.isoformat(), True)


class TestStoredAssessment:
    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE assessments SET grade = 'C5' WHERE customer_id = $1",
            "DELETE FROM assessments WHERE customer_id = $1",
        ],
    )
    @pytest.mark.parametrize("owner", [True, False])
    async def test_cannot_be_changed_by_any_role(
        self, bank: Bank, unique: str, owner: bool, statement: str
    ):
        async with own_session(bank, f"c-{unique}") as advisor:
            await complete(advisor, assessment(f"c-{unique}", 0))
        refusals = (asyncpg.RestrictViolationError, asyncpg.InsufficientPrivilegeError)
        async with sql(bank, owner=owner) as database:
            with pytest.raises(refusals):
                await database.execute(statement, f"c-{unique}")

    async def test_cannot_be_emptied(self, bank: Bank):
        bank.start("advisor")
        async with sql(bank) as database:
            with pytest.raises(asyncpg.RestrictViolationError):
                await database.execute("TRUNCATE assessments")

    async def test_replays_from_its_answers_and_its_rules(self, bank: Bank, unique: str):
        async with own_session(bank, f"c-{unique}") as advisor:
            told = (await complete(advisor, assessment(f"c-{unique}", 1))).json()
        async with sql(bank) as database:
            row = await database.fetchrow(
                "SELECT * FROM assessments WHERE customer_id = $1", f"c-{unique}"
            )
        rules = load_rules()
        version = row["questionnaire_version"]
        assert row["rules_sha256"].hex() == rules.sha256_by_version[version]
        again = domain.grade(rules.questionnaires[version], json.loads(row["answers"]))
        assert (again.score, again.grade) == (told["score"], told["grade"])
        assert [reason.model_dump() for reason in again.reasons] == told["reasons"]


class TestAccess:
    async def test_is_refused_to_a_partner(self, bank: Bank, unique: str):
        who = {"caller": "gateway", "partner_id": "p-shop", "customer_id": f"c-{unique}"}
        async with bank.client("advisor", **who) as partner:
            replies = [
                await partner.get("/v1/questionnaire"),
                await complete(partner, assessment(f"c-{unique}")),
                await partner.get(f"/v1/customers/c-{unique}/assessment"),
                await partner.get(f"/v1/customers/c-{unique}/products"),
            ]
        assert [reply.status_code for reply in replies] == [403] * 4

    async def test_is_refused_to_another_customer_and_to_nobody(self, bank: Bank, unique: str):
        for session in (own_session(bank, f"b-{unique}"), bank.client("advisor", caller="gateway")):
            async with session as advisor:
                replies = [
                    await complete(advisor, assessment(f"a-{unique}")),
                    await advisor.get(f"/v1/customers/a-{unique}/assessment"),
                    await advisor.get(f"/v1/customers/a-{unique}/products"),
                ]
            assert [reply.status_code for reply in replies] == [403] * 3

    async def test_needs_a_token(self, bank: Bank, unique: str):
        async with bank.client("advisor") as nobody:
            response = await nobody.get(f"/v1/customers/c-{unique}/assessment")
        assert response.status_code == 401

    async def test_is_refused_to_other_services(self, bank: Bank, unique: str):
        async with bank.client("advisor", caller="payments", customer_id=f"c-{unique}") as other:
            response = await other.get(f"/v1/customers/c-{unique}/assessment")
        assert response.status_code == 403

    async def test_lets_staff_read_and_never_answer(self, bank: Bank, unique: str):
        async with own_session(bank, f"c-{unique}") as advisor:
            await complete(advisor, assessment(f"c-{unique}"))
        async with bank.client("advisor", roles=("reviewer",)) as staff:
            read = await staff.get(f"/v1/customers/c-{unique}/assessment")
            answered = await complete(staff, assessment(f"c-{unique}"))
        assert read.status_code == 200
        assert answered.status_code == 403
