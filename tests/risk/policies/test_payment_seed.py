"""The payment policy of the release: each rule at its limit, and held to a plain reference."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.risk.domain import Outcome
from services.risk.policies import seeds, trials
from services.risk.policies.facts import hour_of
from services.risk.policies.graphs import with_thresholds
from services.risk.policies.programs import Program
from services.risk.policies.reasons import NEVER_APPROVED, REASONS
from services.risk.training.applications.fitting import CREDIT_REASONS

PROGRAM = seeds.seed_program("payment")
HOUR_MS = 3_600_000
#: In the bank's own time, UTC+8.
MIDNIGHT_MS = 1_767_196_800_000
REVIEW, DECLINE = Outcome.REVIEW, Outcome.DECLINE


def reference(facts: dict[str, Any]) -> tuple[Outcome, list[str], list[str]]:
    """The rules for payments written out once more, in Python, with their limits in fen: the
    outcome, the rows that fire, and the reasons.
    """
    value, score, features = facts["value_minor"], facts["score"], facts["features"]
    review_from, decline_from = facts["model"]["review_from"], facts["model"]["decline_from"]
    lists, ring = facts["lists"], facts["ring"]
    size, distance = ring["size"] or 0, ring["fraud_distance"]

    def at_least(limit: int) -> bool:
        return value is not None and value >= limit

    is_night = facts["hour"] >= 23 or facts["hour"] < 6
    is_degraded = score is None or bool(facts["degraded"])
    trusted = lists["customer"] == "white"
    night = features["payee_new"] > 0 and at_least(2_000_000) and is_night
    crowd = size >= 6 and (value is None or value >= 50_000)
    is_young = features["payee_age_s"] < 7 * 86_400
    collects = features["payee_fan_in_24h"] >= 5 and is_young and at_least(100_000)
    spreads = features["customer_payees_24h"] >= 8 and at_least(100_000)
    splits = features["customer_sum_minor_24h"] >= 20_000_000
    splits = splits and value is not None and value < 20_000_000
    device_age, payers = features["device_age_s"], features["device_customers_24h"]
    crowded = payers is not None and payers >= 5
    moved = device_age is not None and device_age < 3_600 and features["customer_devices_7d"] >= 2
    moved = moved and features["payee_new"] > 0 and at_least(500_000)
    listed, watched, ringed = "party_listed", "party_watched", "ring_suspected"
    findings = [
        ("payee_listed", "", DECLINE, lists["payee"] == "black"),
        ("customer_listed", listed, DECLINE, "black" in (lists["customer"], lists["account"])),
        ("device_listed", listed, DECLINE, lists["device"] == "black"),
        ("merchant_listed", listed, DECLINE, lists["merchant"] == "black"),
        ("address_listed", watched, REVIEW, lists["ip"] == "black"),
        ("party_watched", "", REVIEW, "grey" in lists.values()),
        ("currency_unrated", "", REVIEW, value is None),
        ("amount_over_ceiling", "", REVIEW, at_least(20_000_000)),
        ("amount_unscored", "", REVIEW, is_degraded and at_least(5_000_000)),
        ("night_new_payee", "", REVIEW, night and lists["payee"] != "white"),
        ("payment_burst", "", REVIEW, features["customer_count_10m"] >= 20 and not trusted),
        ("small_then_large", "", REVIEW, features["customer_small_1h"] >= 3 and at_least(100_000)),
        ("payee_collects", "", REVIEW, collects and lists["payee"] != "white"),
        ("payees_many", "", REVIEW, spreads and not trusted),
        ("amount_split", "", REVIEW, splits and not trusted),
        ("device_crowded", "", REVIEW, crowded and lists["device"] != "white"),
        ("device_new", "", REVIEW, moved and not trusted),
        ("ring_near_fraud", ringed, REVIEW, distance is not None and distance <= 2),
        ("ring_crowded", ringed, REVIEW, crowd and not trusted),
    ]
    if score is not None and score >= decline_from:
        findings.append(("model_score_high", "", DECLINE, True))
    elif score is not None and score >= review_from:
        findings.append(("model_score_elevated", "", REVIEW, True))
    found = [(row, reason or row, outcome) for row, reason, outcome, holds in findings if holds]
    worst = max((outcome for _, _, outcome in found), default=Outcome.APPROVE)
    reasons = dict.fromkeys(reason for _, reason, _ in found)
    return worst, [row for row, _, _ in found], list(reasons)


def near(*limits: int, least: int = 0) -> st.SearchStrategy[int]:
    """Numbers around the limits, where rules are right or wrong."""
    around = [limit + off for limit in limits for off in (-1, 0, 1) if limit + off >= least]
    return st.sampled_from(around) | st.integers(least, 10**16)


#: A model gives 32-bit scores; its thresholds have six decimals.
scores = st.floats(0, 1, width=32)
thresholds = st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)).map(
    lambda pair: tuple(sorted(value / 10**6 for value in pair))
)


@st.composite
def payments(draw: st.DrawFn) -> dict[str, Any]:
    review_from, decline_from = draw(thresholds)
    score = draw(
        st.none()
        | scores
        | st.sampled_from([review_from, decline_from]).map(lambda x: float(np.float32(x)))
    )
    at_ms = draw(st.integers(0, 2**42))
    return {
        "product": "payment",
        "value_minor": draw(
            st.none() | near(50_000, 100_000, 500_000, 2_000_000, 5_000_000, 20_000_000)
        ),
        "at_ms": at_ms,
        "hour": hour_of(at_ms),
        "score": score,
        "degraded": draw(
            st.lists(st.sampled_from(["windows_behind", "model_failed"]), unique=True)
        ),
        "lists": {
            role: draw(st.sampled_from([None, None, None, "black", "grey", "white"]))
            for role in ("payee", "customer", "account", "device", "ip", "merchant")
        },
        "ring": {
            "size": draw(st.none() | st.integers(1, 9)),
            "fraud_distance": draw(st.none() | st.integers(0, 6)),
        },
        "model": {
            "review_from": None if score is None else review_from,
            "decline_from": None if score is None else decline_from,
        },
        "features": {
            "payee_new": float(draw(st.booleans())),
            "customer_count_10m": float(draw(st.integers(0, 40))),
            "customer_small_1h": float(draw(st.integers(0, 6))),
            "amount_log": float("nan"),
            "payee_age_s": draw(near(7 * 86_400)),
            "payee_fan_in_24h": draw(st.integers(0, 9)),
            "customer_payees_24h": draw(st.integers(0, 12)),
            "customer_sum_minor_24h": draw(near(20_000_000)),
            "customer_devices_7d": draw(st.integers(0, 3)),
            "device_age_s": draw(st.none() | near(3_600)),
            "device_customers_24h": draw(st.none() | st.integers(0, 9)),
        },
    }


class TestPaymentPolicy:
    @given(payments())
    @settings(max_examples=400, deadline=None)
    def test_rules_as_the_reference_does(self, facts: dict[str, Any]):
        ruling = PROGRAM.ruling(facts)
        outcome, rows, codes = reference(facts)
        assert (ruling.outcome, list(ruling.reason_codes)) == (outcome, codes)
        assert ruling.degraded == ()
        assert list(ruling.trace) == rows

    @given(payments(), scores)
    @settings(max_examples=150, deadline=None)
    def test_is_never_milder_for_a_higher_score_or_a_listed_payee(
        self, facts: dict[str, Any], more: float
    ):
        base = PROGRAM.ruling(facts)
        assert PROGRAM.ruling(facts | {"lists": {"payee": "black"}}).outcome >= base.outcome
        if facts["score"] is not None:
            higher = PROGRAM.ruling(facts | {"score": max(facts["score"], more)})
            assert higher.outcome >= base.outcome

    @pytest.mark.parametrize(
        ("after_midnight_ms", "hour"),
        [(0, 0), (HOUR_MS - 1, 0), (6 * HOUR_MS, 6), (23 * HOUR_MS, 23), (24 * HOUR_MS - 1, 23)],
    )
    def test_knows_the_hour_in_the_bank_s_own_time(self, after_midnight_ms: int, hour: int):
        assert hour_of(MIDNIGHT_MS + after_midnight_ms) == hour


class TestSeeds:
    @pytest.mark.parametrize("product", ["payment", "account_opening", "loan", "card"])
    def test_pass_their_tests_here_and_in_the_plain_engine(self, product: Any):
        program, seed = seeds.seed_program(product), seeds.seed(product)
        cases = trials.trials_of(seed.tests, program=program)
        report = trials.run(program, cases, content=seed.graph)
        assert report.passed, report.complaint()
        assert len(report.cases) == len(seed.tests["cases"])
        assert program.version == "2026.1"

    @pytest.mark.parametrize("product", ["payment", "account_opening"])
    def test_stay_at_their_limits_where_an_operator_moves_one(self, product: Any):
        """A threshold is changed in the browser, where nobody can change the tests beside it."""
        seed = seeds.seed(product)
        numbers = {
            name: json.loads(text)
            for name, text in seeds.seed_program(product).graph.thresholds.items()
            if not text.startswith("model.")
        }
        assert len(numbers) > 5
        for name, number in numbers.items():
            moved = [number + 1, number - 1] if isinstance(number, int) else [number + 0.01]
            for value in moved:
                graph = with_thresholds(seed.graph, {name: value})
                program = Program(product=product, version="2026.2", graph=graph)
                report = trials.run(program, trials.trials_of(seed.tests, program=program))
                assert report.passed, f"{name} {value}: {report.complaint()}"

    def test_give_reasons_with_words_in_both_languages(self):
        used = {
            rule.reason
            for product in ("payment", "account_opening", "loan", "card")
            for rule in seeds.seed_program(product).graph.rules  # type: ignore[arg-type]
        }
        of_scores = set(CREDIT_REASONS.values())
        assert set(REASONS) == used | of_scores | {"rule_failed"} | NEVER_APPROVED
        for zh, en in REASONS.values():
            assert en.isascii()
            assert any("\u4e00" <= letter <= "\u9fff" for letter in zh)
            assert not any(letter.isdigit() for letter in zh + en), "a limit must not be told"
