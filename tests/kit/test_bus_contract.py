"""What every adapter of the `Bus` port promises. A new adapter is one more parameter."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from shared.kit.bus.port import Bus, Record
from tests.kit.adapters import Adapter
from tests.kit.support import PARTITIONS, Stream, Told, collect, everything, numbers, values


async def past(instant: datetime) -> None:
    """Let the clock pass `instant`, so that what is published next is later."""
    await asyncio.sleep((instant - datetime.now(UTC)).total_seconds() + 0.002)


class TestPublish:
    async def test_gives_back_what_was_published(self, bus: Bus, told: Told):
        message = told.message("键-1", '{"name": "通宝 €", "quote": "\\"\'"}')
        before = datetime.now(UTC) - timedelta(seconds=1)
        await bus.publish([message])
        (record,) = await everything(bus, told.topic)
        assert (record.topic, record.key) == (message.topic, message.key)
        assert (record.event_id, record.value) == (message.event_id, message.value)
        assert 0 <= record.partition < PARTITIONS
        assert before <= record.at <= datetime.now(UTC) + timedelta(seconds=1)

    async def test_of_nothing_tells_nothing(self, bus: Bus, told: Told):
        await bus.publish([])
        assert await everything(bus, told.topic) == []

    async def test_keeps_the_order_of_a_call(self, bus: Bus, told: Told):
        await told.publish(bus, 50, keys=1)
        assert values(await everything(bus, told.topic)) == [str(n) for n in range(50)]

    async def test_keeps_each_producers_order_of_a_key(
        self, adapter: Adapter, told: Told, unique: str
    ):
        async def produce(name: str) -> None:
            bus = adapter.open(f"kit-{unique}-{name}")
            try:
                for call in range(10):
                    batch = [
                        told.message(f"key-{n % 3}", f"{name}:{call * 6 + n}") for n in range(6)
                    ]
                    await bus.publish(batch)
            finally:
                await bus.close()

        names = ("a", "b", "c", "d")
        await asyncio.gather(*(produce(name) for name in names))
        reader = adapter.open(f"kit-{unique}-reader")
        records = await everything(reader, told.topic)
        await reader.close()
        assert len(records) == 4 * 60
        for key in ("key-0", "key-1", "key-2"):
            of_key = [record for record in records if record.key == key]
            assert len({record.partition for record in of_key}) == 1
            for name in names:
                sent = [int(v.split(":")[1]) for v in values(of_key) if v.startswith(name)]
                assert sent == [n for n in range(60) if f"key-{n % 6 % 3}" == key]


class TestReader:
    async def test_never_skips_a_record_that_commits_later(
        self, adapter: Adapter, bus: Bus, told: Told, unique: str
    ):
        key = f"held-{unique}"
        reading = adapter.open(f"kit-{unique}-reader")
        reader = await reading.reader(topics=[told.topic], since=None)
        seen: list[Record] = []
        async with adapter.held_commit(key) as held, asyncio.TaskGroup() as tasks:
            tasks.create_task(bus.publish([told.message(key, "earlier")]))
            await held.begun()
            # The same partitions and others, while the first publish is under way.
            for n in range(3):
                later = [told.message(f"later-{n}-{unique}-{i}", f"later-{n}") for i in range(8)]
                tasks.create_task(bus.publish(later))
            for _ in range(5):
                seen += await reader.poll(limit=100, timeout_s=0.1)
            await held.release()
        seen += await collect(reader, 25 - len(seen))
        later_ones = [f"later-{n}" for n in range(3) for _ in range(8)]
        assert sorted(values(seen)) == ["earlier", *later_ones]
        await reader.close()
        await reading.close()

    async def test_reads_everything_from_the_oldest(self, bus: Bus, told: Told):
        await told.publish(bus, 30)
        reader = await bus.reader(topics=[told.topic], since=None)
        records: list[Record] = []
        while not await reader.caught_up():
            records += await reader.poll(limit=7, timeout_s=0.2)
        assert numbers(records) == list(range(30))
        await reader.close()

    async def test_reads_from_a_time_on(self, bus: Bus, told: Told):
        await told.publish(bus, 10)
        newest = max(record.at for record in await everything(bus, told.topic))
        since = newest + timedelta(milliseconds=5)
        await past(since)
        await told.publish(bus, 10, first=10)
        reader = await bus.reader(topics=[told.topic], since=since)
        assert not await reader.caught_up()
        assert numbers(await collect(reader, 10)) == list(range(10, 20))
        assert await reader.caught_up()
        await reader.close()

    async def test_from_a_time_without_records_is_caught_up_and_reads_what_comes(
        self, bus: Bus, told: Told
    ):
        await told.publish(bus, 10)
        later = datetime.now(UTC) + timedelta(hours=1)
        reader = await bus.reader(topics=[told.topic], since=later)
        assert await reader.caught_up()
        await told.publish(bus, 3, first=10)
        assert numbers(await collect(reader, 3)) == [10, 11, 12]
        await reader.close()

    async def test_reads_from_a_place_on_in_each_partition(self, bus: Bus, told: Told):
        await told.publish(bus, 30)
        before = await everything(bus, told.topic)
        after: dict[tuple[str, int], int] = {}
        for record in before[:17]:
            after[(record.topic, record.partition)] = record.offset + 1
        reader = await bus.reader(topics=[told.topic], since=None, after=after)
        assert not await reader.caught_up()
        found = await collect(reader, 13)
        assert sorted(numbers(found)) == sorted(numbers(before[17:]))
        assert await reader.caught_up()
        await reader.close()

    async def test_refuses_a_place_that_the_log_has_not_come_to(self, bus: Bus, told: Told):
        await told.publish(bus, 3)
        with pytest.raises(ValueError, match="another log"):
            await bus.reader(topics=[told.topic], since=None, after={(told.topic, 0): 10_000})

    async def test_has_caught_up_when_it_passes_the_end_of_its_beginning(
        self, bus: Bus, told: Told
    ):
        await told.publish(bus, 10)
        reader = await bus.reader(topics=[told.topic], since=None)
        await told.publish(bus, 5, first=10)
        assert not await reader.caught_up()
        await collect(reader, 15)
        assert await reader.caught_up()
        await reader.close()

    async def test_of_an_empty_topic_has_caught_up(self, bus: Bus, told: Told):
        reader = await bus.reader(topics=[told.topic], since=None)
        assert await reader.caught_up()
        assert await reader.poll(limit=10, timeout_s=0.05) == []
        await reader.close()

    async def test_sees_the_same_as_another_and_moves_no_group(
        self, bus: Bus, told: Told, stream: Stream
    ):
        consumer = await bus.consumer(group=stream.group, topics=[told.topic], member="one")
        await told.publish(bus, 10)
        first = await everything(bus, told.topic)
        assert first == await everything(bus, told.topic)
        assert await bus.lag(group=stream.group, topics=[told.topic]) == 10
        assert len(await collect(consumer, 10)) == 10
        await consumer.close()


class TestForget:
    async def test_drops_what_is_older_and_keeps_the_rest(
        self, adapter: Adapter, bus: Bus, told: Told
    ):
        await told.publish(bus, 10)
        newest = max(record.at for record in await everything(bus, told.topic))
        before = newest + timedelta(microseconds=1)
        await past(before)
        await told.publish(bus, 6, first=10)
        gone = await bus.forget(topic=told.topic, before=before)
        kept = await everything(bus, told.topic)
        assert (gone, len(kept)) == ((10, 6) if adapter.forgets else (0, 16))
        assert numbers(kept)[-6:] == list(range(10, 16))

    async def test_leaves_no_reader_waiting_for_what_is_gone(self, bus: Bus, told: Told):
        await told.publish(bus, 10)
        during = await bus.reader(topics=[told.topic], since=None)
        await bus.forget(topic=told.topic, before=datetime.now(UTC) + timedelta(hours=1))
        after = await bus.reader(topics=[told.topic], since=None)
        async with asyncio.timeout(20):
            for reader in (during, after):
                while not await reader.caught_up():
                    await reader.poll(limit=100, timeout_s=0.1)
                await reader.close()

    async def test_leaves_no_group_behind(
        self, adapter: Adapter, bus: Bus, told: Told, stream: Stream
    ):
        consumer = await bus.consumer(group=stream.group, topics=[told.topic], member="one")
        await told.publish(bus, 10)
        await bus.forget(topic=told.topic, before=datetime.now(UTC) + timedelta(hours=1))
        if adapter.forgets:
            assert await bus.lag(group=stream.group, topics=[told.topic]) == 0
        await told.publish(bus, 4, first=10)
        records = await collect(consumer, 4 if adapter.forgets else 14)
        assert numbers(records)[-4:] == [10, 11, 12, 13]
        await consumer.commit()
        assert await bus.lag(group=stream.group, topics=[told.topic]) == 0
        await consumer.close()
