"""The bus on Apache Kafka, for where one machine is outgrown.

kafka-python blocks, so each of its clients works on a thread of its own, behind the port. Every
wait of it is bounded; a broker that is away is an exception, and the loops above try again.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_OID, UUID, uuid5

from kafka import (
    ConsumerRebalanceListener,
    KafkaAdminClient,
    KafkaConsumer,
    KafkaProducer,
    TopicPartition,
)
from kafka.admin import OffsetSpec
from kafka.errors import (
    CommitFailedError,
    KafkaError,
    NoError,
    RebalanceInProgressError,
    TopicAlreadyExistsError,
    for_code,
)
from kafka.net.compat import KafkaNetClient

from shared.contracts.topics import BY_NAME
from shared.kit.bus.port import Message, Record, partition_of
from shared.kit.settings import Settings

EVENT_ID = "event_id"
REQUEST_TIMEOUT_MS = 5_000
#: How long a publish may take, with every retry of it.
DELIVERY_TIMEOUT_MS = 10_000
#: A member that has not been heard of for so long has lost its partitions.
SESSION_TIMEOUT_MS = 6_000
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
#: The loops above log what fails; the client would add a line for every try of its own.
logging.getLogger("kafka").setLevel(logging.CRITICAL)


class _Thread:
    """One thread, on which blocking calls run in the order in which they came."""

    def __init__(self, name: str) -> None:
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)

    async def run(self, call: Callable[..., Any], *arguments: object) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._executor, call, *arguments)

    def end(self) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)


class KafkaBus:
    """`settings` name the brokers and how to reach them; `application` names the clients."""

    def __init__(self, settings: Settings, *, application: str) -> None:
        self._config = client_config(settings, application=application)
        self._thread = _Thread("kafka-bus")
        self._producer: Any = None
        self._admin: Any = None
        self._ensured: set[str] = set()

    async def publish(self, messages: Sequence[Message]) -> None:
        await self._thread.run(self._publish, messages)

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
        if self._producer is None:
            self._producer = _opened(
                KafkaProducer,
                self._config,
                acks="all",
                enable_idempotence=True,
                allow_auto_create_topics=False,
                batch_size=2 * WAVE_BYTES,
                linger_ms=DELIVERY_TIMEOUT_MS - REQUEST_TIMEOUT_MS,  # until the flush
                delivery_timeout_ms=DELIVERY_TIMEOUT_MS,
                max_block_ms=REQUEST_TIMEOUT_MS,
            )
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
        self._producer.flush(timeout=DELIVERY_TIMEOUT_MS / 1000 + 1)
        for one in sent:
            one.get(timeout=0)

    def _drop_producer(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            # Its `close` would first wait for what it cannot send, and then give up closing.
            producer._sender.force_close()  # noqa: SLF001
            producer._sender.join(REQUEST_TIMEOUT_MS / 1000)  # noqa: SLF001
            with suppress(KafkaError):
                producer.close(timeout=0)

    def _administrator(self) -> Any:
        if self._admin is None:
            self._admin = _opened(KafkaAdminClient, self._config)
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
            made = admin.create_topics(absent, raise_errors=False)
            for topic in made["topics"]:
                error = for_code(topic["error_code"])
                if error not in {NoError, TopicAlreadyExistsError}:
                    raise error(topic["name"])
            admin.wait_for_topics(list(absent), timeout_ms=REQUEST_TIMEOUT_MS)
        for name, number in partitions.items():
            if number != BY_NAME[name].partitions:
                raise ValueError(f"{name} has {number} partitions, not {BY_NAME[name].partitions}")
        self._ensured.update(new)

    async def consumer(self, *, group: str, topics: Sequence[str], member: str) -> "KafkaMember":
        await self._thread.run(self._ensure, topics)
        client, thread = await self._client(
            client_id=member,
            group_id=group,
            session_timeout_ms=SESSION_TIMEOUT_MS,
            heartbeat_interval_ms=SESSION_TIMEOUT_MS // 4,
            max_poll_interval_ms=POLL_INTERVAL_MS,
        )
        return KafkaMember(client, thread, topics=topics)

    async def reader(self, *, topics: Sequence[str], since: datetime | None) -> "KafkaReader":
        await self._thread.run(self._ensure, topics)
        client, thread = await self._client()
        reader = KafkaReader(client, thread)
        try:
            await thread.run(reader.begin, topics, since)
        except BaseException:
            await reader.close()
            raise
        return reader

    async def _client(self, **own: object) -> tuple[Any, _Thread]:
        thread = _Thread("kafka-consumer")
        settings = {"enable_auto_commit": False, "auto_offset_reset": "earliest"}
        settings |= {"allow_auto_create_topics": False}
        try:
            client = await thread.run(
                lambda: _opened(KafkaConsumer, self._config, **settings, **own)
            )
        except BaseException:
            thread.end()
            raise
        return client, thread

    async def rewind(self, *, group: str, topics: Sequence[str]) -> None:
        await self._thread.run(self._rewind, group, topics)

    def _rewind(self, group: str, topics: Sequence[str]) -> None:
        self._ensure(topics)
        oldest = dict.fromkeys(_slots(topics), OffsetSpec.EARLIEST)
        admin = self._administrator()
        for slot, result in _patient(admin.reset_group_offsets, group, oldest).items():
            if result["error"] is not NoError:
                raise result["error"](f"{group} cannot be rewound: {slot}")

    async def lag(self, *, group: str, topics: Sequence[str]) -> int:
        return int(await self._thread.run(self._lag, group, topics))

    def _lag(self, group: str, topics: Sequence[str]) -> int:
        self._ensure(topics)
        admin, slots = self._administrator(), _slots(topics)
        first = _patient(admin.list_partition_offsets, dict.fromkeys(slots, OffsetSpec.EARLIEST))
        end = _patient(admin.list_partition_offsets, dict.fromkeys(slots, OffsetSpec.LATEST))
        done = _patient(admin.list_group_offsets, {group: slots})[group]
        return sum(
            end[slot].offset - max(first[slot].offset, done[slot].offset if slot in done else 0)
            for slot in slots
        )

    async def forget(self, *, topic: str, before: datetime) -> int:  # noqa: ARG002 - the broker does
        return 0

    async def close(self) -> None:
        # Beside the thread, not on it: a publish that waits for a broker ends with its producer.
        await asyncio.to_thread(self._drop_producer)
        if self._admin is not None:
            await asyncio.to_thread(self._admin.close)
        self._thread.end()


class _Polling:
    """A client that polls. What was polled counts once the caller has it in its hands."""

    def __init__(self, client: Any, thread: _Thread) -> None:
        self._client = client
        self._thread = thread
        self._closed = False
        self._heard = time.monotonic()
        #: The first offset of each partition that a poll took and its caller never got.
        self._lost: dict[TopicPartition, int] = {}
        #: The first offset of each partition that was polled and not committed.
        self._open: dict[TopicPartition, int] = {}

    async def poll(self, *, limit: int, timeout_s: float) -> list[Record]:
        records: list[Record] = await self._thread.run(self._poll, limit, timeout_s)
        self._lost.clear()
        return records

    def _poll(self, limit: int, timeout_s: float) -> list[Record]:
        self._seek(self._lost)
        found = self._client.poll(timeout_ms=int(timeout_s * 1000), max_records=limit)
        if found or time.monotonic() > self._heard + HEARD_S:
            if not found:
                # A broker that is away looks like one that has nothing: does it answer?
                slots = list(self._client.assignment())
                self._client.end_offsets(slots, timeout_ms=REQUEST_TIMEOUT_MS)
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
        if self._closed:
            return
        self._closed = True
        try:
            await self._thread.run(
                lambda: self._client.close(autocommit=False, timeout_ms=REQUEST_TIMEOUT_MS)
            )
        finally:
            self._thread.end()


class KafkaMember(_Polling):
    """A member of a consumer group; Kafka shares the partitions among them."""

    def __init__(self, client: Any, thread: _Thread, *, topics: Sequence[str]) -> None:
        super().__init__(client, thread)
        client.subscribe(topics=list(topics), listener=_Rebalance(self._open))

    async def commit(self) -> None:
        await self._thread.run(self._commit)

    def _commit(self) -> None:
        self._seek(self._lost)
        # What other members have taken over comes again, to them.
        with suppress(CommitFailedError, RebalanceInProgressError):
            self._client.commit(timeout_ms=REQUEST_TIMEOUT_MS)
        self._open.clear()

    async def seek_back(self) -> None:
        await self._thread.run(lambda: self._seek(self._open))


class KafkaReader(_Polling):
    """Reads every partition; caught up when it has passed what was the end at its beginning."""

    def begin(self, topics: Sequence[str], since: datetime | None) -> None:
        slots = _slots(topics)
        self._client.assign(slots)
        self._ahead = self._client.end_offsets(slots, timeout_ms=REQUEST_TIMEOUT_MS)
        if since is None:
            first = self._client.beginning_offsets(slots, timeout_ms=REQUEST_TIMEOUT_MS)
        else:
            times = dict.fromkeys(slots, int(since.timestamp() * 1000))
            found = self._client.offsets_for_times(times, timeout_ms=REQUEST_TIMEOUT_MS)
            first = {s: found[s].offset if found.get(s) else self._ahead[s] for s in slots}
        self._seek(first)

    async def caught_up(self) -> bool:
        return bool(await self._thread.run(self._caught_up))

    def _caught_up(self) -> bool:
        self._seek(self._lost)
        for slot, end in list(self._ahead.items()):
            # The client's own position: it also passes what the broker dropped meanwhile.
            if (self._client.position(slot, timeout_ms=REQUEST_TIMEOUT_MS) or 0) >= end:
                del self._ahead[slot]
        return not self._ahead


class _Rebalance(ConsumerRebalanceListener):  # type: ignore[misc]
    """After a rebalance every partition goes on where its group committed."""

    def __init__(self, positions: dict[TopicPartition, int]) -> None:
        self._positions = positions

    def on_partitions_revoked(self, revoked: object) -> None:  # noqa: ARG002 - all are given back
        self._positions.clear()

    def on_partitions_assigned(self, assigned: object) -> None:
        """Nothing to do."""


def client_config(settings: Settings, *, application: str) -> dict[str, Any]:
    """What every client of kafka-python is told. Raises ValueError: there is no address."""
    if not settings.kafka_bootstrap_servers:
        raise ValueError("KAFKA_BOOTSTRAP_SERVERS must name a broker")
    password = settings.kafka_sasl_password
    return {
        "bootstrap_servers": settings.kafka_bootstrap_servers.split(","),
        "client_id": application,
        "security_protocol": settings.kafka_security_protocol,
        "sasl_mechanism": settings.kafka_sasl_mechanism,
        "sasl_plain_username": settings.kafka_sasl_username,
        "sasl_plain_password": password.get_secret_value() if password else None,
        "ssl_cafile": settings.kafka_ssl_cafile,
        "ssl_certfile": settings.kafka_ssl_certfile,
        "ssl_keyfile": settings.kafka_ssl_keyfile,
        "request_timeout_ms": REQUEST_TIMEOUT_MS,
        "bootstrap_timeout_ms": REQUEST_TIMEOUT_MS,
        "reconnect_backoff_max_ms": 1_000,
    }


def _opened(kind: Callable[..., Any], config: dict[str, Any], **own: object) -> Any:
    """A client that is connected. One that cannot connect would leave its thread behind."""
    networks: list[KafkaNetClient] = []

    def network(**options: object) -> KafkaNetClient:
        networks.append(KafkaNetClient(**options))
        return networks[-1]

    try:
        return kind(**(config | own), kafka_client=network)
    except Exception:
        for one in networks:
            one.close()
        raise


def _patient(call: Callable[..., Any], *arguments: object) -> Any:
    """An administrator's question again while the answer is that it is too early for one."""
    until = time.monotonic() + REQUEST_TIMEOUT_MS / 1000
    while True:
        try:
            return call(*arguments)
        except KafkaError as error:
            if not error.retriable or time.monotonic() > until:
                raise
            time.sleep(RETRY_S)


