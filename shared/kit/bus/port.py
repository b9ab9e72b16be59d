"""The `Bus` port: at least once, in order per key, consumer groups with offsets.

Two adapters keep the promise: an ordered log in PostgreSQL and Apache Kafka. Nothing above this
file knows which one runs.
"""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Message:
    """One event on its way to the bus; `value` is its envelope as JSON."""

    topic: str
    key: str
    event_id: UUID
    value: str


@dataclass(frozen=True, slots=True)
class Record:
    """One event as the log keeps it. Offsets rise by partition, without gaps that matter."""

    topic: str
    partition: int
    offset: int
    key: str
    event_id: UUID
    value: str
    at: datetime


SlotT = TypeVar("SlotT", bound=tuple[str, int])


class Consumer(Protocol):
    """One member of a consumer group; the group's members share the partitions."""

    async def poll(self, *, limit: int, timeout_s: float) -> list[Record]:
        """Up to `limit` records, at once if there are any, else after `timeout_s` none.

        A record comes again, to this member or another, until it is committed.
        """

    async def commit(self) -> None:
        """All records polled so far are done: the group does not get them again."""

    async def seek_back(self) -> None:
        """Forget what was polled and not committed: the next poll brings it again."""

    async def close(self) -> None:
        """Leave the group; its other members take over."""


class Reader(Protocol):
    """Reads everything, alone and without a group: for state that every replica holds."""

    async def poll(self, *, limit: int, timeout_s: float) -> list[Record]:
        """The next records; none after `timeout_s`."""

    async def caught_up(self) -> bool:
        """True once everything has been polled that was in the log when the reader began."""

    async def close(self) -> None:
        """Give back what the reader holds."""


class Bus(Protocol):
    """A durable, ordered event log."""

    async def publish(self, messages: Sequence[Message]) -> None:
        """Returns once all are durable. Messages of one key keep the order of this call."""

    async def consumer(self, *, group: str, topics: Sequence[str], member: str) -> Consumer:
        """Join a group; a group that is new begins at the oldest record."""

    async def reader(
        self,
        *,
        topics: Sequence[str],
        since: datetime | None,
        after: Mapping[tuple[str, int], int] | None = None,
    ) -> Reader:
        """Read from `since`, or from the oldest record; from `after`, the next offset of some
        partitions, where that is later.

        Raises:
            ValueError: the log ends before `after`: it is another one.
        """

    async def rewind(self, *, group: str, topics: Sequence[str]) -> None:
        """Send a group whose members are all stopped back to the oldest record."""

    async def lag(self, *, group: str, topics: Sequence[str]) -> int:
        """How many records the group has not committed yet."""

    async def forget(self, *, topic: str, before: datetime) -> int:
        """Drop records older than `before`; the number dropped, 0 where the bus does it itself."""

    async def close(self) -> None:
        """Close every connection."""


def partition_of(key: str, partitions: int) -> int:
    """The partition of a key: CRC-32 of its bytes, so that every producer agrees."""
    return zlib.crc32(key.encode()) % partitions


def later(
    start: Mapping[SlotT, int], after: Mapping[tuple[str, int], int], *, end: Mapping[SlotT, int]
) -> dict[SlotT, int]:
    """Where a reader begins: `start`, or `after` where that is later. Raises ValueError."""
    if any(after.get(slot, 0) > place for slot, place in end.items()):
        raise ValueError("the log ends before the place to begin at: it is another log")
    return {slot: max(place, after.get(slot, 0)) for slot, place in start.items()}
