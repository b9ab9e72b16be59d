"""Bounded sliding windows over payments in event time, in memory. Pure: no clock, no I/O.

A window keeps the newest `entries` payments of its key, so that counts saturate there; a payment
that is older than the newest one by more than the window's horizon is forgotten.

Millions of keys live in one process, so a window is two arrays of 64-bit numbers and holds of
each payment only what some feature of its kind asks for: no object for each payment, no string.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from hashlib import blake2b
from typing import NamedTuple

DAY_MS = 24 * 3_600_000
#: Sums run modulo 2^64: a difference is exact, since no window's own sum comes near.
MASK = 2**64 - 1
#: From so many entries on, distinct values are counted as they come instead of each time anew.
HOT = 48

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def in_ms(at: datetime) -> int:
    """Milliseconds since 1970 UTC of an aware time, rounded down; exact for every date."""
    return (at - _EPOCH) // timedelta(milliseconds=1)


def mark_of(word: str) -> int:
    """64 bits that stand for an id or a key: the same in each process, never 0 (a missing one).

    Two different words have the same mark once in 2^64: of 10^6 keys no two, but for 3 in 10^8.
    """
    return int.from_bytes(blake2b(word.encode(), digest_size=8).digest(), "big") or 1


class SeenPayment(NamedTuple):
    """One payment as the windows keep it, settled or not: an attempt counts.

    A tuple, since a start makes millions of them and one takes a fifth of a data class's time.

    `value_minor` is the amount in fen of CNY by the policy's reference rates, or None in a
    currency without one: such a payment is counted and adds nothing to a sum.
    `at_ms` is when it was made, in milliseconds since 1970 UTC.
    Device, address and merchant are None where the partner did not tell them.
    """

    payment_id: str
    customer_id: str
    account_id: str
    payee_id: str
    value_minor: int | None
    at_ms: int
    device_id: str | None = None
    ip_address: str | None = None
    merchant_id: str | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """What the windows may hold: `entries` and `payees` per key, `keys` per kind of entity."""

    entries: int = 512
    payees: int = 512
    keys: int = 200_000
    lateness_ms: int = DAY_MS


@dataclass(frozen=True)
class Layout:
    """What the windows of one kind hold of a payment: a row of 64-bit numbers.

    The row is the value of all before it, the payment's mark, with `counts_small` the number of
    small ones before it, and the marks of `others`, the entities that are counted distinct.
    """

    size: int
    horizon_ms: int
    counts_small: bool
    others: tuple[str, ...]

    @cached_property
    def stride(self) -> int:
        return 2 + self.counts_small + len(self.others)

    def column(self, other: str) -> int:
        """The place of an entity's mark in the row."""
        return 2 + self.counts_small + self.others.index(other)


Order = int
"""A place in event time: milliseconds, then, among equals, the payment's mark, in one number."""


def order_of(at_ms: int, mark: int) -> Order:
    return (at_ms << 64) | mark


class _Recent:
    """How often each value of one column stands in the entries from `start` to the newest."""

    __slots__ = ("counts", "start")

    def __init__(self, start: int) -> None:
        self.counts: dict[int, int] = {}
        self.start = start

    def take(self, value: int) -> None:
        self.counts[value] = self.counts.get(value, 0) + 1

    def drop(self, value: int) -> None:
        left = self.counts[value] - 1
        if left:
            self.counts[value] = left
        else:
            del self.counts[value]


