"""The bus on PostgreSQL: an ordered log for one machine.

The next offset of a partition is a row that an append locks until it commits, so a reader that
has seen offset n never misses a smaller one that commits later. A group's partitions are leased
to its members; a member that dies loses them when the lease runs out.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import asyncpg

from shared.contracts.topics import BY_NAME
from shared.kit.bus.port import Message, Record, partition_of

CHANNEL = "bus"
#: A member that has not been heard of for so long has lost its partitions.
SESSION_TIMEOUT_S = 6.0
HEARTBEAT_S = 1.0
POOL_SIZE = 4

_LOCK_PARTITIONS = """
SELECT topic, partition, next_offset FROM log_partitions
WHERE (topic, partition) IN (SELECT * FROM unnest($1::text[], $2::int[]))
ORDER BY topic, partition FOR UPDATE
"""
_APPEND = """
INSERT INTO log (topic, partition, log_offset, event_id, key, value)
SELECT * FROM unnest($1::text[], $2::int[], $3::bigint[], $4::uuid[], $5::text[], $6::text[])
"""
_ADVANCE = """
UPDATE log_partitions p SET next_offset = n.next_offset
FROM unnest($1::text[], $2::int[], $3::bigint[]) AS n (topic, partition, next_offset)
WHERE p.topic = n.topic AND p.partition = n.partition
"""
_READ = """
SELECT l.topic, l.partition, l.log_offset, l.event_id, l.key, l.value, l.at
FROM unnest($1::text[], $2::int[], $3::bigint[]) AS w (topic, partition, log_offset)
CROSS JOIN LATERAL (
    SELECT * FROM log
    WHERE log.topic = w.topic AND log.partition = w.partition AND log.log_offset >= w.log_offset
    ORDER BY log.log_offset LIMIT $4
) AS l
ORDER BY l.log_offset - w.log_offset, l.topic, l.partition
LIMIT $4
"""
_ENSURE_PARTITIONS = """
INSERT INTO log_partitions (topic, partition)
SELECT * FROM unnest($1::text[], $2::int[]) ON CONFLICT DO NOTHING
"""
_JOIN = """
INSERT INTO group_partitions (group_name, topic, partition)
SELECT $1, t, p FROM unnest($2::text[], $3::int[]) AS w (t, p) ON CONFLICT DO NOTHING
"""
_BEAT = """
INSERT INTO group_members (group_name, member, seen_at) VALUES ($1, $2, clock_timestamp())
ON CONFLICT (group_name, member) DO UPDATE SET seen_at = excluded.seen_at
"""
_MEMBERS = """
SELECT member FROM group_members
WHERE group_name = $1 AND seen_at > clock_timestamp() - make_interval(secs => $2)
ORDER BY member
"""
_RELEASE = """
UPDATE group_partitions SET owner = NULL
WHERE group_name = $1 AND owner = $2
  AND NOT (topic, partition) IN (SELECT * FROM unnest($3::text[], $4::int[]))
"""
_CLAIM = """
UPDATE group_partitions
SET owner = $2, leased_until = clock_timestamp() + make_interval(secs => $5)
WHERE group_name = $1
  AND (topic, partition) IN (SELECT * FROM unnest($3::text[], $4::int[]))
  AND (owner IS NULL OR owner = $2 OR leased_until < clock_timestamp())
RETURNING topic, partition, next_offset
"""
_COMMIT = """
UPDATE group_partitions g SET next_offset = n.next_offset
FROM unnest($3::text[], $4::int[], $5::bigint[]) AS n (topic, partition, next_offset)
WHERE g.group_name = $1 AND g.owner = $2 AND g.topic = n.topic AND g.partition = n.partition
"""
_LAG = """
SELECT coalesce(sum(p.next_offset - coalesce(g.next_offset, 0)), 0)
FROM log_partitions p
LEFT JOIN group_partitions g
  ON g.group_name = $1 AND g.topic = p.topic AND g.partition = p.partition
