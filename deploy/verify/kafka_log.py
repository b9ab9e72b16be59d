"""The log of events where it lies on Kafka: read with a client of the checker's own.

Outbox and inbox keep a week, so of the topics the last eight days are read: the ids alone, once,
and afterwards what has come since.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.errors import CoordinatorNotAvailableError, KafkaError

from deploy.kafka.clients import client_options
from deploy.verify.event_log import CHUNK, INBOX_AGE, Committed

READ_AGE = timedelta(days=8)
POLL_MS = 500
BATCH = 10_000
TIMEOUT_MS = 30_000
RETRY_S = 0.5


class KafkaLog:
    """`settings` are the services' own KAFKA_… variables. Raises OSError: the broker is away."""

    def __init__(
        self, settings: Mapping[str, str], *, topics: Sequence[str], groups: Sequence[str]
    ) -> None:
        self._options = client_options(settings)
        self._topics = topics
        self._groups = groups
        self._client: Any = None
        #: Offset, append time (seconds) and id of each record, by partition and in order.
        self._records: dict[TopicPartition, list[tuple[int, float, UUID]]] = {}
        self._ids: set[UUID] = set()

    async def known(self, event_ids: Sequence[UUID]) -> set[UUID]:
        await self._read(self._catch_up)
        return self._ids & set(event_ids)

    async def committed(self) -> AsyncIterator[Committed]:
        # The offsets first: what they count as done is in the log then.
        offsets = await self._read(self._offsets)
        await self._read(self._catch_up)
        young = time.time() - INBOX_AGE.total_seconds()
        for group, positions in sorted(offsets.items()):
            for slot, position in sorted(positions.items()):
                ids = [
                    event_id
                    for offset, at, event_id in self._records.get(slot, [])
                    if offset < position.offset and at > young
                ]
                for first in range(0, len(ids), CHUNK):
                    yield Committed(group, slot.topic, ids[first : first + CHUNK])

    async def close(self) -> None:
        if self._client is not None:
            await asyncio.to_thread(self._client.close)

    async def _read(self, call: Any) -> Any:
        until = time.monotonic() + TIMEOUT_MS / 1000
        while True:
            try:
                return await asyncio.to_thread(call)
            except KafkaError as error:
                # A new broker makes room for offsets when it is first asked for some.
                early = isinstance(error, CoordinatorNotAvailableError)
                if not early or time.monotonic() > until:
                    raise OSError(f"the Kafka of this bank cannot be read: {error}") from error
            await asyncio.sleep(RETRY_S)

    def _offsets(self) -> dict[str, dict[TopicPartition, Any]]:
        with contextlib.closing(KafkaAdminClient(**self._options)) as admin:
            return {name: admin.list_group_offsets([name])[name] for name in self._groups}

    def _open(self) -> None:
        self._client = KafkaConsumer(
            enable_auto_commit=False, allow_auto_create_topics=False, **self._options
        )
        there = self._client.topics()
        slots = [
            TopicPartition(topic, partition)
            for topic in self._topics
            if topic in there
            for partition in self._client.partitions_for_topic(topic)
        ]
        self._records = {slot: [] for slot in slots}
        self._client.assign(slots)
        since = int((time.time() - READ_AGE.total_seconds()) * 1000)
        first = self._client.offsets_for_times(dict.fromkeys(slots, since), timeout_ms=TIMEOUT_MS)
        end = self._client.end_offsets(slots, timeout_ms=TIMEOUT_MS)
        for slot in slots:
            self._client.seek(slot, first[slot].offset if first.get(slot) else end[slot])

    def _catch_up(self) -> None:
        """Read what the log had when this began."""
        if self._client is None:
            self._open()
        end = self._client.end_offsets(list(self._records), timeout_ms=TIMEOUT_MS)
        until = time.monotonic() + TIMEOUT_MS / 1000
        while any(self._client.position(slot) < end[slot] for slot in self._records):
            found = self._client.poll(timeout_ms=POLL_MS, max_records=BATCH)
            if found:
                until = time.monotonic() + TIMEOUT_MS / 1000
            elif time.monotonic() > until:
                raise KafkaError(f"nothing came of {sorted(self._topics)}")
            for slot, records in found.items():
                self._keep(slot, records)

    def _keep(self, slot: TopicPartition, records: Sequence[Any]) -> None:
        for one in records:
            name = dict(one.headers).get("event_id")
            if name is not None:  # else a stranger wrote it, and no outbox has it
                event_id = UUID(name.decode())
                self._records[slot].append((one.offset, one.timestamp / 1000, event_id))
                self._ids.add(event_id)
