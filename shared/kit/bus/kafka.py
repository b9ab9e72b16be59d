"""The bus on Apache Kafka, for where one machine is outgrown.

kafka-python blocks, so each of its clients works on a thread of its own, behind the port. Every
wait of it is bounded; a broker that is away is an exception, and the loops above try again.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any, Self
from uuid import NAMESPACE_OID, UUID, uuid5

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition, errors
from kafka.admin import OffsetSpec
from kafka.net.compat import KafkaNetClient

from shared.contracts.topics import BY_NAME
from shared.kit.bus.port import Message, Record, later, partition_of
from shared.kit.settings import Settings

EVENT_ID = "event_id"
TIMEOUT_MS = 5_000
#: How long a publish may take, with every retry of it.
DELIVERY_MS = 10_000
#: A member that has not been heard of for so long has lost its partitions.
SESSION_MS = 6_000
#: A member that does not poll for so long is taken for hung, and its partitions go on without it.
POLL_INTERVAL_MS = 10_000
#: Messages of one round trip, in bytes; below what a broker takes as one batch by default.
WAVE_BYTES = 500_000
#: What a record takes beside its key and value, at the most.
OVERHEAD_BYTES = 200
DAY_MS = 86_400_000
RETRY_S = 0.1
#: A broker that said nothing for so long is asked whether it is there.
HEARD_S = 1.0
PRODUCER = {
    "acks": "all",
    "enable_idempotence": True,
    "allow_auto_create_topics": False,
    "batch_size": 2 * WAVE_BYTES,
    "linger_ms": DELIVERY_MS - TIMEOUT_MS,  # until the flush
    "delivery_timeout_ms": DELIVERY_MS,
    "max_block_ms": TIMEOUT_MS,
}
CONSUMER = {
    "enable_auto_commit": False,
    "auto_offset_reset": "earliest",
    "allow_auto_create_topics": False,
}
MEMBER = {
    "session_timeout_ms": SESSION_MS,
    "heartbeat_interval_ms": SESSION_MS // 4,
    "max_poll_interval_ms": POLL_INTERVAL_MS,
}
#: The loops above log what fails; the client would add a line for every try of its own.
logging.getLogger("kafka").setLevel(logging.CRITICAL)


class _Threaded:
    """Blocking calls run on one thread, in the order in which they came."""

    def __init__(self, config: dict[str, Any]) -> None:
        self._config = config
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="kafka")

    async def _run(self, call: Callable[..., Any], *arguments: object) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call, *arguments)


class KafkaBus(_Threaded):
    """`settings` name the brokers and how to reach them; `application` names the clients."""

    def __init__(self, settings: Settings, *, application: str) -> None:
        super().__init__(client_config(settings, application=application))
        self._producer: Any = None
        self._admin: Any = None
        self._ensured: set[str] = set()

    async def publish(self, messages: Sequence[Message]) -> None:
        await self._run(self._publish, messages)

    def _publish(self, messages: Sequence[Message]) -> None:
        self._ensure([message.topic for message in messages])
        try:
            for wave in _waves(messages):
                self._publish_wave(wave)
        except Exception:
            # What this producer still holds must not arrive behind what is published next.
            self._drop_producer()
            raise

    def _publish_wave(self, messages: Sequence[Message]) -> None:
        """One batch a partition: a later message is never stored where an earlier one failed."""
        self._producer = self._producer or _opened(KafkaProducer, self._config | PRODUCER)
        sent = [
            self._producer.send(
                message.topic,
                key=message.key.encode(),
                value=message.value.encode(),
                headers=[(EVENT_ID, str(message.event_id).encode())],
                partition=partition_of(message.key, BY_NAME[message.topic].partitions),
            )
            for message in messages
        ]
        self._producer.flush(timeout=DELIVERY_MS / 1000 + 1)
        for one in sent:
            one.get(timeout=0)

    def _drop_producer(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            # Its `close` would first wait for what it cannot send, and then give up closing.
            producer._sender.force_close()  # noqa: SLF001
            producer._sender.join(TIMEOUT_MS / 1000)  # noqa: SLF001
            with suppress(errors.KafkaError):
                producer.close(timeout=0)

    def _administrator(self) -> Any:
        self._admin = self._admin or _opened(KafkaAdminClient, self._config)
        return self._admin

    def _ensure(self, topics: Sequence[str]) -> None:
        """Create the topics that are missing, as the topic table has them; once a process."""
        new = sorted(set(topics) - self._ensured)
        if not new:
            return
        admin = self._administrator()
        found = [topic for topic in admin.describe_topics(new) if topic["error_code"] == 0]
        partitions = {topic["name"]: len(topic["partitions"]) for topic in found}
        absent = {name: _declared(name) for name in new if name not in partitions}
        if absent:
            for topic in admin.create_topics(absent, raise_errors=False)["topics"]:
                error = errors.for_code(topic["error_code"])
                if error not in {errors.NoError, errors.TopicAlreadyExistsError}:
                    raise error(topic["name"])
            admin.wait_for_topics(list(absent), timeout_ms=TIMEOUT_MS)
        for name, number in partitions.items():
            if number != BY_NAME[name].partitions:
                raise ValueError(f"{name} has {number} partitions, not {BY_NAME[name].partitions}")
        self._ensured.update(new)

    async def consumer(self, *, group: str, topics: Sequence[str], member: str) -> "KafkaMember":
        await self._run(self._ensure, topics)
        own = MEMBER | {"client_id": member, "group_id": group}
        return await KafkaMember(self._config | own).begun(topics, None)

    async def reader(
        self,
        *,
        topics: Sequence[str],
        since: datetime | None,
        after: Mapping[tuple[str, int], int] | None = None,
    ) -> "KafkaReader":
        await self._run(self._ensure, topics)
        reader = KafkaReader(self._config)
        reader.after = after or {}
        return await reader.begun(topics, since)

    async def rewind(self, *, group: str, topics: Sequence[str]) -> None:
        await self._run(self._rewind, group, topics)

    def _rewind(self, group: str, topics: Sequence[str]) -> None:
        self._ensure(topics)
        oldest = dict.fromkeys(_slots(topics), OffsetSpec.EARLIEST)
        done = _patient(self._administrator().reset_group_offsets, group, oldest)
        for slot, result in done.items():
            if result["error"] is not errors.NoError:
                raise result["error"](f"{group} cannot be rewound: {slot}")

    async def lag(self, *, group: str, topics: Sequence[str]) -> int:
        return int(await self._run(self._lag, group, topics))

    def _lag(self, group: str, topics: Sequence[str]) -> int:
        self._ensure(topics)
        admin, slots = self._administrator(), _slots(topics)
        first = _patient(admin.list_partition_offsets, dict.fromkeys(slots, OffsetSpec.EARLIEST))
        end = _patient(admin.list_partition_offsets, dict.fromkeys(slots, OffsetSpec.LATEST))
        done = _patient(admin.list_group_offsets, {group: slots})[group]
        at = {slot: max(first[slot].offset, getattr(done.get(slot), "offset", 0)) for slot in slots}
        return sum(end[slot].offset - at[slot] for slot in slots)

    async def forget(self, *, topic: str, before: datetime) -> int:  # noqa: ARG002
        return 0  # the broker does it, by the topic's retention

    async def close(self) -> None:
        # Beside the thread, not on it: a publish that waits for a broker ends with its producer.
        await asyncio.to_thread(self._drop_producer)
        if self._admin is not None:
            await asyncio.to_thread(self._admin.close)
        self._thread.shutdown(wait=False, cancel_futures=True)


class _Polling(_Threaded):
    """A client that polls. What was polled counts once the caller has it in its hands."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(config | CONSUMER)
        self._client: Any = None
        self._heard = time.monotonic()
        self._assigned: set[TopicPartition] = set()
        #: The first offset of each partition that a poll took and its caller never got.
        self._lost: dict[TopicPartition, int] = {}
        #: The first offset of each partition that was polled and not committed.
        self._open: dict[TopicPartition, int] = {}

    async def begun(self, topics: Sequence[str], since: datetime | None) -> Self:
        try:
            await self._run(self._begin, topics, since)
        except BaseException:
            await self.close()
            raise
        return self

    def _begin(self, topics: Sequence[str], since: datetime | None) -> None:
        raise NotImplementedError

    async def poll(self, *, limit: int, timeout_s: float) -> list[Record]:
        records: list[Record] = await self._run(self._poll, self._client, limit, timeout_s)
        self._lost.clear()
        return records

    def _poll(self, client: Any, limit: int, timeout_s: float) -> list[Record]:
        self._seek(self._lost)
        found = client.poll(timeout_ms=int(timeout_s * 1000), max_records=limit)
        assigned = client.assignment()
        if assigned != self._assigned:  # what it had goes on where the group committed
            self._open.clear()
            self._assigned = set(assigned)
        if found or time.monotonic() > self._heard + HEARD_S:
            if not found:
                # A broker that is away looks like one that has nothing: does it answer?
                client.end_offsets(list(assigned), timeout_ms=TIMEOUT_MS)
            self._heard = time.monotonic()
        for slot, records in found.items():
            self._lost[slot] = records[0].offset
            self._open.setdefault(slot, records[0].offset)
        return [_record(one) for records in found.values() for one in records]

    def _seek(self, positions: dict[TopicPartition, int]) -> None:
        for slot, offset in positions.items():
            with suppress(ValueError):  # it belongs to another member meanwhile
                self._client.seek(slot, offset)
        positions.clear()

    async def close(self) -> None:
        client, self._client = self._client, None
        try:
            if client is not None:
                await self._run(partial(client.close, autocommit=False, timeout_ms=TIMEOUT_MS))
        finally:
            self._thread.shutdown(wait=False)


