"""The bus on PostgreSQL: an ordered log for one machine.

The next offset of a partition is a row that an append locks until it commits, so a reader that
has seen offset n never misses a smaller one that commits later. A group's partitions are leased
to its members; a member that dies loses them when the lease runs out.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

import asyncpg

from shared.contracts.topics import BY_NAME
from shared.kit.bus import statements as sql
from shared.kit.bus.port import Message, Record, later, partition_of

CHANNEL = "bus"
#: A member that has not been heard of for so long has lost its partitions.
SESSION_TIMEOUT_S = 6.0
HEARTBEAT_S = 1.0
LINGER_S = 0.05
POOL_SIZE = 4
CONNECT_TIMEOUT_S = 5
CLOSE_TIMEOUT_S = 5
#: A statement runs no longer, and a process that hangs inside a publish frees its partitions.
COMMAND_TIMEOUT_S = 15
FORGET_BATCH = 5_000

Slot = tuple[str, int]


class PostgresBus:
    """`url` names the log's database, as `postgresql://…`."""

    def __init__(self, url: str, *, application: str) -> None:
        self._url = url.replace("postgresql+asyncpg://", "postgresql://")
        self._application = application
        self._pool: asyncpg.Pool[Any] | None = None
        self._listener: asyncpg.Connection[Any] | None = None
        self._arrivals: dict[asyncio.Event, frozenset[str]] = {}
        self._ensured: set[str] = set()
        self._opening = asyncio.Lock()

    async def pool(self) -> "asyncpg.Pool[Any]":
        if self._pool is not None:
            return self._pool
        async with self._opening:
            if self._pool is None:
                self._pool = await asyncpg.create_pool(
                    self._url, min_size=1, max_size=POOL_SIZE, reset=_as_it_is, **self._options()
                )
            return self._pool

    def _options(self) -> dict[str, Any]:
        return {
            "timeout": CONNECT_TIMEOUT_S,
            "command_timeout": COMMAND_TIMEOUT_S,
            "server_settings": {
                "application_name": self._application,
                "statement_timeout": f"{COMMAND_TIMEOUT_S}s",
                "idle_in_transaction_session_timeout": f"{COMMAND_TIMEOUT_S}s",
            },
        }

    async def ensure(self, topics: Sequence[str]) -> None:
        """Give each topic its partitions; once a process."""
        new = [topic for topic in topics if topic not in self._ensured]
        if new:
            slots = slots_of(new)
            pool = await self.pool()
            await pool.execute(sql.ENSURE_PARTITIONS, *_columns(slots))
            self._ensured.update(new)

    async def publish(self, messages: Sequence[Message]) -> None:
        if not messages:
            return
        await self.ensure(sorted({message.topic for message in messages}))
        where = [
            (message.topic, partition_of(message.key, BY_NAME[message.topic].partitions))
            for message in messages
        ]
        pool = await self.pool()
        await pool.execute(
            sql.APPEND,
            *_columns(where),
            [message.event_id for message in messages],
            [message.key for message in messages],
            [message.value for message in messages],
        )

    async def consumer(
        self, *, group: str, topics: Sequence[str], member: str
    ) -> "PostgresConsumer":
        await self.ensure(topics)
        pool = await self.pool()
        slots = slots_of(topics)
        await pool.execute(sql.FORGET_MEMBERS, group)
        await pool.execute(sql.JOIN, group, *_columns(slots))
        return PostgresConsumer(self, group=group, member=member, slots=slots)

    async def reader(
        self,
        *,
        topics: Sequence[str],
        since: datetime | None,
        after: Mapping[Slot, int] | None = None,
    ) -> "PostgresReader":
        await self.ensure(topics)
        pool = await self.pool()
        found = await pool.fetch(f"{sql.OLDEST} WHERE p.topic = ANY($1)", list(topics))
        end = {(row["topic"], row["partition"]): row["next_offset"] for row in found}
        start = {(row["topic"], row["partition"]): row["oldest"] for row in found}
        if since is not None:
            rows = await pool.fetch(
                "SELECT topic, partition, min(log_offset) AS first FROM log"
                " WHERE topic = ANY($1) AND at >= $2 GROUP BY topic, partition",
                list(topics),
                since,
            )
            start = end | {(row["topic"], row["partition"]): row["first"] for row in rows}
        return PostgresReader(self, start=later(start, after or {}, end=end), end=end)

    async def read(self, positions: dict[Slot, int], *, limit: int) -> list[Record]:
        """Records at and after `positions`, at most `limit`, taken from all partitions in turn."""
        if not positions:
            return []
        pool = await self.pool()
        rows = await pool.fetch(
            sql.READ, *_columns(list(positions)), list(positions.values()), limit
        )
        return [
            Record(
                topic=row["topic"],
                partition=row["partition"],
                offset=row["log_offset"],
                key=row["key"],
                event_id=row["event_id"],
                value=row["value"],
                at=row["at"],
            )
            for row in rows
        ]

    async def arrival(
        self, event: asyncio.Event, *, topics: frozenset[str], timeout_s: float
    ) -> None:
        """Wait until something was published to `topics`, `timeout_s` at the most.

        What follows at once is waited for a moment: a poll costs the same for one and for many.
        """
        async with self._opening:
            if self._listener is None or self._listener.is_closed():
                self._listener = await asyncpg.connect(self._url, **self._options())
                await self._listener.add_listener(CHANNEL, self._on_notify)
        self._arrivals[event] = topics
        try:
            await asyncio.wait_for(event.wait(), timeout_s)
            await asyncio.sleep(LINGER_S)
        except TimeoutError:
            return
        finally:
            event.clear()

    def _on_notify(self, *notice: object) -> None:
        """The payload of a notice, its last part, is the topic."""
        for event, topics in self._arrivals.items():
            if notice[-1] in topics:
                event.set()

    def stop_listening(self, event: asyncio.Event) -> None:
        self._arrivals.pop(event, None)

    async def rewind(self, *, group: str, topics: Sequence[str]) -> None:
        pool = await self.pool()
        await pool.execute(
            "UPDATE group_partitions SET next_offset = 0, owner = NULL"
            " WHERE group_name = $1 AND topic = ANY($2)",
            group,
            list(topics),
        )

    async def lag(self, *, group: str, topics: Sequence[str]) -> int:
        pool = await self.pool()
        return int(await pool.fetchval(sql.LAG, group, list(topics)))

    async def forget(self, *, topic: str, before: datetime) -> int:
        pool = await self.pool()
        gone = 0
        while True:
            done = await pool.execute(sql.FORGET, topic, before, FORGET_BATCH)
            gone += int(done.rpartition(" ")[2])
            if not done.endswith(f" {FORGET_BATCH}"):
                return gone

    async def close(self) -> None:
        # A server that is away must not keep a process from ending.
        with suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            if self._listener is not None:
                await self._listener.close(timeout=CLOSE_TIMEOUT_S)
        with suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            if self._pool is not None:
                await asyncio.wait_for(self._pool.close(), CLOSE_TIMEOUT_S)


