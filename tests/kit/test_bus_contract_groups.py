"""What every adapter of the `Bus` port promises a consumer group."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import pytest

from shared.kit.bus.port import Bus, Consumer, Record
from tests.bank import eventually
from tests.kit.adapters import Adapter
from tests.kit.support import PARTITIONS, ROOT, Stream, Told, collect, everything, numbers

Join = Callable[[str], Awaitable[Consumer]]
T = TypeVar("T")


@pytest.fixture
async def join(bus: Bus, stream: Stream) -> AsyncIterator[Join]:
    """Makes members of this test's group; they leave at the end."""
    members: list[Consumer] = []

    async def joined(member: str) -> Consumer:
        consumer = await bus.consumer(group=stream.group, topics=[stream.topic], member=member)
        members.append(consumer)
        return consumer

    yield joined
    for consumer in members:
        await consumer.close()


async def share(bus: Bus, told: Told, members: list[Consumer], *, of: int) -> list[set[int]]:
    """Publish and poll in rounds until `of` members get records: each one's partitions then."""

    async def one_round() -> list[set[int]] | None:
        await told.publish(bus, 64, keys=64)
        got: list[set[int]] = [set() for _ in members]
        for _ in range(3):
            for place, member in enumerate(members):
                records = await member.poll(limit=1_000, timeout_s=0.05)
                got[place] |= {record.partition for record in records}
                await member.commit()
        whole = set().union(*got) == set(range(PARTITIONS))
        apart = sum(map(len, got)) == PARTITIONS
        return got if whole and apart and sum(map(bool, got)) == of else None

    found = await eventually(one_round, every_s=0.2, within_s=60)
    assert isinstance(found, list)
    return found


class TestGroup:
    async def test_that_is_new_begins_at_the_oldest_record(self, bus: Bus, told: Told, join: Join):
        await told.publish(bus, 20)
        records = await collect(await join("one"), 20)
        assert numbers(records) == list(range(20))

    async def test_gets_each_key_in_order(self, bus: Bus, told: Told, join: Join):
        await told.publish(bus, 40, keys=4)
        consumer = await join("one")
        records: list[Record] = []
        while len(records) < 40:
            records += await consumer.poll(limit=3, timeout_s=0.2)
        for key in range(4):
            of_key = [int(r.value) for r in records if r.key == f"key-{key}"]
            assert of_key == list(range(key, 40, 4))

    async def test_does_not_get_again_what_it_committed(self, bus: Bus, told: Told, join: Join):
        await told.publish(bus, 10)
        first = await join("one")
        await collect(first, 10)
        await first.commit()
        await first.close()
        await told.publish(bus, 2, first=10)
        assert numbers(await collect(await join("two"), 2)) == [10, 11]

    async def test_gets_again_what_a_member_left_uncommitted(
        self, bus: Bus, told: Told, join: Join
    ):
        await told.publish(bus, 10)
        first = await join("one")
        await collect(first, 10)
        await first.close()
        assert numbers(await collect(await join("two"), 10)) == list(range(10))

    async def test_seeks_back_to_what_it_committed(self, bus: Bus, told: Told, join: Join):
        consumer = await join("one")
        await told.publish(bus, 10)
        await collect(consumer, 10)
        await consumer.commit()
        await told.publish(bus, 10, first=10)
        first = await collect(consumer, 10)
        await consumer.seek_back()
        # In order within each partition; between them a bus promises nothing.
        assert by_place(await collect(consumer, 10)) == by_place(first)
        await consumer.commit()
        await consumer.seek_back()
        assert await consumer.poll(limit=100, timeout_s=0.1) == []

    async def test_loses_nothing_of_a_poll_that_is_cut_off(self, bus: Bus, told: Told, join: Join):
        consumer = await join("one")
        got: list[Record] = []
        async with asyncio.timeout(20):
            for cut in range(25):
                await told.publish(bus, 4, first=4 * cut)
                polling = asyncio.create_task(consumer.poll(limit=1_000, timeout_s=0.5))
                await asyncio.wait([polling], timeout=cut / 1_000)
                if not polling.cancel():
                    got += polling.result()
                await asyncio.wait([polling])
                await consumer.commit()
            while len(got) < 100:
                got += await consumer.poll(limit=1_000, timeout_s=0.5)
        assert numbers(got) == list(range(100))

    async def test_is_independent_of_another(
        self, bus: Bus, told: Told, stream: Stream, join: Join
    ):
        await told.publish(bus, 10)
        one = await join("one")
        await collect(one, 10)
        await one.commit()
        other_group = f"{stream.group}-other"
        other = await bus.consumer(group=other_group, topics=[told.topic], member="one")
        assert numbers(await collect(other, 10)) == list(range(10))
        assert await bus.lag(group=stream.group, topics=[told.topic]) == 0
        assert await bus.lag(group=other_group, topics=[told.topic]) == 10
        await other.close()

    async def test_lags_by_what_it_has_not_committed(
        self, bus: Bus, told: Told, stream: Stream, join: Join
    ):
        async def lag() -> int:
            return await bus.lag(group=stream.group, topics=[told.topic])

        await told.publish(bus, 10)
        assert await lag() == 10
        consumer = await join("one")
        await collect(consumer, 10)
        assert await lag() == 10
        await consumer.commit()
        assert await lag() == 0
        await told.publish(bus, 3)
        assert await lag() == 3

    async def test_rewound_gets_everything_again(
        self, bus: Bus, told: Told, stream: Stream, join: Join
    ):
        await told.publish(bus, 10)
        first = await join("one")
        await collect(first, 10)
        await first.commit()
        await first.close()
        await bus.rewind(group=stream.group, topics=[told.topic])
        assert await bus.lag(group=stream.group, topics=[told.topic]) == 10
        assert numbers(await collect(await join("two"), 10)) == list(range(10))


