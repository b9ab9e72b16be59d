"""When an alarm opens, gets worse and closes; and which limit counts."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from services.risk.watch.domain import (
    DEFAULT_GUARDS,
    Limit,
    Measured,
    Tally,
    limit_for,
    severity_of,
)
from services.risk.watch.guards import broken

NOW = datetime(2026, 3, 2, tzinfo=UTC)
LIMIT = Limit("decline_rate", "hour", 0.10, 0.30, 100)


def measured(value: float, *, certain: float | None = None, seen: int = 500) -> Measured:
    at_least = value if certain is None else certain
    return Measured("policy", "payment-2026.1", "payment", "decline_rate", value, at_least, seen)


class TestAlarm:
    @pytest.mark.parametrize(
        ("value", "before", "after"),
        [
            (0.09, None, None),
            (0.10, None, "warning"),
            (0.29, None, "warning"),
            (0.30, None, "critical"),
            (0.30, "warning", "critical"),
            (0.25, "critical", "critical"),
            (0.23, "critical", "warning"),
            (0.09, "warning", "warning"),
            (0.081, "critical", "warning"),
            (0.079, "warning", None),
        ],
    )
    def test_opens_at_its_limit_and_closes_well_below(self, value, before, after):
        assert severity_of(LIMIT, measured(value), before) == after

    def test_does_not_open_for_what_may_be_chance(self):
        assert severity_of(LIMIT, measured(0.2, certain=0.09), None) is None

    @pytest.mark.parametrize("before", [None, "warning", "critical"])
    def test_stays_as_it_is_where_little_is_seen(self, before):
        for value in (0.0, 0.9):
            assert severity_of(LIMIT, measured(value, seen=99), before) == before

    def test_has_no_critical_state_without_a_limit_for_it(self):
        limit = replace(LIMIT, critical=None)
        assert severity_of(limit, measured(0.99), None) == "warning"


class TestLimit:
    def test_is_the_nearest_one(self):
        own = Limit("decline_rate", "day", 0.5, None, 10, product="loan")
        common = Limit("decline_rate", "day", 0.4, None, 10)
        assert limit_for({("decline_rate", "loan"): own}, "decline_rate", "loan") == own
        packaged = limit_for({("decline_rate", ""): common}, "decline_rate", "loan")
        assert packaged is not None
        assert packaged.product == "loan"
        assert limit_for({("decline_rate", ""): common}, "decline_rate", "payment") == common


class TestGuard:
    GUARD = replace(DEFAULT_GUARDS["payment"], least=50)

    def test_breaks_where_a_rate_is_certainly_too_high(self):
        found = broken(self.GUARD, Tally(approve=40, decline=60), None)
        assert found is not None
        assert (found.measure, found.bound) == ("decline_rate", 0.20)
        assert found.words() == "automatic: decline rate 60.0% of 100 decisions, limit 20.0%"

    def test_holds_where_that_may_be_chance(self):
        assert broken(self.GUARD, Tally(approve=39, decline=11), None) is None

    def test_says_nothing_of_few(self):
        assert broken(self.GUARD, Tally(decline=49), None) is None

    def test_compares_with_the_version_before(self):
        """Of loans much is declined: what matters is that it is no more than it was."""
        before = Tally(approve=400, decline=600)
        assert broken(self.GUARD, Tally(approve=35, decline=65), before) is None
        found = broken(self.GUARD, Tally(approve=5, decline=95), before)
        assert found is not None
        assert found.bound == pytest.approx(0.75)

    def test_breaks_for_rules_that_fail_and_for_reviews(self):
        failing = broken(self.GUARD, Tally(approve=100, failed=20), None)
        assert failing is not None
        assert failing.measure == "failed_share"
        reviewing = broken(self.GUARD, Tally(approve=20, review=80), None)
        assert reviewing is not None
        assert reviewing.measure == "review_rate"