class PostgresConsumer:
    """A member of a group. Partition i of the group belongs to member i modulo their number."""

    def __init__(self, bus: PostgresBus, *, group: str, member: str, slots: Sequence[Slot]) -> None:
        self._bus = bus
        self._group = group
        self._member = member
        self._slots = slots
        self._positions: dict[Slot, int] = {}
        self._committed: dict[Slot, int] = {}
        self._next_beat = 0.0
        self._topics = frozenset(topic for topic, _ in slots)
        self._arrived = asyncio.Event()

    async def poll(self, *, limit: int, timeout_s: float) -> list[Record]:
        await self._beat()
        records = await self._bus.read(self._positions, limit=limit)
        if not records:
            wait_s = min(timeout_s, HEARTBEAT_S)
            await self._bus.arrival(self._arrived, topics=self._topics, timeout_s=wait_s)
            records = await self._bus.read(self._positions, limit=limit)
        for record in records:
            self._positions[(record.topic, record.partition)] = record.offset + 1
        return records

    async def commit(self) -> None:
        moved = {
            slot: position
            for slot, position in self._positions.items()
            if position != self._committed.get(slot)
        }
        if moved:
            pool = await self._bus.pool()
            rows = await pool.fetch(
                sql.COMMIT, self._group, self._member, *_columns(list(moved)), list(moved.values())
            )
            kept = {(row["topic"], row["partition"]) for row in rows}
            for slot, position in moved.items():
                if slot in kept:
                    self._committed[slot] = position
                else:  # the lease ran out, and another member has taken the partition over
                    del self._positions[slot]

    async def seek_back(self) -> None:
        self._positions = dict(self._committed)

    async def _beat(self) -> None:
        """Say that this member lives, and take the partitions that are its share."""
        now = asyncio.get_running_loop().time()
        if now < self._next_beat:
            return
        pool = await self._bus.pool()
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute(sql.LOCK_GROUP, self._group)
            await connection.execute(sql.BEAT, self._group, self._member)
            found = await connection.fetch(sql.MEMBERS, self._group, SESSION_TIMEOUT_S)
            members = [row["member"] for row in found]
            place = members.index(self._member)
            share = [slot for i, slot in enumerate(self._slots) if i % len(members) == place]
            await connection.execute(sql.RELEASE, self._group, self._member, *_columns(share))
            claimed = await connection.fetch(
                sql.CLAIM, self._group, self._member, *_columns(share), SESSION_TIMEOUT_S
            )
        held = {(row["topic"], row["partition"]): row["next_offset"] for row in claimed}
        # Behind what the group has done only where another member had the partition meanwhile.
        self._positions = {
            slot: max(at, self._positions.get(slot, at)) for slot, at in held.items()
        }
        self._committed = held
        self._next_beat = now + HEARTBEAT_S

    async def close(self) -> None:
        self._bus.stop_listening(self._arrived)
        pool = await self._bus.pool()
        await pool.execute(sql.RELEASE, self._group, self._member, [], [])
        await pool.execute(
            "DELETE FROM group_members WHERE group_name = $1 AND member = $2",
            self._group,
            self._member,
        )


