"""What a policy's graph and its tests may be, and how each fault is named."""

import json
from typing import Any

import pytest

from services.risk.policies import seeds, trials
from services.risk.policies.domain import PRODUCTS, PolicyRefused, Product
from services.risk.policies.facts import SOURCE_FACTS
from tests.risk.policies.graphs import facts, graph, node, program, row


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
        "graph.nodes.2.content.rules.10._id",
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
        assert policy.needs == {"bureau", "consumption", "court", "tax", "telecom"}
        assert json.loads(json.dumps(policy.selected(facts("loan")))) == {
            "score": 0.01,
            "application": {
                "age": 34,
                "customer_count_30d": 1,
                "device_customers_30d": 1,
                "monthly_debt_minor": 100_000,
                "monthly_income_minor": 1_000_000,
                "requested_minor": 2_000_000,
            },
            "lists": {"customer": None, "device": None},
            "ring": {"fraud_distance": None},
            "sources": {
                "bureau": {
                    "monthly_repayments_minor": 50_000,
                    "overdue_90d": 0,
                    "queries_3m": 1,
                },
                "consumption": {"monthly_spending_minor": 400_000},
                "court": {"dishonest": False, "open_enforcements": 0},
                "tax": {"monthly_income_minor": 1_000_000},
                "telecom": {"months_on_network": 60, "name_matches": True},
            },
        }

    def test_reads_of_a_source_what_that_answers_and_nothing_else(self):
        content = graph("loan")
        row(content, "rules", "court_dishonest")["when"] = "sources.court.dishonnest == true"
        with pytest.raises(PolicyRefused):
            program(content, "loan")

    def test_of_the_release_read_every_answer_that_is_kept(self):
        # what no policy reads is personal data kept for nothing
        read = {name for one in PRODUCTS for name in seeds.seed_program(one).graph.reads}
        assert read & set(SOURCE_FACTS) == set(SOURCE_FACTS)


class TestTrials:
    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"cases": []}, "tests.cases"),
            ({"given": {"features": {"nobody": 1}}}, "tests.given.features.nobody"),
            ({"given": {"score": [1]}}, "tests.given.score"),
            ({"given": {"score": float("nan")}}, "tests.given.score"),
            ({"given": {"degraded": "x"}}, "tests.given.degraded"),
            ({"given": {"value_minor": "=nothing"}}, "tests.given.value_minor"),
            ({"given": {"value_minor": "=ceiling_minor * 2"}}, "tests.given.value_minor"),
            ({"given": {"ring": {"size": "=score_review_from"}}}, "tests.given.ring.size"),
            ({"given": {"lists": {"payee": "="}}}, "tests.given.lists.payee"),
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
