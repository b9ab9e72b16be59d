"""Bounded sliding windows over payments in event time, in memory. Pure: no clock, no I/O.

A window keeps the newest `entries` payments of its key, so that counts saturate there; a payment
that is older than the newest one by more than the window's horizon is forgotten.

Millions of keys live in one process, so a window is one array of 64-bit numbers and holds of each
payment only what some feature of its kind asks for: no object for each payment, no string. How
they lie in it and what is read from them is compiled: see `features/compiled.py`.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from hashlib import blake2b
from typing import NamedTuple

DAY_MS = 24 * 3_600_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def in_ms(at: datetime) -> int:
    """Milliseconds since 1970 UTC of an aware time, rounded down; exact for every date."""
    since = at - _EPOCH  # in whole numbers: to divide two times takes five times as long
    return since.days * DAY_MS + since.seconds * 1_000 + since.microseconds // 1_000


def mark_of(word: str) -> int:
    """A signed number of 64 bits that stands for an id or a key, the same in each process; never
    0, which is a missing one.

    Two different words have the same mark once in 2^64: of 10^6 keys no two, but for 3 in 10^8.
    """
    return int.from_bytes(blake2b(word.encode(), digest_size=8).digest(), "big", signed=True) or 1


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

    The row is when the payment was made, its mark, the value of all before it, with `has_small`
    the number of small ones before it, and the marks of `others`, the entities that are counted
    distinct.
    """

    size: int
    horizon_ms: int
    has_small: bool
    others: tuple[str, ...]

    @cached_property
    def stride(self) -> int:
        return 3 + self.has_small + len(self.others)

    def column(self, other: str) -> int:
        """The place of an entity's mark in the row."""
        return 3 + self.has_small + self.others.index(other)
