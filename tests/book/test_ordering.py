"""The order within a day, found from the recorded balances."""

import random
from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.book.day_order import Move, day_ways
from deploy.book.ordering import order_account
from deploy.book.records import Entry, Kind, Origin

DAY = date(2026, 1, 5)


def entry(number: int, day: date, amount: int, after: int | None) -> Entry:
    return Entry(
        id=f"{number}",
        account="1",
        booking_date=day,
        value_date=day,
        amount_minor=amount,
        currency="CZK",
        kind=Kind.CARD,
        purpose="",
        counterparty_bank="",
        counterparty_account="",
        balance_after_minor=after,
        origin=Origin("trans.asc", number),
    )


@st.composite
def shuffled_days(draw: st.DrawFn) -> tuple[int, list[Entry], int]:
    """An account's consistent entries over some days, shuffled, and the balance they end in."""
    tolerance = draw(st.sampled_from([0, 10]))
    opening = draw(st.integers(-1_000, 1_000)) * 10
    # Few distinct amounts make many ties: the hard case.
    amounts = draw(st.lists(st.integers(-500, 500).filter(bool), min_size=1, max_size=4))
    balance, entries = opening, []
    for number in range(draw(st.integers(1, 24))):
        amount = 30 * draw(st.sampled_from(amounts))
        balance += amount + draw(st.sampled_from([-tolerance, 0, 0, tolerance]))
        day = DAY + timedelta(days=number // draw(st.sampled_from([3, 12, 24])))
        entries.append(
            entry(number, max([day, *(e.booking_date for e in entries)]), amount, balance)
        )
    random.Random(draw(st.integers(0, 99))).shuffle(entries)
    return opening, entries, tolerance


class TestOrdering:
    @settings(deadline=None)
    @given(shuffled_days())
    def test_puts_any_shuffled_consistent_days_in_an_order_whose_balances_follow(
        self, case: tuple[int, list[Entry], int]
    ) -> None:
        opening, entries, tolerance = case
        steps = order_account(entries, opening_minor=opening, tolerance_minor=tolerance)
        assert sorted(s.entry.id for s in steps) == sorted(e.id for e in entries)
        days = [s.entry.booking_date for s in steps]
        assert days == sorted(days)
        balance = opening
        for step in steps:
            assert step.unexplained == ""
            assert abs(step.rounding_minor) <= tolerance
            balance += step.entry.amount_minor + step.rounding_minor
            assert balance == step.balance_minor == step.entry.balance_after_minor

    def test_prefers_the_order_with_the_least_rounding(self) -> None:
        # Booked 1, 2 both steps round; booked 2, 1 none does.
        entries = [entry(1, DAY, 10, 20), entry(2, DAY, 10, 10)]
        steps = order_account(entries, opening_minor=0, tolerance_minor=20)
        assert [(s.entry.id, s.rounding_minor) for s in steps] == [("2", 0), ("1", 0)]

    def test_chooses_among_the_orders_of_a_day_the_one_that_the_next_day_follows(self) -> None:
        # 1-2 ends in 100 and is exact, 2-1 ends in 110; only 110 leads to the next day's 65.
        entries = [
            entry(1, DAY, 10, 110),
            entry(2, DAY, -10, 100),
            entry(3, DAY + timedelta(days=1), -50, 65),
        ]
        steps = order_account(entries, opening_minor=100, tolerance_minor=10)
        assert [(s.entry.id, s.rounding_minor) for s in steps] == [("2", 10), ("1", 0), ("3", 5)]
        assert not any(s.unexplained for s in steps)

    def test_names_a_difference_beyond_the_tolerance_and_goes_on_from_it(self) -> None:
        entries = [
            entry(1, DAY, 100, 100),
            entry(2, DAY + timedelta(days=1), 100, 250),
            entry(3, DAY + timedelta(days=2), 100, 350),
        ]
        steps = order_account(entries, opening_minor=0, tolerance_minor=10)
        assert [bool(s.unexplained) for s in steps] == [False, True, False]
        assert "difference of +50" in steps[1].unexplained
        # Nothing is invented: the balance stays what the amounts make it.
        assert [s.balance_minor for s in steps] == [100, 200, 300]
        assert [s.equal for s in steps] == [True, False, False]

    def test_finds_the_missing_row_of_a_busy_day(self) -> None:
        rng = random.Random(5)
        balance, entries = 0, []
        for number in range(40):
            amount = rng.randrange(-90_000, 90_000)
            balance += amount
            entries.append(entry(number, DAY, amount, balance))
        missing = entries.pop(20)
        rng.shuffle(entries)
        steps = order_account(entries, opening_minor=0, tolerance_minor=10)
        unexplained = [s for s in steps if s.unexplained]
        assert [s.entry.id for s in unexplained] == ["21"]
        assert f"difference of {missing.amount_minor:+}" in unexplained[0].unexplained

    def test_keeps_the_order_of_the_file_where_no_balance_is_recorded(self) -> None:
        entries = [entry(1, DAY, 100, None), entry(2, DAY, -30, None)]
        steps = order_account(entries, opening_minor=5, tolerance_minor=0)
        assert [s.balance_minor for s in steps] == [105, 75]
        assert all(s.equal and not s.unexplained for s in steps)

    def test_compares_what_is_recorded_on_a_day_that_records_only_some_balances(self) -> None:
        entries = [entry(1, DAY, 100, None), entry(2, DAY, -30, 71), entry(3, DAY, 1, None)]
        steps = order_account(entries, opening_minor=0, tolerance_minor=1)
        assert [s.rounding_minor for s in steps] == [0, 1, 0]
        assert [s.balance_minor for s in steps] == [100, 71, 72]


class TestBusyDay:
    """Days too large to try every order."""

    @settings(deadline=None, max_examples=40)
    @given(st.integers(0, 10_000), st.sampled_from([0, 10]))
    def test_is_solved_whatever_the_amounts(self, seed: int, tolerance: int) -> None:
        rng = random.Random(seed)
        amounts = [rng.randrange(-400, 400) * 30 or 30 for _ in range(rng.choice([2, 20]))]
        balance, moves = 1_000, []
        for _ in range(60):
            amount = rng.choice(amounts)
            balance += amount + rng.choice([-tolerance, 0, tolerance])
            moves.append(Move(amount, balance))
        rng.shuffle(moves)
        ways = day_ways(1_000, moves, tolerance)
        assert ways[balance].cost.breaks == 0
        assert sorted(ways[balance].order) == list(range(60))
