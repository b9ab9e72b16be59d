"""Totals, habits, tags and segments, as pure rules."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.profiles import domain
from services.profiles.data import load_rules
from services.profiles.domain import Facts, Flow, PayeeHabit

RULES = load_rules().profile
TODAY = date(2026, 7, 20)


def flow(
    month: int,
    kind: str = "payment",
    *,
    came: int = 0,
    went: int = 0,
    currency: str = "CNY",
    year: int = 2026,
) -> Flow:
    return Flow(date(year, month, 1), kind, currency, came, went, int(came > 0), int(went > 0))


flows = st.builds(
    Flow,
    month=st.dates(date(2025, 1, 1), TODAY).map(lambda day: day.replace(day=1)),
    kind=st.sampled_from(["salary", "payment", "card"]),
    currency=st.sampled_from(["CNY", "USD"]),
    in_minor=st.integers(0, 10**9),
    out_minor=st.integers(0, 10**9),
    in_count=st.integers(0, 5),
    out_count=st.integers(0, 5),
)
SALARIES = [flow(month, "salary", came=800_000) for month in (5, 6, 7)]


def tags(facts: Facts, today: date = TODAY) -> list[str]:
    return domain.tags(RULES.tags, facts, today=today)


def with_flows(*given_flows: Flow) -> Facts:
    return Facts("c-1", flows=given_flows)


class TestTotals:
    @given(st.lists(flows, max_size=20))
    def test_by_month_kind_and_currency_say_the_same(self, given_flows: list[Flow]) -> None:
        for currency, total in domain.totals_by_currency(given_flows).items():
            months = domain.totals_by_month(given_flows)
            kinds = domain.totals_by_kind(given_flows)
            for parts in (
                [s for (_, c), s in months.items() if c == currency],
                [s for (_, c), s in kinds.items() if c == currency],
            ):
                assert sum(s.in_minor for s in parts) == total.in_minor
                assert sum(s.out_minor for s in parts) == total.out_minor
                assert sum(s.transfers for s in parts) == total.transfers

    def test_never_add_up_two_currencies(self) -> None:
        found = domain.totals_by_currency([flow(1, came=5), flow(1, came=7, currency="USD")])
        assert {c: s.in_minor for c, s in found.items()} == {"CNY": 5, "USD": 7}

    @given(st.lists(flows, max_size=20), st.randoms())
    def test_are_the_same_in_any_order_of_accounts(self, given_flows: list[Flow], rng) -> None:
        shuffled = list(given_flows)
        rng.shuffle(shuffled)
        assert domain.merged(given_flows) == domain.merged(shuffled)


class TestHabits:
    PAYEES = (
        PayeeHabit("rare", "CNY", payments=1, amount_minor=900_000),
        PayeeHabit("often", "CNY", payments=9, amount_minor=90),
        PayeeHabit("abroad", "USD", payments=3, amount_minor=10**9),
    )

    def test_name_the_payee_paid_most_often_first(self) -> None:
        ranked = domain.favorite_payees(self.PAYEES, limit=2)
        assert [payee.account_id for payee in ranked] == ["often", "abroad"]

    def test_take_the_mean_in_the_currency_paid_in_most(self) -> None:
        assert domain.mean_payment_minor(self.PAYEES) == 900_090 // 10
        assert domain.mean_payment_minor(()) is None

    def test_name_the_busiest_hour_the_earlier_of_equals(self) -> None:
        assert domain.busiest_hour([(20, 4), (9, 4), (3, 1)]) == 9
        assert domain.busiest_hour([]) is None


class TestTags:
    def test_salary_earner_needs_income_in_each_of_three_months(self) -> None:
        assert "salary_earner" in tags(with_flows(*SALARIES))
        assert "salary_earner" not in tags(with_flows(*SALARIES[1:]))
        assert "salary_earner" not in tags(with_flows(*SALARIES[:1], flow(6), *SALARIES[2:]))

    def test_salary_earner_counts_months_across_a_new_year(self) -> None:
        months = [flow(12, "salary", came=800_000, year=2025)]
        months += [flow(month, "salary", came=800_000) for month in (1, 2)]
        assert "salary_earner" in tags(with_flows(*months))

    def test_salary_earner_ignores_other_kinds_of_income(self) -> None:
        other = [flow(month, "payment", came=800_000) for month in (5, 6, 7)]
        assert "salary_earner" not in tags(with_flows(*other))

    @pytest.mark.parametrize(("went", "saves"), [(640_000, True), (640_001, False)])
    def test_saver_keeps_a_fifth_of_the_income(self, went: int, saves: bool) -> None:
        facts = with_flows(flow(7, "salary", came=800_000), flow(7, went=went))
        assert ("saver" in tags(facts)) is saves

    def test_saver_looks_at_the_latest_active_months_alone(self) -> None:
        spent = [flow(month, came=100, went=100) for month in (5, 6, 7)]
        assert "saver" not in tags(with_flows(flow(1, came=10**9), *spent))

    def test_salary_earner_stays_one_before_the_running_months_salary(self) -> None:
        assert "salary_earner" in tags(with_flows(*SALARIES, flow(8, went=100)))
        assert "salary_earner" not in tags(
            with_flows(*SALARIES, flow(8, went=100), flow(9, went=100))
        )

    def test_frequent_payer_stays_one_when_a_month_has_only_begun(self) -> None:
        debits = Flow(date(2026, 6, 1), "payment", "CNY", 0, 100, 0, 10)
        assert "frequent_payer" in tags(with_flows(debits, flow(7, went=1)))
        assert "frequent_payer" not in tags(with_flows(debits, flow(7, went=1), flow(8, went=1)))

    @pytest.mark.parametrize(("count", "frequent"), [(10, True), (9, False)])
    def test_frequent_payer_counts_debits_of_the_latest_month(
        self, count: int, frequent: bool
    ) -> None:
        debits = Flow(date(2026, 7, 1), "payment", "CNY", 0, 100, 0, count)
        assert ("frequent_payer" in tags(with_flows(debits))) is frequent

    @pytest.mark.parametrize(("days", "new"), [(0, True), (90, True), (91, False), (-1, False)])
    def test_new_customer_lasts_90_days(self, days: int, new: bool) -> None:
        facts = Facts("c-1", registered_on=TODAY - timedelta(days=days))
        assert ("new_customer" in tags(facts)) is new

    def test_risk_graded_ends_with_the_grade(self) -> None:
        facts = Facts("c-1", assessment=domain.Assessment("C3", date(2026, 7, 21)))
        assert "risk_graded" in tags(facts)
        assert "risk_graded" not in tags(facts, date(2026, 7, 21))

    def test_are_none_for_a_customer_without_facts(self) -> None:
        assert tags(Facts("c-1")) == []


class TestSegments:
    def test_need_every_tag_and_none_of_the_others(self) -> None:
        assert domain.segments(RULES.segments, ["salary_earner", "saver"]) == ["steady_saver"]
        assert domain.segments(RULES.segments, ["saver"]) == []
        everything = ["salary_earner", "saver", "new_customer"]
        assert domain.segments(RULES.segments, everything) == []

    def test_are_refused_with_a_tag_that_does_not_exist(self) -> None:
        name = RULES.segments[0].name
        with pytest.raises(domain.InvalidRules, match="lucky"):
            domain.SegmentRule("lucky_ones", name, all_tags=("lucky",), no_tags=())
