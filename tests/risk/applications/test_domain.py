"""Ages, the facts of an application, and how it stands: rules without a database."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.risk.applications.domain import (
    Applicant,
    Lately,
    Offer,
    Wish,
    age_on,
    facts_of,
    standing_of,
)
from services.risk.cases.domain import Case, opened
from services.risk.policies.facts import APPLICATION, check_facts
from shared.kit.clock import new_id

NOW = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
KNOWN = Applicant(is_known=True, born_on=date(1990, 5, 1))
ONCE = Lately(1, None, None)


class TestAge:
    @pytest.mark.parametrize(
        ("born_on", "day", "age"),
        [
            (date(2008, 3, 2), date(2026, 3, 1), 17),
            (date(2008, 3, 2), date(2026, 3, 2), 18),
            (date(2008, 2, 29), date(2026, 2, 28), 17),
            (date(2008, 2, 29), date(2026, 3, 1), 18),
            (date(2026, 3, 2), date(2026, 3, 2), 0),
            (date(2026, 3, 3), date(2026, 3, 2), None),
            (None, date(2026, 3, 2), None),
        ],
    )
    def test_counts_completed_years(self, born_on: date | None, day: date, age: int | None):
        assert age_on(born_on, day) == age

    @given(st.dates(date(1900, 1, 1), date(2026, 1, 1)), st.integers(0, 40_000))
    def test_never_falls(self, born_on: date, days: int):
        day = born_on + timedelta(days=days)
        ages = age_on(born_on, day), age_on(born_on, day + timedelta(days=1))
        assert ages[1] - ages[0] in {0, 1}  # type: ignore[operator]
        assert 365.25 * ages[0] - 1 <= days < 365.25 * (ages[0] + 1) + 1  # type: ignore[operator]


class TestFacts:
    @pytest.mark.parametrize("product", ["account_opening", "loan", "card"])
    def test_are_those_that_a_policy_may_read_and_no_others(self, product: Any):
        found = facts_of(product, wish=Wish(), applicant=KNOWN, lately=ONCE, day=NOW.date())
        assert set(found) == APPLICATION[product]
        check_facts({"application": found}, product=product, field="facts")

    @pytest.mark.parametrize(
        ("told", "known", "proven"),
        [(None, True, True), (None, False, False), (False, True, False), (True, False, True)],
    )
    def test_hold_the_channels_word_on_identity_above_all(
        self, told: bool | None, known: bool, proven: bool
    ):
        found = facts_of(
            "loan",
            wish=Wish(identity_proven=told),
            applicant=Applicant(is_known=known, born_on=None),
            lately=ONCE,
            day=NOW.date(),
        )
        assert found["identity_proven"] is proven


def offer(outcome: str) -> Offer:
    declined = outcome == "decline"
    return Offer(outcome, None if declined else 100, None if declined else 435, None, NOW)


def case(kind: Any = "review", **changes: Any) -> Case:
    made = opened(
        decision_id=new_id(),
        kind=kind,
        product="loan",
        customer_id="c-1",
        reason_codes=(),
        value_minor=100,
        now=NOW,
    )
    return replace(made, **changes)


def ended(kind: Any, outcome: Any) -> Case:
    granted = {"granted_minor": 50, "granted_price_bps": 900} if outcome == "approved" else {}
    return case(kind, state="closed", outcome=outcome, closed_at=NOW, **granted)


class TestStanding:
    @pytest.mark.parametrize(
        ("outcome", "review", "appeal", "state", "decided_by", "limit_minor"),
        [
            (None, None, None, "received", None, None),
            ("approve", None, None, "approved", "machine", 100),
            ("decline", None, None, "declined", "machine", None),
            # its case is stored with the decision, and read a moment later
            ("review", None, None, "in_review", None, None),
            ("review", case(), None, "in_review", None, None),
            ("review", ended("review", "approved"), None, "approved", "person", 50),
            ("review", ended("review", "declined"), None, "declined", "person", None),
            ("review", ended("review", "declined"), case("appeal"), "in_review", None, None),
            ("decline", None, case("appeal"), "in_review", None, None),
            ("decline", None, ended("appeal", "approved"), "approved", "person", 50),
            ("decline", None, ended("appeal", "declined"), "declined", "person", None),
        ],
    )
    def test_is_the_last_word_that_was_said(
        self,
        outcome: str | None,
        review: Case | None,
        appeal: Case | None,
        state: str,
        decided_by: str | None,
        limit_minor: int | None,
    ):
        made = None if outcome is None else offer(outcome)
        found = standing_of(made, review, appeal)
        assert (found.state, found.decided_by, found.limit_minor) == (
            state,
            decided_by,
            limit_minor,
        )
