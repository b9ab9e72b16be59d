"""The policy: each rule at its limit, and how rules and model make one decision."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.risk.domain import (
    REASONS,
    RULES,
    Decision,
    Facts,
    Outcome,
    Policy,
    Rule,
    ScoredBy,
    decide,
    reference_value_minor,
)
from services.risk.features import FEATURE_NAMES, HOUR_MS

POLICY = Policy()
MODEL = ScoredBy("fraud-2026.1", review_from=0.2, decline_from=0.7)
MIDNIGHT_MS = 1_767_196_800_000  # in the bank's own time, UTC+8
NOON_MS = MIDNIGHT_MS + 12 * HOUR_MS


def facts(
    value_minor: int | None = 1_250,
    *,
    at_ms: int = NOON_MS,
    listed: bool = False,
    score: float | None = 0.01,
    degraded: tuple[str, ...] = (),
    **features: float,
) -> Facts:
    calm = dict.fromkeys(FEATURE_NAMES, 0.0) | features
    return Facts(value_minor, at_ms, listed, calm, score, degraded)


def decided(found: Facts, scored_by: ScoredBy | None = MODEL) -> Decision:
    return decide(found, policy=POLICY, scored_by=scored_by)


class TestRules:
    def test_approve_a_calm_payment_without_a_reason(self) -> None:
        decision = decided(facts())
        assert decision.outcome is Outcome.APPROVE
        assert decision.reason_codes == ()
        assert (decision.policy, decision.model) == (POLICY.version, "fraud-2026.1")

    @pytest.mark.parametrize(
        ("code", "at", "below"),
        [
            (
                "amount_over_ceiling",
                facts(POLICY.ceiling_minor),
                facts(POLICY.ceiling_minor - 1),
            ),
            (
                "night_new_payee",
                facts(2_000_000, at_ms=MIDNIGHT_MS, payee_new=1),
                facts(1_999_999, at_ms=MIDNIGHT_MS, payee_new=1),
            ),
            (
                "night_new_payee",
                facts(2_000_000, at_ms=MIDNIGHT_MS + 6 * HOUR_MS - 1, payee_new=1),
                facts(2_000_000, at_ms=MIDNIGHT_MS + 6 * HOUR_MS, payee_new=1),
            ),
            (
                "night_new_payee",
                facts(2_000_000, at_ms=MIDNIGHT_MS + 23 * HOUR_MS, payee_new=1),
                facts(2_000_000, at_ms=MIDNIGHT_MS + 23 * HOUR_MS - 1, payee_new=1),
            ),
            (
                "night_new_payee",
                facts(2_000_000, at_ms=MIDNIGHT_MS, payee_new=1),
                facts(2_000_000, at_ms=MIDNIGHT_MS, payee_new=0),
            ),
            ("payment_burst", facts(customer_count_10m=20), facts(customer_count_10m=19)),
            (
                "small_then_large",
                facts(100_000, customer_small_1h=3),
                facts(100_000, customer_small_1h=2),
            ),
            (
                "small_then_large",
                facts(100_000, customer_small_1h=3),
                facts(99_999, customer_small_1h=3),
            ),
            ("currency_unrated", facts(None), facts(0)),
        ],
    )
    def test_send_to_review_at_the_limit_and_not_below(
        self, code: str, at: Facts, below: Facts
    ) -> None:
        assert decided(at).outcome is Outcome.REVIEW
        assert decided(at).reason_codes == (code,)
        assert decided(below).outcome is Outcome.APPROVE

    def test_decline_a_payee_on_the_black_list(self) -> None:
        decision = decided(facts(listed=True))
        assert decision.outcome is Outcome.DECLINE
        assert decision.reason_codes == ("payee_listed",)

    @pytest.mark.parametrize("score", [0.01, None])
    def test_lower_the_ceiling_where_something_is_missing(self, score: float | None) -> None:
        limit = POLICY.degraded_ceiling_minor
        degraded = ("windows_behind",)
        over = decided(facts(limit, score=score, degraded=degraded))
        assert over.reason_codes == ("amount_unscored",)
        assert over.degraded == degraded
        assert decided(facts(limit - 1, score=score, degraded=degraded)).reason_codes == ()
        assert decided(facts(limit)).reason_codes == ()

    def test_that_fail_send_to_review_and_leave_the_others(self) -> None:
        def broken(_: Facts, __: Policy) -> bool:
            raise ZeroDivisionError

        rules = (Rule("broken", Outcome.APPROVE, broken), *RULES)
        decision = decide(facts(listed=True), policy=POLICY, scored_by=MODEL, rules=rules)
        assert decision.outcome is Outcome.DECLINE
        assert decision.reason_codes == ("rule_failed", "payee_listed")
        assert decision.degraded == ("rule_failed.broken",)
        alone = decide(facts(), policy=POLICY, scored_by=MODEL, rules=rules)
        assert alone.outcome is Outcome.REVIEW


class TestModel:
    @pytest.mark.parametrize(
        ("score", "outcome", "codes"),
        [
            (0.19, Outcome.APPROVE, ()),
            (0.2, Outcome.REVIEW, ("model_score_elevated",)),
            (0.69, Outcome.REVIEW, ("model_score_elevated",)),
            (0.7, Outcome.DECLINE, ("model_score_high",)),
        ],
    )
    def test_decides_from_its_thresholds(
        self, score: float, outcome: Outcome, codes: tuple[str, ...]
    ) -> None:
        decision = decided(facts(score=score))
        assert (decision.outcome, decision.reason_codes) == (outcome, codes)

    def test_missing_leaves_the_rules(self) -> None:
        decision = decided(facts(score=None, customer_count_10m=50), scored_by=None)
        assert decision.outcome is Outcome.REVIEW
        assert decision.score is None
        assert decision.model is None


class TestDecision:
    @given(
        score=st.one_of(st.none(), st.floats(0, 1)),
        value=st.one_of(st.none(), st.integers(0, 10**15)),
        listed=st.booleans(),
        burst=st.integers(0, 40),
        more=st.floats(0, 1),
    )
    def test_is_never_milder_for_a_higher_score_or_a_listed_payee(
        self, score: float | None, value: int | None, listed: bool, burst: int, more: float
    ) -> None:
        base = decided(facts(value, listed=listed, score=score, customer_count_10m=burst))
        worse = decided(facts(value, listed=True, score=score, customer_count_10m=burst))
        assert worse.outcome >= base.outcome
        if score is not None:
            higher = decided(
                facts(value, listed=listed, score=max(score, more), customer_count_10m=burst)
            )
            assert higher.outcome >= base.outcome
        assert bool(base.reason_codes) == (base.outcome is not Outcome.APPROVE)

    def test_has_words_for_every_reason_in_both_languages(self) -> None:
        codes = {rule.code for rule in RULES}
        codes |= {"model_score_high", "model_score_elevated", "rule_failed"}
        assert set(REASONS) == codes
        for zh, en in REASONS.values():
            assert en.isascii()
            assert any("\u4e00" <= letter <= "\u9fff" for letter in zh)
            assert not any(letter.isdigit() for letter in zh + en), "a limit must not be told"


class TestReferenceValue:
    def test_brings_amounts_to_fen(self) -> None:
        assert reference_value_minor(12_345, "CNY") == 12_345
        assert reference_value_minor(100, "USD") == 710
        assert reference_value_minor(1_000, "JPY") == 4_700
        assert reference_value_minor(1, "CZK") == 0
        assert reference_value_minor(10**15, "EUR") == 8_200_000_000_000_000

    def test_is_missing_without_a_rate(self) -> None:
        assert reference_value_minor(100, "XXX") is None
        assert not math.isnan(reference_value_minor(0, "CNY") or 0)