class Window:
    """The newest payments of one key, ordered by time and mark.

    Adding the newest is O(1), a late one moves those after it; a count or sum is O(log n).
    `first` is the place of the earliest payment ever seen, evicted ones included; `mark` stands
    for the key in the windows of other entities.
    """

    __slots__ = ("facts", "first", "layout", "mark", "recent", "small", "times", "total")

    def __init__(self, layout: Layout, mark: int = 0) -> None:
        self.layout = layout
        self.mark = mark
        self.first: Order | None = None
        self.times = array("q")
        self.facts = array("Q")
        self.total = 0
        self.small = 0
        self.recent: dict[tuple[int, int], _Recent] | None = None

    def __len__(self) -> int:
        return len(self.times)

    def holds(self, at_ms: int, mark: int) -> bool:
        """Whether the payment is among its entries."""
        facts, stride = self.facts, self.layout.stride
        if facts and facts[len(facts) - stride + 1] == mark:
            return True
        return self._place(at_ms, mark) is None

    def add(self, at_ms: int, mark: int, value: int, small: bool, others: Sequence[int]) -> bool:
        """Takes a payment in; False if it is there already."""
        times, layout = self.times, self.layout
        count = len(times)
        if count and at_ms > times[-1]:  # nearly always, so in as few steps as there are
            place = count
        else:
            found = self._place(at_ms, mark)
            if found is None:
                return False
            place, order = found, (at_ms << 64) | mark
            if place == 0 and (self.first is None or order < self.first):
                self.first = order
        if place == count:
            times.append(at_ms)
            if layout.counts_small:
                self.facts.extend((self.total, mark, self.small, *others))
            else:
                self.facts.extend((self.total, mark, *others))
        else:
            self._insert(place, at_ms, mark, value=value, small=small, others=others)
        self.total = (self.total + value) & MASK
        if small:
            self.small += 1
        if self.recent is not None:
            self._count_in(place)
        if count >= layout.size or times[-1] - times[0] >= layout.horizon_ms:
            self._evict()
        return True

    def span(self, until_ms: int, span_ms: int) -> tuple[int, int]:
        """The places [start, end) of what lies in (until - span, until]."""
        end = self.end(until_ms)
        return bisect_right(self.times, until_ms - span_ms, 0, end), end

    def end(self, until_ms: int) -> int:
        times = self.times
        count = len(times)
        return count if count and times[-1] <= until_ms else bisect_right(times, until_ms)

    def paid(self, start: int, end: int) -> int:
        """The value in fen of the entries [start, end)."""
        facts, stride = self.facts, self.layout.stride
        if start == end:
            return 0
        total = self.total if end == len(self.times) else facts[end * stride]
        return (total - facts[start * stride]) & MASK

    def distinct(self, column: int, start: int, end: int, span_ms: int) -> int:
        """How many values a column has in the entries [start, end); a missing one is none.

        With `end` the newest entry it is O(1) in the long run, else it looks at each.
        """
        if end == len(self.times) and end > HOT:
            counts = self._recent(column, start, span_ms).counts
            return len(counts) - (0 in counts)
        stride = self.layout.stride
        values = set(self.facts[start * stride + column : end * stride : stride])
        return len(values) - (0 in values)

    def _place(self, at_ms: int, mark: int) -> int | None:
        """Where the payment belongs, by time and mark; None if it is there."""
        times, facts, stride = self.times, self.facts, self.layout.stride
        place = bisect_left(times, at_ms)
        while place < len(times) and times[place] == at_ms:
            there = facts[place * stride + 1]
            if there == mark:
                return None
            if there > mark:
                break
            place += 1
        return place

    def _insert(
        self, place: int, at_ms: int, mark: int, *, value: int, small: bool, others: Sequence[int]
    ) -> None:
        facts, layout = self.facts, self.layout
        stride = layout.stride
        head = [facts[place * stride], mark]
        if layout.counts_small:
            head.append(facts[place * stride + 2])
        self.times.insert(place, at_ms)
        facts[place * stride : place * stride] = array("Q", [*head, *others])
        for at in range((place + 1) * stride, len(facts), stride):
            facts[at] = (facts[at] + value) & MASK
            if layout.counts_small:
                facts[at + 2] += small

    def _recent(self, column: int, start: int, span_ms: int) -> _Recent:
        """The counts of the entries from `start` on, brought forward from the last time."""
        facts, stride = self.facts, self.layout.stride
        if self.recent is None:
            self.recent = {}
        found = self.recent.get((column, span_ms))
        if found is None:
            found = self.recent[(column, span_ms)] = _Recent(start)
            for value in facts[start * stride + column :: stride]:
                found.take(value)
        while found.start < start:
            found.drop(facts[found.start * stride + column])
            found.start += 1
        while found.start > start:
            found.start -= 1
            found.take(facts[found.start * stride + column])
        return found

    def _count_in(self, place: int) -> None:
        """The entry at `place` is new."""
        for (column, _), recent in (self.recent or {}).items():
            if place >= recent.start:
                recent.take(self.facts[place * self.layout.stride + column])
            else:
                recent.start += 1

    def _evict(self) -> None:
        times, facts, stride = self.times, self.facts, self.layout.stride
        drop = bisect_right(times, times[-1] - self.layout.horizon_ms)
        drop = max(drop, len(times) - self.layout.size)
        if not drop:
            return
        for (column, _), recent in (self.recent or {}).items():
            for at in range(recent.start, drop):
                recent.drop(facts[at * stride + column])
            recent.start = max(recent.start - drop, 0)
        del times[:drop], facts[: drop * stride]
