"""What outbox and relay promise: what was committed is published, in order of its key."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import ClassVar

import pytest
from sqlalchemy import text

from shared.contracts.events.envelope import Envelope
from shared.kit import outbox, tracing
from shared.kit.bus.port import Bus, Message
from shared.kit.clock import utc_now
from shared.kit.database import Database
from tests.bank import eventually
from tests.kit.consuming import consuming
from tests.kit.proxy import Proxy
from tests.kit.support import ROOT, SERVICE, Counted, Kit, Stream, everything

WAITING = text("SELECT count(*) FROM outbox WHERE published_at IS NULL")


def later() -> datetime:
    """A clock at which the lease of a relay that died has run out."""
    return utc_now() + timedelta(seconds=outbox.LEASE_S + 1)


class CountingBus:
    """Notes how many messages one relay publishes."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self.published = 0

    async def publish(self, messages: Sequence[Message]) -> None:
        await self._bus.publish(messages)
        self.published += len(messages)


@asynccontextmanager
async def relaying(
    database: Database, bus: object, *, owner: str = "one", clock: Callable[[], datetime] = utc_now
) -> AsyncIterator[outbox.Relay]:
    relay = outbox.Relay(service=SERVICE, database=database, bus=bus, clock=clock, owner=owner)
    task = asyncio.create_task(relay.run())
    try:
        yield relay
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def add(
    database: Database, stream: Stream, numbers: Sequence[int], *, keys: int = 4, calls: int = 1
) -> None:
    """Write an event a number, in as many transactions as `calls`."""
    size = -(-len(numbers) // calls)
    for first in range(0, len(numbers), size):
        batch = numbers[first : first + size]
        events = [stream.counted(word=f"key-{n % keys}", number=n) for n in batch]
        async with database.transaction() as session:
            await outbox.add(session, source=SERVICE, now=utc_now(), events=events)


async def published(bus: Bus, stream: Stream) -> dict[str, list[int]]:
    """The numbers that the log has, by key and in order."""
    found: dict[str, list[int]] = {}
    for record in await everything(bus, stream.topic):
        data = Envelope.model_validate_json(record.value).data
        assert record.key == data["word"]
        found.setdefault(record.key, []).append(data["number"])
    return found


def in_order(numbers: Sequence[int], *, keys: int = 4) -> dict[str, list[int]]:
    return {f"key-{key}": [n for n in numbers if n % keys == key] for key in range(keys)}


async def drained(database: Database) -> None:
    """Returns when every row of the outbox is marked as published."""

    async def is_empty() -> bool:
        async with database.transaction() as session:
            return (await session.execute(WAITING)).scalar_one() == 0

    await eventually(is_empty)


class TestAdd:
    async def test_stores_nothing_of_a_transaction_that_fails(
        self, database: Database, stream: Stream, emptied: Kit
    ):
        with pytest.raises(ZeroDivisionError):
            async with database.transaction() as session:
                event = stream.counted(word="a", number=1)
                await outbox.add(session, source=SERVICE, now=utc_now(), events=[event])
                raise ZeroDivisionError
        assert await emptied.rows("SELECT 1 FROM outbox") == []

    async def test_refuses_a_service_that_the_topic_table_does_not_name(
        self, database: Database, stream: Stream
    ):
        async with database.transaction() as session:
            event = stream.counted(word="a", number=1)
            with pytest.raises(ValueError, match="ledger may not publish to"):
                await outbox.add(session, source="ledger", now=utc_now(), events=[event])

    async def test_refuses_a_topic_that_the_topic_table_does_not_have(self, database: Database):
        class Stray(Counted):
            topic: ClassVar[str] = "kit.stray.v1"

        async with database.transaction() as session:
            event = Stray(word="a", number=1)
            with pytest.raises(ValueError, match=r"kit may not publish to kit\.stray\.v1"):
                await outbox.add(session, source=SERVICE, now=utc_now(), events=[event])

    async def test_writes_an_envelope_that_names_source_time_and_trace(
        self, database: Database, stream: Stream, emptied: Kit
    ):
        now = utc_now()
        event = stream.counted(word='键 "1"', number=7)
        with tracing.span(None) as trace:
            async with database.transaction() as session:
                await outbox.add(session, source=SERVICE, now=now, events=[event])
        (row,) = await emptied.rows("SELECT * FROM outbox")
        envelope = Envelope.model_validate_json(row["envelope"])
        assert (envelope.id, envelope.source, envelope.type) == (row["event_id"], "kit", "Counted")
        assert (envelope.time, envelope.subject) == (now, '键 "1"')
        assert envelope.traceparent == trace.traceparent()
        assert stream.counted.model_validate(envelope.data) == event


class TestRelay:
    async def test_publishes_each_event_once_in_order_of_its_key(
        self, database: Database, log: Bus, stream: Stream
    ):
        numbers = range(2 * outbox.BATCH + 100)  # more than two rounds
        async with relaying(database, log) as relay:
            await add(database, stream, numbers, calls=10)
            relay.wake()
            await drained(database)
        assert await published(log, stream) == in_order(numbers)

    async def test_publishes_what_another_process_wrote_without_being_woken(
        self, database: Database, log: Bus, stream: Stream
    ):
        async with relaying(database, log):
            await add(database, stream, range(4))
            await drained(database)
        assert await published(log, stream) == in_order(range(4))

    async def test_of_two_is_one_at_a_time(self, database: Database, log: Bus, stream: Stream):
        buses = [CountingBus(log), CountingBus(log)]
        async with (
            relaying(database, buses[0], owner="one"),
            relaying(database, buses[1], owner="two"),
        ):
            await add(database, stream, range(400), calls=40)
            await drained(database)
        assert sorted(bus.published for bus in buses) == [0, 400]
        assert await published(log, stream) == in_order(range(400))

    async def test_that_ends_leaves_its_work_to_another_at_once(
        self, database: Database, log: Bus, stream: Stream
    ):
        async with relaying(database, log, owner="one"):
            await add(database, stream, range(4))
            await drained(database)
        stopped = utc_now()  # a clock at which no lease runs out any more
        async with relaying(database, log, owner="two", clock=lambda: stopped):
            await add(database, stream, range(4, 8))
            await drained(database)
        assert await published(log, stream) == in_order(range(8))

    async def test_waits_for_the_lease_of_one_that_may_live(
        self, database: Database, log: Bus, stream: Stream, emptied: Kit
    ):
        await emptied.rows(
            "INSERT INTO leases VALUES ('relay', 'another', now() + interval '1 hour')"
        )
        bus = CountingBus(log)
        async with relaying(database, bus):
            await add(database, stream, range(4))
            await asyncio.sleep(5 * outbox.POLL_S)
            assert bus.published == 0
            await emptied.rows("UPDATE leases SET until = now() - interval '1 second'")
            await drained(database)
        assert await published(log, stream) == in_order(range(4))

    async def test_killed_before_it_marks_repeats_what_the_inbox_absorbs(
        self, database: Database, log: Bus, stream: Stream, emptied: Kit
    ):
        await add(database, stream, range(20))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.kit.dying_relay", stream.topic),
            cwd=ROOT,
            env=emptied.environment(),
        )
        assert await process.wait() == -9
        assert await published(log, stream) == in_order(range(20))
        async with relaying(database, log, owner="heir", clock=later):
            await drained(database)
        twice = {key: numbers * 2 for key, numbers in in_order(range(20)).items()}
        assert await published(log, stream) == twice

        async with consuming(emptied, stream, database, log) as one:
            await one.loop.apply(await everything(log, stream.topic))
            assert sorted(await one.effects()) == sorted(f"key-{n % 4}" for n in range(20))

    async def test_loses_nothing_while_the_bus_is_away(
        self, database: Database, stream: Stream, emptied: Kit, log: Bus, proxy: Proxy
    ):
        bus = emptied.bus_through(proxy)
        async with relaying(database, bus):
            await add(database, stream, range(8))
            await drained(database)
            await proxy.cut()
            await add(database, stream, range(8, 40), calls=8)
            await proxy.mend()
            await drained(database)
        assert await published(log, stream) == in_order(range(40))
        await bus.close()

    async def test_goes_on_when_its_database_comes_back(
        self, stream: Stream, emptied: Kit, log: Bus, proxy: Proxy, database: Database
    ):
        cuttable = emptied.database_through(proxy)
        async with relaying(cuttable, log):
            await add(database, stream, range(8))
            await drained(database)
            await proxy.cut()
            await add(database, stream, range(8, 16))
            await proxy.mend()
            await drained(database)
        assert await published(log, stream) == in_order(range(16))
        await cuttable.close()


class TestRetention:
    async def test_forgets_what_was_published_longer_ago(
        self, database: Database, log: Bus, stream: Stream, emptied: Kit
    ):
        async with relaying(database, log):
            await add(database, stream, range(4))
            await drained(database)
        await add(database, stream, range(4, 8))
        gone = []
        for days in (1, 9):
            async with database.transaction() as session:
                now = utc_now() + timedelta(days=days)
                gone.append(await outbox.forget_published(session, now=now, keep_days=7))
        assert gone == [0, 4]
        assert len(await emptied.rows("SELECT 1 FROM outbox WHERE published_at IS NULL")) == 4

    async def test_forgets_a_bounded_number_at_once(self, database: Database, emptied: Kit):
        await emptied.rows(
            "INSERT INTO outbox (event_id, topic, key, envelope, created_at, published_at)"
            " SELECT gen_random_uuid(), 't', 'k', '', now(), now() - interval '9 days'"
            " FROM generate_series(1, $1)",
            outbox.RETENTION_BATCH + 1,
        )
        gone = []
        for _ in range(2):
            async with database.transaction() as session:
                now = utc_now()
                gone.append(await outbox.forget_published(session, now=now, keep_days=7))
        assert gone == [outbox.RETENTION_BATCH, 1]