WHERE p.topic = ANY($2)
"""

Slot = tuple[str, int]


class PostgresBus:
    """`url` names the log's database, as `postgresql://…`."""

    def __init__(self, url: str, *, application: str) -> None:
        self._url = url.replace("postgresql+asyncpg://", "postgresql://")
        self._application = application
        self._pool: asyncpg.Pool[Any] | None = None
        self._listener: asyncpg.Connection[Any] | None = None
        self._arrivals: set[asyncio.Event] = set()
        self._ensured: set[str] = set()
        self._opening = asyncio.Lock()

    async def pool(self) -> "asyncpg.Pool[Any]":
        async with self._opening:
            if self._pool is None:
                self._pool = await asyncpg.create_pool(
                    self._url,
                    min_size=1,
                    max_size=POOL_SIZE,
                    timeout=5,
                    command_timeout=15,
                    server_settings={"application_name": self._application},
                )
            return self._pool

    async def ensure(self, topics: Sequence[str]) -> None:
        """Give each topic its partitions; once a process."""
        new = [topic for topic in topics if topic not in self._ensured]
        if new:
            slots = slots_of(new)
            pool = await self.pool()
            await pool.execute(_ENSURE_PARTITIONS, *_columns(slots))
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
        async with pool.acquire() as connection, connection.transaction():
            locked = await connection.fetch(_LOCK_PARTITIONS, *_columns(sorted(set(where))))
            offsets = {(row["topic"], row["partition"]): row["next_offset"] for row in locked}
            given = []
            for slot in where:
                given.append(offsets[slot])
                offsets[slot] += 1
            await connection.execute(
                _APPEND,
                *_columns(where),
                given,
                [message.event_id for message in messages],
                [message.key for message in messages],
                [message.value for message in messages],
            )
            await connection.execute(_ADVANCE, *_columns(list(offsets)), list(offsets.values()))
            await connection.execute(f"NOTIFY {CHANNEL}")

    async def consumer(
        self, *, group: str, topics: Sequence[str], member: str
    ) -> "PostgresConsumer":
        await self.ensure(topics)
        pool = await self.pool()
        slots = slots_of(topics)
        await pool.execute(_JOIN, group, *_columns(slots))
        return PostgresConsumer(self, group=group, member=member, slots=slots)

    async def reader(self, *, topics: Sequence[str], since: datetime | None) -> "PostgresReader":
        await self.ensure(topics)
        pool = await self.pool()
        ends = await pool.fetch(
            "SELECT topic, partition, next_offset FROM log_partitions WHERE topic = ANY($1)",
            list(topics),
        )
        end = {(row["topic"], row["partition"]): row["next_offset"] for row in ends}
        start = dict.fromkeys(end, 0)
        if since is not None:
            rows = await pool.fetch(
                "SELECT topic, partition, min(log_offset) AS first FROM log"
                " WHERE topic = ANY($1) AND at >= $2 GROUP BY topic, partition",
                list(topics),
                since,
            )
            start = end | {(row["topic"], row["partition"]): row["first"] for row in rows}
        return PostgresReader(self, start=start, end=end)

    async def read(self, positions: dict[Slot, int], *, limit: int) -> list[Record]:
        """Records at and after `positions`, at most `limit`, taken from all partitions in turn."""
        if not positions:
            return []
        pool = await self.pool()
        rows = await pool.fetch(_READ, *_columns(list(positions)), list(positions.values()), limit)
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

    async def arrival(self, event: asyncio.Event, timeout_s: float) -> None:
        """Wait until something was published, `timeout_s` at the most."""
        async with self._opening:
            if self._listener is None or self._listener.is_closed():
                self._listener = await asyncpg.connect(self._url, timeout=5)
                await self._listener.add_listener(CHANNEL, self._on_notify)
        self._arrivals.add(event)
        try:
            await asyncio.wait_for(event.wait(), timeout_s)
        except TimeoutError:
            return
        finally:
            event.clear()

    def _on_notify(self, *_: object) -> None:
        for event in self._arrivals:
            event.set()

    def stop_listening(self, event: asyncio.Event) -> None:
        self._arrivals.discard(event)

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
        return int(await pool.fetchval(_LAG, group, list(topics)))

    async def forget(self, *, topic: str, before: datetime) -> int:
        pool = await self.pool()
        done = await pool.execute("DELETE FROM log WHERE topic = $1 AND at < $2", topic, before)
        return int(done.rpartition(" ")[2])

    async def close(self) -> None:
        if self._listener is not None:
            await self._listener.close()
        if self._pool is not None:
            await self._pool.close()


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
        self._arrived = asyncio.Event()

    async def poll(self, *, limit: int, timeout_s: float) -> list[Record]:
        await self._beat()
        records = await self._bus.read(self._positions, limit=limit)
        if not records:
            await self._bus.arrival(self._arrived, min(timeout_s, HEARTBEAT_S))
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
            await pool.execute(
                _COMMIT, self._group, self._member, *_columns(list(moved)), list(moved.values())
            )
            self._committed |= moved

    async def seek_back(self) -> None:
        self._positions = dict(self._committed)

    async def _beat(self) -> None:
        """Say that this member lives, and take the partitions that are its share."""
        now = asyncio.get_running_loop().time()
        if now < self._next_beat:
            return
        self._next_beat = now + HEARTBEAT_S
        pool = await self._bus.pool()
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute(_BEAT, self._group, self._member)
            found = await connection.fetch(_MEMBERS, self._group, SESSION_TIMEOUT_S)
            members = [row["member"] for row in found]
            place = members.index(self._member)
            share = [slot for i, slot in enumerate(self._slots) if i % len(members) == place]
            await connection.execute(_RELEASE, self._group, self._member, *_columns(share))
            claimed = await connection.fetch(
                _CLAIM, self._group, self._member, *_columns(share), SESSION_TIMEOUT_S
            )
        held = {(row["topic"], row["partition"]): row["next_offset"] for row in claimed}
        self._positions = {slot: self._positions.get(slot, held[slot]) for slot in held}
        self._committed = {slot: self._committed.get(slot, held[slot]) for slot in held}

    async def close(self) -> None:
        self._bus.stop_listening(self._arrived)
        pool = await self._bus.pool()
        await pool.execute(_RELEASE, self._group, self._member, [], [])
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
        self._arrived = asyncio.Event()

    async def poll(self, *, limit: int, timeout_s: float) -> list[Record]:
        records = await self._bus.read(self._positions, limit=limit)
        if not records:
            await self._bus.arrival(self._arrived, timeout_s)
            records = await self._bus.read(self._positions, limit=limit)
        for record in records:
            self._positions[(record.topic, record.partition)] = record.offset + 1
        return records

    async def caught_up(self) -> bool:
        return all(self._positions[slot] >= end for slot, end in self._end.items())

    async def close(self) -> None:
        self._bus.stop_listening(self._arrived)


def slots_of(topics: Sequence[str]) -> list[Slot]:
    """Every partition of `topics`, in one fixed order."""
    return [(topic, i) for topic in sorted(topics) for i in range(BY_NAME[topic].partitions)]


def _columns(slots: Sequence[Slot]) -> tuple[list[str], list[int]]:
    return [topic for topic, _ in slots], [partition for _, partition in slots]
