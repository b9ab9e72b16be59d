"""Bounded sliding windows over payments in event time, in memory. Pure: no clock, no I/O.

A window keeps the newest `entries` payments of its key, so that counts saturate there; a payment
that is older than the newest one by more than the window's horizon is forgotten.
"""

from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

DAY_MS = 24 * 3_600_000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def in_ms(at: datetime) -> int:
    """Milliseconds since 1970 UTC of an aware time, rounded down; exact for every date."""
    return (at - _EPOCH) // timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class SeenPayment:
    """One payment as the windows keep it, settled or not: an attempt counts.

    `value_minor` is the amount in fen of CNY by the policy's reference rates, or None in a
    currency without one: such a payment is counted and adds nothing to a sum.
    `at_ms` is when it was made, in milliseconds since 1970 UTC.
    """

    payment_id: str
    customer_id: str
    account_id: str
    payee_id: str
    value_minor: int | None
    at_ms: int


@dataclass(frozen=True, slots=True)
class Limits:
    """What the windows may hold: `entries` and `payees` per key, `keys` per kind of entity."""

    entries: int = 512
    payees: int = 512
    keys: int = 200_000
    lateness_ms: int = DAY_MS


Order = tuple[int, str]
"""A place in event time: milliseconds, then the payment's id among equals."""


class Window:
    """The newest payments of one key, ordered by time and id, with running totals.

    Adding the newest is O(1), a late one moves those after it; a tally is O(log n).
    """

    __slots__ = ("_entries", "_first", "_horizon_ms", "_ids", "_size", "_times", "_totals")

    def __init__(self, *, size: int, horizon_ms: int) -> None:
        self._size = size
        self._horizon_ms = horizon_ms
        self._entries: list[SeenPayment] = []
        # the entries' times, apart: bisecting plain integers is ten times as fast
        self._times: list[int] = []
        # _totals[i] is the value of everything up to entry i, evicted entries included
        self._totals: list[int] = []
        self._ids: set[str] = set()
        self._first: Order | None = None

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, payment_id: str) -> bool:
        return payment_id in self._ids

    @property
    def first(self) -> Order | None:
        """Time and id of the earliest payment ever seen, evicted ones included."""
        return self._first

    def add(self, payment: SeenPayment) -> bool:
        """Takes a payment in; False if it is there already."""
        if payment.payment_id in self._ids:
            return False
        order = (payment.at_ms, payment.payment_id)
        if self._first is None or order < self._first:
            self._first = order
        at = self._place(payment)
        value = payment.value_minor or 0
        before = self._before(at) if self._entries else 0
        self._entries.insert(at, payment)
        self._times.insert(at, payment.at_ms)
        self._totals.insert(at, before + value)
        for i in range(at + 1, len(self._totals)):
            self._totals[i] += value
        self._ids.add(payment.payment_id)
        self._evict()
        return True

    def tally(self, *, until_ms: int, span_ms: int) -> tuple[int, int]:
        """Count and sum in fen of what lies in (until - span, until]."""
        start, end = self._slice(until_ms, span_ms)
        if start == end:
            return 0, 0
        return end - start, self._totals[end - 1] - self._before(start)

    def within(self, *, until_ms: int, span_ms: int) -> list[SeenPayment]:
        """The payments in (until - span, until], in order of time."""
        start, end = self._slice(until_ms, span_ms)
        return self._entries[start:end]

    def last_before(self, payment: SeenPayment) -> SeenPayment | None:
        """The newest other payment that is not later than this one."""
        end = bisect_right(self._times, payment.at_ms)
        for entry in reversed(self._entries[max(end - 2, 0) : end]):
            if entry.payment_id != payment.payment_id:
                return entry
        return None

    def _place(self, payment: SeenPayment) -> int:
        """Where the payment belongs; among equal times the id decides, not the arrival."""
        at = bisect_right(self._times, payment.at_ms)
        while (
            at
            and self._times[at - 1] == payment.at_ms
            and self._entries[at - 1].payment_id > payment.payment_id
        ):
            at -= 1
        return at

    def _before(self, at: int) -> int:
        """The running total just before place `at` of a window that is not empty."""
        if at:
            return self._totals[at - 1]
        return self._totals[0] - (self._entries[0].value_minor or 0)

    def _slice(self, until_ms: int, span_ms: int) -> tuple[int, int]:
        times = self._times
        is_newest = bool(times) and times[-1] <= until_ms
        end = len(times) if is_newest else bisect_right(times, until_ms)
        return bisect_right(times, until_ms - span_ms, 0, end), end

    def _evict(self) -> None:
        oldest_ms = self._times[-1] - self._horizon_ms
        drop = bisect_right(self._times, oldest_ms) if self._times[0] <= oldest_ms else 0
        drop = max(drop, len(self._times) - self._size)
        if drop:
            self._ids.difference_update(entry.payment_id for entry in self._entries[:drop])
            del self._times[:drop], self._entries[:drop], self._totals[:drop]