def by_place(records: list[Record]) -> list[Record]:
    return sorted(records, key=lambda record: (record.partition, record.offset))


class TestMembers:
    async def test_share_the_partitions_and_take_over_from_one_that_leaves(
        self, bus: Bus, told: Told, join: Join
    ):
        one = await join("one")
        assert await share(bus, told, [one], of=1) == [set(range(PARTITIONS))]
        two = await join("two")
        halves = await share(bus, told, [one, two], of=2)
        assert [len(half) for half in halves] == [PARTITIONS // 2] * 2
        await one.close()
        assert await share(bus, told, [two], of=1) == [set(range(PARTITIONS))]

    async def test_that_join_take_nothing_that_another_is_working_on(
        self, bus: Bus, told: Told, join: Join
    ):
        await told.publish(bus, 20)
        one = await join("one")
        await collect(one, 20)
        two = await join("two")
        for _ in range(3):
            assert await two.poll(limit=100, timeout_s=0.05) == []
        await one.commit()
        await share(bus, told, [one, two], of=2)

    async def test_get_each_record_once_while_nobody_comes_or_goes(
        self, bus: Bus, told: Told, join: Join
    ):
        members = [await join("one"), await join("two")]
        await share(bus, told, members, of=2)
        await told.publish(bus, 200, first=1_000, keys=50)
        got: list[Record] = []
        while len(got) < 200:
            for member in members:
                got += await member.poll(limit=1_000, timeout_s=0.05)
                await member.commit()
        assert numbers(got) == list(range(1_000, 1_200))

    async def test_beyond_the_partitions_wait_without_harm(self, bus: Bus, told: Told, join: Join):
        members = [await join(f"member-{n}") for n in range(PARTITIONS + 1)]
        await share(bus, told, members, of=PARTITIONS)

    async def test_that_die_leave_their_work_to_the_others(
        self, adapter: Adapter, bus: Bus, told: Told, stream: Stream, join: Join
    ):
        await told.publish(bus, 12)
        async with member_process(adapter, stream, number=12, done=5) as (process, polled):
            assert sorted(polled) == list(range(12))
            process.kill()
            await process.wait()
            rest = await collect(await join("heir"), 7)
        assert numbers(rest) == sorted(polled[5:])

    async def test_that_lost_a_partition_cannot_commit_it(
        self, bus: Bus, told: Told, stream: Stream, join: Join
    ):
        await told.publish(bus, 10)
        slow = await join("slow")
        await collect(slow, 10)
        # It does not poll any more, as if its handler hung: the other one takes over.
        heir = await join("heir")
        assert numbers(await collect(heir, 10)) == list(range(10))
        await slow.commit()
        assert await bus.lag(group=stream.group, topics=[told.topic]) == 10
        await heir.commit()
        assert await bus.lag(group=stream.group, topics=[told.topic]) == 0


@asynccontextmanager
async def member_process(
    adapter: Adapter, stream: Stream, *, number: int, done: int
) -> AsyncIterator[tuple[asyncio.subprocess.Process, list[int]]]:
    """A member that has polled `number` records and committed the first `done` of them."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.kit.member", "--topic", stream.topic),
        *("--group", stream.group, "--number", str(number), "--done", str(done)),
        cwd=ROOT,
        env=adapter.environment(),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        yield process, [int(value) for value in json.loads(await process.stdout.readline())]
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


class TestConnections:
    async def test_that_break_lose_nothing(
        self, adapter: Adapter, bus: Bus, told: Told, join: Join, unique: str
    ):
        consumer = await join("one")
        await told.publish(bus, 5)
        got = await collect(consumer, 5)
        await consumer.commit()
        assert await adapter.break_connections(f"kit-{unique}") > 0
        await insist(lambda: told.publish(bus, 5, first=5))
        async with asyncio.timeout(20):
            while len({record.value for record in got}) < 10:
                got += await insist(lambda: consumer.poll(limit=100, timeout_s=0.2))
        await insist(consumer.commit)
        assert set(numbers(got)) == set(range(10))

    async def test_that_break_while_a_reader_waits_bring_it_back(
        self, adapter: Adapter, bus: Bus, told: Told, unique: str
    ):
        reader = await bus.reader(topics=[told.topic], since=None)
        waiting = asyncio.create_task(insist(lambda: reader.poll(limit=10, timeout_s=1)))
        await asyncio.sleep(0.1)
        await adapter.break_connections(f"kit-{unique}")
        got = await waiting
        await insist(lambda: told.publish(bus, 5))
        async with asyncio.timeout(20):
            while len({record.value for record in got}) < 5:
                got += await insist(lambda: reader.poll(limit=10, timeout_s=0.2))
        await reader.close()
        assert numbers(await everything(bus, told.topic)) == list(range(5))


async def insist(act: Callable[[], Awaitable[T]]) -> T:
    """Do it until it works, as relay and consumer loop do."""
    for _ in range(50):
        try:
            return await act()
        except Exception:
            await asyncio.sleep(0.05)
    return await act()
