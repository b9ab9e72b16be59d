"""The standard's values: amounts, days and pages, whatever comes."""

import itertools
from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.open_banking import domain, views
from gateway.open_banking.domain import Days

CURRENCIES = st.sampled_from(["CNY", "JPY", "USD", "XXX"])
DAYS = st.dates(date(1990, 1, 1), date(2100, 1, 1))


class TestAmounts:
    @given(minor=st.integers(1, 10**12), currency=CURRENCIES)
    def test_come_back_as_they_went(self, minor: int, currency: str):
        said = domain.decimal_of(minor, currency)
        assert domain.minor_of(said, currency, field="f") == minor
        assert domain.decimal_of(-minor, currency) == said

    @pytest.mark.parametrize("wrong", ["1.001", "0", "0.00", "-1", "1e3", "", "1.", "9" * 14, "١"])
    def test_that_cannot_be_are_refused(self, wrong: str):
        with pytest.raises(domain.AmountRefused):
            domain.minor_of(wrong, "CNY", field="f")

    def test_may_have_noughts_that_say_nothing(self):
        assert domain.minor_of("1.20000", "CNY", field="f") == 120


class TestDays:
    @given(booked=DAYS, first=st.datetimes(), last=st.datetimes())
    def test_hold_an_entry_if_its_beginning_lies_between(
        self, booked: date, first: datetime, last: datetime
    ):
        days = domain.days_between(first, last)
        begins = datetime.combine(booked, time())
        assert (days.first <= booked <= days.last) == (first <= begins <= last)

    @given(opened=DAYS, today=DAYS)
    def test_of_statements_are_whole_months_without_gap(self, opened: date, today: date):
        months = domain.statement_months(opened, today=today)
        for younger, older in itertools.pairwise(months):
            assert older.last + timedelta(days=1) == younger.first
        for month in months:
            assert month.last < today
            assert month.last >= opened
            assert domain.month_days(f"{month.first:%Y-%m}") == month

    def test_of_what_is_no_month_are_none(self):
        for wrong in ("2026-13", "0000-01", "9999-12", "2026-1", "2026-01 ", "x"):
            assert domain.month_days(wrong) is None

    def test_are_empty_where_the_period_ends_before_it_begins(self):
        late = Days(date(2026, 2, 1), date(2026, 3, 1))
        assert late.within(Days(last=date(2026, 1, 1))).is_empty


class TestPages:
    @given(total=st.integers(0, 1_000), size=st.integers(1, 100))
    def test_lead_through_the_whole_list_once(self, total: int, size: int):
        page, seen = 1, []
        while True:
            links, meta = views.page_links("https://x/y", {}, page=page, total=total, size=size)
            seen += range((page - 1) * size, min(page * size, total))
            if links.Next is None:
                break
            page = int(links.Next.rpartition("=")[2])
        assert seen == list(range(total))
        assert links.Self == links.Last
        assert meta.TotalPages == page


class TestTimes:
    def test_are_whole_seconds_of_a_sensible_century(self):
        moment = datetime(2026, 1, 2, 3, 4, 5, 678, UTC)
        assert domain.written(domain.sensible(moment)) == "2026-01-02T03:04:05+00:00"
        for wrong in (datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)):
            with pytest.raises(ValueError, match="years"):
                domain.sensible(wrong)