class KafkaMember(_Polling):
    """A member of a consumer group; Kafka shares the partitions among them."""

    def _begin(self, topics: Sequence[str], since: datetime | None) -> None:  # noqa: ARG002
        self._client = _opened(KafkaConsumer, self._config)
        self._client.subscribe(topics=list(topics))

    async def commit(self) -> None:
        await self._run(self._commit)

    def _commit(self) -> None:
        self._seek(self._lost)
        # What other members have taken over comes again, to them.
        with suppress(errors.CommitFailedError, errors.RebalanceInProgressError):
            self._client.commit(timeout_ms=TIMEOUT_MS)
        self._open.clear()

    async def seek_back(self) -> None:
        await self._run(self._seek, self._open)


class KafkaReader(_Polling):
    """Reads every partition; caught up when it has passed what was the end at its beginning."""

    #: As in the port's `reader`.
    after: Mapping[tuple[str, int], int] = {}

    def _begin(self, topics: Sequence[str], since: datetime | None) -> None:
        self._client, slots = _opened(KafkaConsumer, self._config), _slots(topics)
        self._client.assign(slots)
        self._ahead = self._client.end_offsets(slots, timeout_ms=TIMEOUT_MS)
        first = self._client.beginning_offsets(slots, timeout_ms=TIMEOUT_MS)
        if since is not None:
            times = dict.fromkeys(slots, int(since.timestamp() * 1000))
            found = self._client.offsets_for_times(times, timeout_ms=TIMEOUT_MS)
            first = {s: found[s].offset if found.get(s) else self._ahead[s] for s in slots}
        self._seek(later(first, self.after, end=self._ahead))

    async def caught_up(self) -> bool:
        return bool(await self._run(self._caught_up))

    def _caught_up(self) -> bool:
        self._seek(self._lost)
        for slot, end in list(self._ahead.items()):
            # The client's own position: it also passes what the broker dropped meanwhile.
            if (self._client.position(slot, timeout_ms=TIMEOUT_MS) or 0) >= end:
                del self._ahead[slot]
        return not self._ahead


