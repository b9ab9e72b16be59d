"""How a policy rules: failures are isolated, prices follow the grade, bounds hold."""

import copy
import json
from typing import Any

import pytest
import zen
from hypothesis import given, settings
from hypothesis import strategies as st

from services.risk.domain import Outcome
from services.risk.policies import seeds, trials
from services.risk.policies.domain import PolicyRefused, Product
from services.risk.policies.facts import over
from services.risk.policies.programs import Program


def graph(product: Product) -> dict[str, Any]:
    return copy.deepcopy(seeds.seed(product).graph)


def node(content: dict[str, Any], name: str) -> dict[str, Any]:
    return next(it for it in content["nodes"] if it["id"] == name)["content"]  # type: ignore[no-any-return]


def row(content: dict[str, Any], table: str, row_id: str) -> dict[str, Any]:
    return next(it for it in node(content, table)["rules"] if it["_id"] == row_id)  # type: ignore[no-any-return]


def program(content: dict[str, Any], product: Product = "payment") -> Program:
    return Program(product=product, version="2026.9", graph=content)


def facts(product: Product = "payment", **changes: Any) -> dict[str, Any]:
    return over(seeds.seed(product).tests["given"], changes)


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
            for name in ("night_new_payee", "payment_burst", "small_then_large")
        }

    @pytest.mark.parametrize("value", [1e300, float("inf"), {"a": 1}, object(), [1]])
    def test_survives_a_fact_that_is_no_fact(self, value: object):
        features = {"customer_count_10m": value, "payee_new": 0, "customer_small_1h": 0}
        given = facts(value_minor=20_000_000) | {"features": features}
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
    @settings(max_examples=300, deadline=None)
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


def changed(product: Product, change: Any) -> dict[str, Any]:
    content = graph(product)
    change(content)
    return content


WRONG: dict[str, tuple[Any, str]] = {
    "unknown fact": (
        lambda c: row(c, "rules", "payee_listed").update(when="features.payee_age > 1"),
        "graph.nodes.2.content.rules.0.when",
    ),
    "a fact of another product": (
        lambda c: row(c, "rules", "payee_listed").update(when="application.age > 1"),
        "graph.nodes.2.content.rules.0.when",
    ),
    "unreadable": (
        lambda c: row(c, "rules", "payee_listed").update(when="score > and"),
        "graph.nodes.2.content.rules.0.when",
    ),
    "the clock": (
        lambda c: row(c, "rules", "payee_listed").update(when='d("now") > 1'),
        "graph.nodes.2.content.rules.0.when",
    ),
    "a made-up range": (
        lambda c: row(c, "rules", "payee_listed").update(when="len([1..1000000000]) > 1"),
        "graph.nodes.2.content.rules.0.when",
    ),
    "too deep": (
        lambda c: row(c, "rules", "payee_listed").update(when="(" * 30 + "true" + ")" * 30),
        "graph.nodes.2.content.rules.0.when",
    ),
    "too long": (
        lambda c: row(c, "rules", "payee_listed").update(when="true or " * 80 + "true"),
        "graph.nodes.2.content.rules.0.when",
    ),
    "no condition": (
        lambda c: row(c, "rules", "payee_listed").update(when=" "),
        "graph.nodes.2.content.rules.0.when",
    ),
    "unknown outcome": (
        lambda c: row(c, "rules", "payee_listed").update(outcome='"approve"'),
        "graph.nodes.2.content.rules.0.outcome",
    ),
    "unknown reason": (
        lambda c: row(c, "rules", "payee_listed").update(reason='"because"'),
        "graph.nodes.2.content.rules.0.reason",
    ),
    "an id twice": (
        lambda c: row(c, "rules", "payee_listed").update(_id="payment_burst"),
        "graph.nodes.2.content.rules.5._id",
    ),
    "a threshold without a value": (
        lambda c: node(c, "thresholds")["expressions"][0].update(value="lots"),
        "graph.nodes.1.content.expressions.0.value",
    ),
    "javascript": (
        lambda c: c["nodes"][1].update(type="functionNode"),
        "graph.nodes.1",
    ),
    "first row only": (
        lambda c: node(c, "rules").update(hitPolicy="first"),
        "graph.nodes.2.content",
    ),
    "a price": (
        lambda c: node(c, "rules").update(outputs=[{"id": "o", "field": "price_bps"}]),
        "graph.nodes.2.content.outputs",
    ),
    "an edge to nowhere": (
        lambda c: c["edges"][0].update(targetId="nobody"),
        "graph.edges.0.targetId",
    ),
    "in a circle": (
        lambda c: c["edges"].append({"id": "x", "sourceId": "rules", "targetId": "thresholds"}),
        "graph.edges",
    ),
    "a node aside": (lambda c: c["edges"].pop(), "graph.nodes.0"),
    "nothing": (lambda c: c.clear(), "graph.nodes"),
}


class TestGraph:
    @pytest.mark.parametrize("name", WRONG)
    def test_that_is_wrong_is_refused_by_its_field(self, name: str):
        change, field = WRONG[name]
        with pytest.raises(PolicyRefused) as refused:
            program(changed("payment", change))
        assert refused.value.field == field

    def test_may_have_two_hundred_rows_and_no_more(self):
        content = graph("payment")
        first = node(content, "rules")["rules"][0]
        for rows in (200, 201):
            node(content, "rules")["rules"] = [first | {"_id": f"r{i}"} for i in range(rows)]
            if rows <= 200:
                ruling = program(content).ruling(facts(lists={"payee": "black"}))
                assert len(ruling.trace) == rows
            else:
                with pytest.raises(PolicyRefused):
                    program(content)

    def test_is_plain_json_that_names_only_what_it_reads(self):
        policy = seeds.seed_program("loan")
        assert policy.needs == {"bureau"}
        assert json.loads(json.dumps(policy.selected(facts("loan")))) == {
            "score": 0.01,
            "application": {
                "age": 34,
                "monthly_debt_minor": 100_000,
                "monthly_income_minor": 1_000_000,
                "requested_minor": 2_000_000,
            },
            "lists": {"customer": None, "device": None},
            "ring": {"fraud_distance": None},
            "sources": {"bureau": {"overdue_90d": 0}},
        }


class TestTrials:
    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"cases": []}, "tests.cases"),
            ({"given": {"features": {"nobody": 1}}}, "tests.given.features.nobody"),
            ({"given": {"score": [1]}}, "tests.given.score"),
            ({"given": {"score": float("nan")}}, "tests.given.score"),
            ({"given": {"degraded": "x"}}, "tests.given.degraded"),
            ({"cases": [{"name": "x", "expect": {"outcome": "maybe"}}]}, None),
        ],
    )
    def test_with_a_wrong_field_are_refused_by_its_name(self, change: Any, field: str | None):
        policy, tests = seeds.seed_program("payment"), seeds.seed("payment").tests
        with pytest.raises(PolicyRefused) as refused:
            trials.trials_of(tests | change, program=policy)
        assert refused.value.field == (field or "tests.cases.0.expect.outcome")

    def test_fail_where_the_plain_engine_would_rule_otherwise(self):
        content = graph("loan")
        # the price is asked beside the grade, not after it
        for edge in content["edges"]:
            if edge["targetId"] == "price_bps":
                edge["sourceId"] = "thresholds"
        policy = program(content, "loan")
        cases = trials.trials_of(seeds.seed("loan").tests, program=policy)
        assert trials.run(policy, cases).passed
        report = trials.run(policy, cases, content=content)
        assert "zen-engine" in report.complaint()
