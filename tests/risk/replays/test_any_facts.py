"""Whatever a policy is told, the record of it rules the same: through JSON, as it is kept."""

import json
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.risk import scoring
from services.risk.features import FEATURE_NAMES
from services.risk.policies.active import FALLBACK
from services.risk.policies.domain import PRODUCTS, Product
from services.risk.policies.facts import APPLICATION
from services.risk.policies.seeds import seed, seed_program
from services.risk.replays.domain import facts_of, features_of, ruled_otherwise, scored_otherwise
from services.risk.replays.service import Tally, again
from services.risk.repository import StoredDecision
from shared.kit.clock import new_id

NOW = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
amounts = st.none() | st.integers(0, 10**15)
ratios = st.none() | st.floats(0, 1)
numbers = st.floats(-1e9, 1e9) | st.just(math.nan)


@st.composite
def requests(
    draw: st.DrawFn, only: Product | None = None
) -> tuple[Product, dict[str, Any], dict[str, float], float | None]:
    """A product, and facts, features and a score that a decision on it could have seen."""
    product = only or cast("Product", draw(st.sampled_from(PRODUCTS)))
    given = cast("dict[str, Any]", seed(product).tests["given"])
    listed = st.none() | st.sampled_from(["black", "grey", "white"])
    facts = given | {
        "value_minor": draw(amounts),
        "at_ms": draw(st.integers(0, 2**41)),
        "hour": draw(st.integers(0, 23)),
        "degraded": draw(st.lists(st.sampled_from(["windows_behind", "model_failed"]), max_size=2)),
        "lists": {name: draw(listed) for name in ("payee", "customer", "device", "phone")},
        "ring": {"size": draw(st.integers(1, 50)), "fraud_distance": draw(st.none() | st.just(2))},
        "model": {"review_from": draw(ratios), "decline_from": draw(ratios)},
        "application": {
            name: draw(ratios if name == "face_match" else amounts)
            for name in sorted(APPLICATION[product])
        },
    }
    if draw(st.booleans()):
        facts["sources"] = None
    facts = {name: it for name, it in facts.items() if name not in {"product", "score", "features"}}
    features = {name: draw(numbers) for name in draw(st.sets(st.sampled_from(FEATURE_NAMES)))}
    return product, facts, features, draw(ratios)


def kept(
    product: Product, facts: dict[str, Any], features: dict[str, float], score: float | None
) -> StoredDecision:
    """The decision as the database gives it back."""
    program = seed_program(product)
    ruling = program.ruling(facts | {"product": product, "score": score, "features": features})
    plain = {name: None if math.isnan(it) else it for name, it in features.items()}
    return StoredDecision(
        decision_id=new_id(),
        customer_id="c-1",
        product=product,
        body_hash=b"",
        outcome=ruling.outcome.word,
        score=score,
        reason_codes=list(ruling.reason_codes),
        policy=ruling.policy,
        policy_sha256=program.sha256,
        model=None,
        model_sha256=None,
        degraded=[*facts["degraded"], *ruling.degraded, FALLBACK],
        features=json.loads(json.dumps(plain, allow_nan=False)),
        facts=json.loads(json.dumps(facts, allow_nan=False)),
        trace=list(ruling.trace),
        grade=ruling.grade,
        limit_minor=ruling.limit_minor,
        price_bps=ruling.price_bps,
        step_up=ruling.step_up,
        elapsed_us=1,
        windows_age_ms=0,
        decided_at=NOW,
    )


class TestReplay:
    @given(requests())
    @settings(max_examples=150, deadline=None)
    def test_rules_as_at_the_time_whatever_the_facts(self, request: Any):
        made = kept(*request)
        program = seed_program(made.product)  # type: ignore[arg-type]
        assert ruled_otherwise(made, program.ruling(facts_of(made))) == []
        tally = Tally()
        again(tally, made, program=program, score=made.score)
        assert (tally.seen, tally.equal, tally.differences) == (1, 1, [])

    @given(requests())
    @settings(max_examples=50, deadline=None)
    def test_gives_the_model_what_it_saw(self, request: Any):
        _, _, features, _ = request
        found = features_of(kept(*request))
        assert set(found) == set(features)
        assert all(
            math.isnan(found[name]) if math.isnan(value) else found[name] == value
            for name, value in features.items()
        )

    @given(st.floats(0, 1), st.floats(allow_nan=True))
    def test_holds_a_score_for_equal_within_a_millionth(self, score: float, other: float):
        request = ("payment", {"degraded": []}, {}, score)
        made = kept(*request)  # type: ignore[arg-type]
        assert bool(scored_otherwise(made, other)) is not (abs(other - score) <= 1e-6)

    @given(st.sampled_from(["loan", "card"]), st.data())
    def test_price_is_that_of_the_grade_and_of_nothing_else(
        self, product: Any, data: st.DataObject
    ):
        program = seed_program(product)
        _, facts, features, score = data.draw(requests(product))
        made = kept(product, facts, features, score)
        if made.outcome != "decline":
            assert made.price_bps == program.price_of(made.grade)
        assert program.price_of(made.grade) is not None


class TestScores:
    def test_of_many_at_once_are_those_of_one_by_one(self):
        model = scoring.load(Path(scoring.__file__).parent / "artifacts")
        wild = (0.0, 1.0, -1e12, 1e12, math.nan, math.inf, 12.5)
        many = [
            {name: wild[(i * 7 + j) % len(wild)] for j, name in enumerate(FEATURE_NAMES)}
            for i in range(50)
        ]
        many.append({})
        together = model.scores_of(many)
        alone = [model.scored(features).score for features in many]
        assert together == pytest.approx(alone, abs=1e-6)