def _declared(topic: str) -> dict[str, Any]:
    days = BY_NAME[topic].retention_days
    configs = {
        "retention.ms": str(-1 if days is None else days * DAY_MS),
        # The broker's clock, which is one, and not each producer's.
        "message.timestamp.type": "LogAppendTime",
    }
    return {"num_partitions": BY_NAME[topic].partitions, "configs": configs}


def _waves(messages: Sequence[Message]) -> list[list[Message]]:
    waves: list[list[Message]] = []
    size = 0
    for message in messages:
        own = len(message.key.encode()) + len(message.value.encode()) + OVERHEAD_BYTES
        if not waves or size + own > WAVE_BYTES:
            waves.append([])
            size = 0
        waves[-1].append(message)
        size += own
    return waves


def _slots(topics: Sequence[str]) -> list[TopicPartition]:
    return [TopicPartition(name, i) for name in topics for i in range(BY_NAME[name].partitions)]


def _record(one: Any) -> Record:
    """What is not ours has no id of ours; it gets one of its place, and ends as a dead letter."""
    own = dict(one.headers).get(EVENT_ID)
    place = f"{one.topic}/{one.partition}/{one.offset}"
    return Record(
        topic=one.topic,
        partition=one.partition,
        offset=one.offset,
        key=(one.key or b"").decode(errors="replace"),
        event_id=UUID(own.decode()) if own else uuid5(NAMESPACE_OID, place),
        value=(one.value or b"").decode(errors="replace"),
        at=datetime.fromtimestamp(one.timestamp / 1000, UTC),
    )
