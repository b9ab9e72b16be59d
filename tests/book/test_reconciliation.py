"""How rows are counted as the ledger answers them."""

from dataclasses import replace
from datetime import date, timedelta

from deploy.book.ordering import Step
from deploy.book.plot import MOST_BARS, WIDTH, days_plot
from deploy.book.postings import lanes
from deploy.book.reconciliation import Posted, Tally
from deploy.book.records import Book
from deploy.book.synthetic import synthetic_book


def book() -> Book:
    return synthetic_book(seed=1, customers=3, days=2)


def step(book: Book, *, recorded: int | None, reason: str = "", rounding: int = 0) -> Step:
    entry = replace(book.entries[0], balance_after_minor=recorded)
    return Step(entry, rounding, recorded or 0, reason)


class TestTally:
    def test_lists_the_row_at_fault_and_counts_those_that_follow_from_it(self) -> None:
        source = book()
        tally = Tally(source)
        tally.add(step(source, recorded=100), Posted(100, 2, new=True))
        tally.add(step(source, recorded=200, reason="a row is missing"), Posted(150, 2, new=True))
        tally.add(step(source, recorded=300), Posted(250, 2, new=True))
        tally.add(step(source, recorded=300), Posted(300, 2, new=True))
        assert (tally.rows, tally.balances_equal, tally.carried) == (4, 2, 1)
        assert [row.reason for row in tally.unexplained] == ["a row is missing"]

    def test_tells_that_an_account_moves_besides_the_book(self) -> None:
        source = book()
        tally = Tally(source)
        tally.add(step(source, recorded=100), Posted(90, 2, new=False))
        assert tally.unexplained[0].reason == "the account has other postings in the bank"
        assert tally.unexplained[0].ledger_minor == 90

    def test_compares_a_row_that_moves_nothing_with_the_balance_before(self) -> None:
        source = book()
        account = {a.id: a for a in source.accounts}[source.entries[0].account]
        tally = Tally(source)
        tally.add(step(source, recorded=account.opening_balance_minor), None)
        tally.add(step(source, recorded=70), Posted(70, 2, new=True))
        tally.add(step(source, recorded=70), None)
        assert tally.balances_equal == 3
        assert tally.postings == 2

    def test_counts_a_row_without_a_recorded_balance_apart(self) -> None:
        source = book()
        tally = Tally(source)
        tally.add(step(source, recorded=None), Posted(5, 2, new=True))
        tally.add(step(source, recorded=None), Posted(None, 0, new=False, refusal="no funds"))
        assert (tally.not_recorded, tally.balances_equal) == (2, 0)
        assert [row.reason for row in tally.unexplained] == ["no funds"]

    def test_has_no_rate_where_everything_was_there(self) -> None:
        source = book()
        tally = Tally(source)
        tally.add(step(source, recorded=5, rounding=3), Posted(5, 4, new=False))
        tally.seconds = 2.0
        assert tally.postings_per_second is None
        assert tally.rounding_postings == 1
        tally.add(step(source, recorded=9), Posted(9, 4, new=True))
        assert tally.postings_per_second == 2.0


class TestLanes:
    def test_keep_an_account_in_one_stream_in_its_own_order(self) -> None:
        source = synthetic_book(seed=2, customers=30, days=30)
        steps: dict[str, list[Step]] = {}
        for entry in source.entries:
            steps.setdefault(entry.account, []).append(Step(entry, 0, 0, ""))
        streams = lanes(steps, 2)
        assert sum(len(stream) for stream in streams) == len(source.entries)
        sizes = sorted(len(stream) for stream in streams)
        assert sizes[1] < 1.2 * sizes[0]
        seen: dict[str, int] = {}
        for number, stream in enumerate(streams):
            days = [one.entry.booking_date for one in stream]
            assert days == sorted(days)
            for account in {one.entry.account for one in stream}:
                assert seen.setdefault(account, number) == number
                mine = [one for one in stream if one.entry.account == account]
                assert mine == steps[account]


class TestDaysPlot:
    def test_puts_several_days_in_a_bar_where_there_are_many(self) -> None:
        first = date(2020, 1, 1)
        plot = days_plot({first + timedelta(days=n): 2 for n in range(1_000)})
        assert len(plot.bars) <= MOST_BARS
        assert sum(bar.count for bar in plot.bars) == 2_000
        assert plot.days_a_bar == 4
        assert max(bar.x + bar.width for bar in plot.bars) <= WIDTH

    def test_is_empty_for_an_empty_book(self) -> None:
        assert days_plot({}).bars == []
