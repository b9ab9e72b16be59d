"""Plain conditions: what Python says of them is what the engine says, or nothing."""

import math
from typing import Any

import pytest
import zen
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.risk.policies import seeds
from services.risk.policies.conditions import Undecided, plain
from services.risk.policies.expressions import expression
from services.risk.policies.facts import Selection, is_fact
from tests.risk.policies.graphs import facts as payment_facts

NUMBERS = ("value_minor", "features.payee_age_s", "features.device_age_s", "score")
WORDS = ("lists.payee", "lists.customer")
LIMITS = (0, 1, 3, 0.2, 604_800, 20_000_000)

numbers = st.sampled_from(NUMBERS)
literals = st.sampled_from(LIMITS).map(str)
quoted = st.sampled_from(['"black"', '"grey"', '"white"'])
compared = st.builds(
    "{} {} {}".format, numbers, st.sampled_from(["<", "<=", ">", ">="]), literals | numbers
)
worded = st.builds("{} {} {}".format, st.sampled_from(WORDS), st.sampled_from(["==", "!="]), quoted)
missing = st.builds(
    "{} {} null".format, st.sampled_from(NUMBERS + WORDS), st.sampled_from(["==", "!="])
)
among = st.builds("{} in [{}, lists.customer]".format, quoted, st.sampled_from(WORDS))
counted = st.just("len(degraded) > 0")


def joined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    many = st.lists(inner, min_size=2, max_size=4)
    return many.map(lambda it: f"({' and '.join(it)})") | many.map(
        lambda it: f"({' or '.join(it)})"
    )


conditions = st.recursive(compared | worded | missing | among | counted, joined, max_leaves=6)

plain_values = st.none() | st.sampled_from(LIMITS).map(float) | st.integers(-5, 10**9)
strange = st.sampled_from(
    [math.nan, math.inf, -math.inf, 1e300, True, "black", [1], {"a": 1}, 10**30, -(10**18)]
)
values = plain_values | strange


@st.composite
def all_facts(draw: st.DrawFn) -> dict[str, Any]:
    found: dict[str, Any] = {
        "value_minor": draw(values),
        "score": draw(st.none() | st.floats(0, 1, width=32) | values),
        "degraded": draw(st.lists(st.just("windows_behind"), max_size=2) | st.just("x")),
        "features": {
            name: draw(values)
            for name in ("payee_age_s", "device_age_s")
            if draw(st.integers(0, 9)) > 0
        },
        "lists": {
            name: draw(st.none() | st.sampled_from(["black", "grey", "white"]) | values)
            for name in ("payee", "customer")
        },
    }
    return found


def by_engine(texts: list[str], facts: dict[str, Any]) -> list[bool | None]:
    """What the engine says to each alone; None where it can not."""
    said: list[bool | None] = []
    for text in texts:
        reads = expression(
            text, field="when", thresholds={}, is_fact=lambda name: is_fact(name, product="payment")
        ).reads
        try:
            found = zen.evaluate_expression(f"(({text}) and true)", Selection(reads).of(facts))
        except Exception:
            found = None
        said.append(found if isinstance(found, bool) else None)
    return said


class TestConditions:
    @given(st.lists(conditions, min_size=1, max_size=4), all_facts())
    @example(["value_minor >= 1"], {"value_minor": math.nan})
    @example(["value_minor >= 0"], {"value_minor": True})
    @example(["value_minor == null"], {"value_minor": math.nan})
    @settings(max_examples=200, deadline=None)
    def test_say_what_the_engine_says_or_nothing(self, texts: list[str], facts: dict[str, Any]):
        holds = plain(texts)
        assert holds is not None, texts
        try:
            found: list[bool] | None = holds(facts)
        except Exception:  # the engine is asked
            found = None
        if found is not None:
            assert found == by_engine(texts, facts)

    def test_of_the_release_decide_payments_without_the_engine(self):
        rules = seeds.seed_program("payment").graph.rules
        holds = plain([rule.when.text for rule in rules])
        assert holds is not None
        assert holds(payment_facts()) == [False] * len(rules)

    @pytest.mark.parametrize("value", ["7", True, 1e18, -math.inf, [7]])
    def test_leave_a_strange_number_to_the_engine(self, value: object):
        holds = plain(["value_minor >= 5"])
        assert holds is not None
        with pytest.raises(Undecided):
            holds({"value_minor": value})

    @pytest.mark.parametrize(
        "text",
        [
            "value_minor + 1 > 5",
            "abs(value_minor) > 5",
            "not (value_minor > 5)",
            "value_minor > 5 and score > 0.5 or score > 0.9",
            "value_minor > 5 ? true : false",
            "value_minor == 5",
            "value_minor > -5",
            "sources.bureau.overdue_90d > 1",
            "application.identity_proven",
            "1 < value_minor < 5",
        ],
    )
    def test_of_another_kind_are_the_engine_s(self, text: str):
        assert plain([text]) is None