class PostgresReader:
    """Reads every partition from `start`; caught up when it has passed `end`."""

    def __init__(self, bus: PostgresBus, *, start: dict[Slot, int], end: dict[Slot, int]) -> None:
        self._bus = bus
        self._positions = dict(start)
        self._end = end
        self._drained = False
        self._topics = frozenset(topic for topic, _ in start)
        self._arrived = asyncio.Event()

    async def poll(self, *, limit: int, timeout_s: float) -> list[Record]:
        records = await self._bus.read(self._positions, limit=limit)
        if not records:
            self._drained = True  # also where the end was forgotten meanwhile
            await self._bus.arrival(self._arrived, topics=self._topics, timeout_s=timeout_s)
            records = await self._bus.read(self._positions, limit=limit)
        for record in records:
            self._positions[(record.topic, record.partition)] = record.offset + 1
        return records

    async def caught_up(self) -> bool:
        return self._drained or all(self._positions[slot] >= end for slot, end in self._end.items())

    async def close(self) -> None:
        self._bus.stop_listening(self._arrived)


def slots_of(topics: Sequence[str]) -> list[Slot]:
    """Every partition of `topics`, in one fixed order."""
    return [(topic, i) for topic in sorted(topics) for i in range(BY_NAME[topic].partitions)]


async def _as_it_is(_: object) -> None:
    """Nothing to reset: no connection of the pool is given a setting, a cursor or a lock."""


def _columns(slots: Sequence[Slot]) -> tuple[list[str], list[int]]:
    return [topic for topic, _ in slots], [partition for _, partition in slots]
