"""How a policy rules: failures are isolated, prices follow the grade, bounds hold."""

from typing import Any

import pytest
import zen
from hypothesis import given, settings
from hypothesis import strategies as st

from services.risk.domain import Outcome
from services.risk.policies import seeds
from services.risk.policies.domain import PolicyRefused, Product
from tests.risk.policies.graphs import facts, graph, node, program, row


class TestRule:
    @pytest.mark.parametrize(
        "broken",
        [
            "value_minor > product",  # a number is not compared with a word
            "len(value_minor) > 1",
            "features.payee_known_log_h > 0",  # missing here
            "value_minor",  # no answer
            "value_minor / 0 > 1",
            "lists.device",
        ],
    )
    def test_that_fails_sends_to_review_is_named_and_leaves_the_others(self, broken: str):
        content = graph("payment")
        row(content, "rules", "payment_burst")["when"] = broken
        policy = program(content)
        alone = policy.ruling(facts())
        assert alone.outcome is Outcome.REVIEW
        assert alone.reason_codes == ("rule_failed",)
        assert alone.degraded == ("rule_failed.payment_burst",)
        listed = policy.ruling(facts(lists={"payee": "black"}, value_minor=20_000_000))
        assert listed.outcome is Outcome.DECLINE
        assert listed.reason_codes == ("payee_listed", "amount_over_ceiling", "rule_failed")
        assert listed.trace == ("payee_listed", "amount_over_ceiling")

    def test_that_fails_would_be_silent_in_the_engine_s_own_table(self):
        content = graph("payment")
        row(content, "rules", "payment_burst")["when"] = "value_minor > product"
        engine = zen.ZenEngine({"loader": {"type": "static", "content": {"policy": content}}})
        assert engine.evaluate("policy", facts())["result"] == {"findings": []}

    def test_failing_beside_all_others_leaves_none_unsaid(self):
        policy = seeds.seed_program("payment")
        ruling = policy.ruling({})
        assert ruling.outcome is Outcome.REVIEW
        assert set(ruling.degraded) == {
            f"rule_failed.{name}"
            for name in (
                "night_new_payee",
                "payment_burst",
                "small_then_large",
                "payee_collects",
                "payees_many",
            )
        }

    @pytest.mark.parametrize("value", [1e300, float("inf"), {"a": 1}, object(), [1]])
    def test_survives_a_fact_that_is_no_fact(self, value: object):
        given = facts(value_minor=20_000_000, features={"customer_count_10m": value})
        ruling = seeds.seed_program("payment").ruling(given)
        assert ruling.outcome is Outcome.REVIEW
        assert ruling.degraded == ("rule_failed.payment_burst",)
        assert ruling.trace == ("amount_over_ceiling",)

    def test_takes_a_feature_that_is_not_a_number_for_a_missing_one(self):
        ruling = seeds.seed_program("payment").ruling(
            facts(features={"customer_count_10m": float("nan")})
        )
        assert ruling.degraded == ("rule_failed.payment_burst",)


class TestPrice:
    @given(
        st.fixed_dictionaries(
            {
                "monthly_income_minor": st.integers(1, 10**8) | st.none(),
                "monthly_debt_minor": st.integers(0, 10**7) | st.none(),
                "requested_minor": st.integers(0, 10**9),
                "age": st.integers(16, 90),
            }
        ),
        st.sampled_from([0.0, 0.019, 0.02, 0.05, 0.1, 0.19, 0.5, None]),
        st.sampled_from(["loan", "card"]),
    )
    @settings(max_examples=150, deadline=None)
    def test_follows_the_grade_and_nothing_else(
        self, application: dict[str, Any], score: float | None, product: Product
    ):
        policy = seeds.seed_program(product)
        ruling = policy.ruling(facts(product, application=application, score=score))
        same_grade = policy.ruling(facts(product, score=score))
        assert ruling.grade == same_grade.grade
        if ruling.outcome is not Outcome.DECLINE:
            assert ruling.price_bps == same_grade.price_bps
        else:
            assert (ruling.price_bps, ruling.limit_minor) == (None, None)

    @pytest.mark.parametrize(
        "reads",
        [
            "score < 0.5",
            'grade == "A" and application.age > 60',
            "features.payee_new > 0",
            "of_score < 0.5",  # a threshold that is taken from a fact
        ],
    )
    def test_that_reads_anything_else_is_refused(self, reads: str):
        content = graph("loan")
        node(content, "thresholds")["expressions"].append(
            {"id": "t-x", "key": "of_score", "value": "score"}
        )
        row(content, "price_bps", "price_b")["when"] = reads
        with pytest.raises(PolicyRefused) as refused:
            program(content, "loan")
        assert refused.value.field.endswith("rules.1.when")
        assert "the grade alone" in refused.value.expected

    def test_that_is_calculated_is_refused(self):
        content = graph("loan")
        row(content, "price_bps", "price_b")["price_bps"] = "application.age * 10"
        with pytest.raises(PolicyRefused, match="a number or a threshold"):
            program(content, "loan")


class TestOffer:
    def test_without_a_limit_or_a_price_is_not_approved(self):
        content = graph("loan")
        node(content, "price_bps")["rules"] = [
            it for it in node(content, "price_bps")["rules"] if it["_id"] == "price_b"
        ]
        ruling = program(content, "loan").ruling(facts("loan"))
        assert ruling.outcome is Outcome.REVIEW
        assert ruling.degraded == ("rule_failed.price_bps",)
        assert (ruling.price_bps, ruling.limit_minor) == (None, 12_000_000)

    @pytest.mark.parametrize("limit", ["0 - 1", "application.monthly_income_minor * 10000000000"])
    def test_out_of_bounds_is_not_made(self, limit: str):
        content = graph("loan")
        row(content, "limit_minor", "limit_a")["limit_minor"] = limit
        ruling = program(content, "loan").ruling(facts("loan"))
        assert (ruling.outcome, ruling.limit_minor) == (Outcome.REVIEW, None)
        assert ruling.degraded == ("rule_failed.limit_minor",)

    def test_whose_grade_fails_goes_to_review(self):
        content = graph("loan")
        row(content, "grade", "grade_a")["when"] = "application.term_months < product"
        ruling = program(content, "loan").ruling(facts("loan"))
        assert ruling.outcome is Outcome.REVIEW
        assert "rule_failed.grade" in ruling.degraded
