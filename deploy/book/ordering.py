"""Puts the entries of an account in the order in which they were booked.

Days follow each other; within a day the recorded balances tell the order (`day_order`). A day
may close with more than one balance, so the best chain over all days is chosen at the end.
What the source rounded is told apart from what cannot be explained.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from deploy.book.day_order import NOTHING, Cost, Move, Way, day_ways
from deploy.book.records import Entry


@dataclass(frozen=True, slots=True)
class Step:
    """An entry in its place.

    `rounding_minor` is what the source added or took by rounding, to be posted beside the
    amount; `balance_minor` the account's balance after both. `unexplained` is the reason why
    the recorded balance does not follow from the one recorded before, or empty.
    """

    entry: Entry
    rounding_minor: int
    balance_minor: int
    unexplained: str

    @property
    def change_minor(self) -> int:
        """What is added to the balance in all."""
        return self.entry.amount_minor + self.rounding_minor

    @property
    def equal(self) -> bool:
        """Whether the balance is the recorded one, or none was recorded."""
        return self.entry.balance_after_minor in (None, self.balance_minor)


@dataclass(frozen=True, slots=True)
class _Chain:
    """A chain of ordered days, the last one first."""

    cost: Cost
    day: tuple[Entry, ...]
    earlier: "_Chain | None"


def order_account(
    entries: Sequence[Entry], *, opening_minor: int, tolerance_minor: int
) -> list[Step]:
    """The entries of one account in the order of booking, with roundings and reasons.

    `entries` may come in any order; entries that the balances leave free keep theirs.
    """
    days = groupby(sorted(entries, key=lambda e: e.booking_date), key=lambda e: e.booking_date)
    chains: dict[int, _Chain] = {opening_minor: _Chain(NOTHING, (), None)}
    for _, group in days:
        day = tuple(group)
        longer: dict[int, _Chain] = {}
        for start_minor, chain in chains.items():
            for end_minor, way in _ways(start_minor, day, tolerance_minor).items():
                cost = chain.cost.plus(way.cost)
                if end_minor not in longer or cost < longer[end_minor].cost:
                    ordered = tuple(day[j] for j in way.order)
                    longer[end_minor] = _Chain(cost, ordered, chain)
        fewest = min(chain.cost.breaks for chain in longer.values())
        # Where a day starts costs it one break at most, so two more can never be made good.
        chains = {end: c for end, c in longer.items() if c.cost.breaks <= fewest + 1}
    best = min(chains.values(), key=lambda chain: chain.cost)
    return list(_steps(_forward(best), opening_minor, tolerance_minor))


def _ways(start_minor: int, day: Sequence[Entry], tolerance_minor: int) -> dict[int, Way]:
    moves: list[Move] = []
    balance = start_minor
    for entry in day:
        balance += entry.amount_minor
        if entry.balance_after_minor is None:
            # Without all its balances a day keeps the order of the file.
            return {_last_balance(day, start_minor): Way(NOTHING, tuple(range(len(day))))}
        moves.append(Move(entry.amount_minor, entry.balance_after_minor))
    return day_ways(start_minor, moves, tolerance_minor)


def _last_balance(day: Sequence[Entry], start_minor: int) -> int:
    balance = start_minor
    for entry in day:
        recorded = entry.balance_after_minor
        balance = balance + entry.amount_minor if recorded is None else recorded
    return balance


def _forward(chain: _Chain | None) -> Iterator[Entry]:
    days: list[tuple[Entry, ...]] = []
    while chain is not None:
        days.append(chain.day)
        chain = chain.earlier
    for day in reversed(days):
        yield from day


def _steps(entries: Iterable[Entry], opening_minor: int, tolerance_minor: int) -> Iterator[Step]:
    balance = recorded_before = opening_minor
    for entry in entries:
        expected = recorded_before + entry.amount_minor
        recorded = expected if entry.balance_after_minor is None else entry.balance_after_minor
        difference = recorded - expected
        explained = abs(difference) <= tolerance_minor
        rounding = difference if explained else 0
        balance += entry.amount_minor + rounding
        # The row after a wrong figure breaks with it too, and is right again.
        right = explained or balance == recorded
        reason = "" if right else _reason(recorded_before, entry, difference, tolerance_minor)
        yield Step(entry, rounding, balance, reason)
        recorded_before = recorded


def _reason(before_minor: int, entry: Entry, difference_minor: int, tolerance_minor: int) -> str:
    return (
        f"balance {before_minor} plus amount {entry.amount_minor} does not give the recorded "
        f"{entry.balance_after_minor}: a difference of {difference_minor:+}, more than the "
        f"tolerance of {tolerance_minor}; a row is missing before it, or its figures are wrong"
    )