def client_config(settings: Settings, *, application: str) -> dict[str, Any]:
    """What every client of kafka-python is told. Raises ValueError: there is no address."""
    if not settings.kafka_bootstrap_servers:
        raise ValueError("KAFKA_BOOTSTRAP_SERVERS must name a broker")
    password = settings.kafka_sasl_password
    same = ("security_protocol", "sasl_mechanism", "ssl_cafile", "ssl_certfile", "ssl_keyfile")
    return {name: getattr(settings, f"kafka_{name}") for name in same} | {
        "bootstrap_servers": settings.kafka_bootstrap_servers.split(","),
        "client_id": application,
        "sasl_plain_username": settings.kafka_sasl_username,
        "sasl_plain_password": password.get_secret_value() if password else None,
        "request_timeout_ms": TIMEOUT_MS,
        "bootstrap_timeout_ms": TIMEOUT_MS,
        "reconnect_backoff_max_ms": 1_000,
    }


def _opened(kind: Callable[..., Any], config: dict[str, Any]) -> Any:
    """A client that is connected. One that cannot connect would leave its thread behind."""
    networks: list[KafkaNetClient] = []

    def network(**options: object) -> KafkaNetClient:
        networks.append(KafkaNetClient(**options))
        return networks[-1]

    try:
        return kind(**config, kafka_client=network)
    except Exception:
        for one in networks:
            one.close()
        raise


def _patient(call: Callable[..., Any], *arguments: object) -> Any:
    """An administrator's question again while the answer is that it is too early for one."""
    until = time.monotonic() + TIMEOUT_MS / 1000
    while True:
        try:
            return call(*arguments)
        except errors.KafkaError as error:
            if not error.retriable or time.monotonic() > until:
                raise
            time.sleep(RETRY_S)


def _declared(topic: str) -> dict[str, Any]:
    days = BY_NAME[topic].retention_days
    keep = {"retention.ms": str(-1 if days is None else days * DAY_MS)}
    # The broker's clock, which is one, and not each producer's.
    clock = {"message.timestamp.type": "LogAppendTime"}
    return {"num_partitions": BY_NAME[topic].partitions, "configs": keep | clock}


def _waves(messages: Sequence[Message]) -> Iterator[list[Message]]:
    wave: list[Message] = []
    size = 0
    for message in messages:
        own = len(message.key.encode()) + len(message.value.encode()) + OVERHEAD_BYTES
        if wave and size + own > WAVE_BYTES:
            yield wave
            wave, size = [], 0
        wave.append(message)
        size += own
    yield wave


def _slots(topics: Sequence[str]) -> list[TopicPartition]:
    return [TopicPartition(name, i) for name in topics for i in range(BY_NAME[name].partitions)]


def _record(one: Any) -> Record:
    """What is not ours has no id of ours; it gets one of its place, and ends as a dead letter."""
    own = dict(one.headers).get(EVENT_ID)
    place = f"{one.topic}/{one.partition}/{one.offset}"
    event_id = UUID(own.decode()) if own else uuid5(NAMESPACE_OID, place)
    key, value = ((part or b"").decode(errors="replace") for part in (one.key, one.value))
    at = datetime.fromtimestamp(one.timestamp / 1000, UTC)
    return Record(one.topic, one.partition, one.offset, key, event_id, value, at)
