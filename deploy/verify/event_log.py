"""The log of events as the checker reads it, from outside of the services' own bus."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol
from uuid import UUID

import asyncpg

#: Inbox rows are kept for a week; what is older was checked while it was there.
INBOX_AGE = timedelta(days=6)
#: Rows that one comparison across two databases takes at a time.
CHUNK = 20_000


@dataclass(frozen=True, slots=True)
class Committed:
    """Some events of a topic that a consumer group counts as done."""

    group: str
    topic: str
    event_ids: Sequence[UUID]


class EventLog(Protocol):
    async def known(self, event_ids: Sequence[UUID]) -> set[UUID]:
        """Those of the ids that the log has."""

    def committed(self) -> AsyncIterator[Committed]:
        """All younger than `INBOX_AGE`, at most `CHUNK` ids at once."""


class PostgresLog:
    def __init__(self, connection: "asyncpg.Connection[Any]") -> None:
        self._connection = connection

    async def known(self, event_ids: Sequence[UUID]) -> set[UUID]:
        rows = await self._connection.fetch(
            "SELECT event_id FROM log WHERE event_id = ANY ($1)", event_ids
        )
        return {row["event_id"] for row in rows}

    async def committed(self) -> AsyncIterator[Committed]:
        groups = await self._connection.fetch(
            "SELECT group_name, topic, partition, next_offset FROM group_partitions"
            " ORDER BY 1, 2, 3"
        )
        query = (
            "SELECT log_offset, event_id FROM log WHERE topic = $1 AND partition = $2"
            " AND log_offset >= $3 AND log_offset < $4 AND at > now() - $6::interval"
            " ORDER BY log_offset LIMIT $5"
        )
        for group in groups:
            slot = (group["topic"], group["partition"])
            first, end = 0, group["next_offset"]
            while rows := await self._connection.fetch(query, *slot, first, end, CHUNK, INBOX_AGE):
                yield Committed(group["group_name"], slot[0], [row["event_id"] for row in rows])
                first = rows[-1]["log_offset"] + 1
