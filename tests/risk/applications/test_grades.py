"""From an applicant over the release's scorecard to grade, limit, price and reasons."""

from pathlib import Path
from typing import Any

import pytest

from services.risk import scorecards, scoring
from services.risk.applications.features import features_of
from services.risk.domain import Outcome
from services.risk.policies.reasons import REASONS
from services.risk.policies.seeds import seed_program
from tests.bank import Bank
from tests.risk.applications.support import application, applied, as_customer, register
from tests.risk.support import record

ARTIFACTS = Path(scoring.__file__).parent / "artifacts"
WISH = {"loan": 2_000_000, "card": 500_000}
SOUND: dict[str, Any] = {
    "age": 35,
    "identity_proven": True,
    "face_match": None,
    "customer_count_30d": 1,
    "device_count_24h": 1,
    "device_customers_30d": 1,
    "monthly_income_minor": 1_000_000,
    "monthly_debt_minor": 100_000,
    "employed_months": 80,
}
SOURCES: dict[str, dict[str, Any]] = {
    "bureau": {"overdue_90d": 0, "monthly_repayments_minor": 100_000, "queries_3m": 0},
    "court": {"dishonest": False, "open_enforcements": 0},
    "tax": {"monthly_income_minor": 1_000_000},
    "telecom": {"months_on_network": 90, "name_matches": True},
    "consumption": {"monthly_spending_minor": 400_000},
}


def ruled(product: Any, sources: dict[str, dict[str, Any]]) -> tuple[float, Any]:
    """The score and the ruling on a sound applicant of whom the sources say this."""
    said = SOUND | {"requested_minor": WISH[product]}
    said |= {"term_months": 24} if product == "loan" else {}
    ring = {"size": 1, "fraud_distance": None}
    features = features_of(product, application=said, sources=sources, ring=ring)
    score = scorecards.load(ARTIFACTS / product, name="champion").scored(features).score
    facts = {
        "product": product,
        "value_minor": WISH[product],
        "hour": 12,
        "degraded": [],
        "lists": {},
        "ring": ring,
        "application": said,
        "sources": sources,
        "features": features,
        "model": {"review_from": 0.1, "decline_from": 0.2},
        "score": score,
    }
    return score, seed_program(product).ruling(facts)


class TestGrade:
    @pytest.mark.parametrize("product", ["loan", "card"])
    def test_of_a_sound_applicant_brings_limit_and_the_best_price(self, product: str):
        score, ruling = ruled(product, SOURCES)
        assert score < 0.02
        assert (ruling.outcome, ruling.grade) == (Outcome.APPROVE, "A")
        assert ruling.limit_minor >= WISH[product]
        assert ruling.price_bps == seed_program(product).price_of("A")  # type: ignore[arg-type]

    @pytest.mark.parametrize("product", ["loan", "card"])
    def test_falls_with_each_thing_that_is_worse(self, product: str):
        strained = SOURCES | {
            "bureau": {"overdue_90d": 0, "monthly_repayments_minor": 400_000, "queries_3m": 5},
            "consumption": {"monthly_spending_minor": 850_000},
        }
        calm, worse = ruled(product, SOURCES), ruled(product, strained)
        assert calm[0] < worse[0]
        assert calm[1].grade < worse[1].grade
        assert calm[1].limit_minor > worse[1].limit_minor
        assert calm[1].price_bps < worse[1].price_bps


class TestDecline:
    async def test_by_a_grade_says_what_cost_most_points(self, bank: Bank, unique: str):
        await register(bank, f"c-{unique}")
        body = application(
            unique,
            requested_minor=11_000_000,
            monthly_debt_minor=540_000,
            employed_months=1,
            term_months=6,
        )
        made = await applied(bank, body)
        kept = await record(bank, body["application_id"])
        assert (made["state"], kept["grade"]) == ("declined", "E")
        assert [reason["code"] for reason in kept["reasons"]].count("credit_grade_low") == 1
        codes = [reason["code"] for reason in made["reasons"]]
        assert set(codes) == {"score_amount", "score_debts", "score_employment", "score_term"}
        assert codes == kept["facts"]["score_reasons"]
        customer = f"c-{unique}"
        path = f"/v1/customers/{customer}/decisions/{body['application_id']}/explanation"
        async with as_customer(bank, customer) as client:
            told = await client.get(path)
        assert told.status_code == 200, told.text
        assert [reason["code"] for reason in told.json()["reasons"]] == codes
        assert REASONS["score_term"][0] in told.json()["text"]["zh"]
        assert told.json()["advice"]
