"""Outbox, relay, a real broker, consumer loop: nothing lost, nothing twice, whatever is killed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import asyncpg
import pytest

from shared.kit.bus.port import Bus
from shared.kit.clock import utc_now
from shared.kit.database import Database
from shared.kit.outbox import Relay, add
from tests.bank import eventually
from tests.broker import Broker
from tests.kit.consuming import Consuming, consuming
from tests.kit.support import SERVICE, Kit, Stream, everything

KEYS = 5
#: A broker's start on a busy machine is the longest thing that is waited for.
WITHIN_S = 120.0


@pytest.fixture
async def flow(
    emptied: Kit, stream: Stream, database: Database, bus: Bus
) -> AsyncIterator[Consuming]:
    """A relay and a consumer at work on the stream of this test."""
    relay = Relay(service=SERVICE, database=database, bus=bus, clock=utc_now, owner="one")
    async with (
        consuming(emptied, stream, database, bus) as one,
        at_work(relay.run()),
        at_work(one.loop.run()),
    ):
        yield one


@asynccontextmanager
async def at_work(work) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def tell(database: Database, stream: Stream, numbers: range) -> None:
    events = [stream.counted(word=f"key-{n % KEYS}", number=n) for n in numbers]
    async with database.transaction() as session:
        await add(session, source=SERVICE, now=utc_now(), events=events)


async def effects(flow: Consuming) -> list[asyncpg.Record]:
    return await flow.kit.rows("SELECT word, number FROM effects ORDER BY position")


async def all_came(flow: Consuming, number: int) -> list[asyncpg.Record]:
    async def came() -> list[asyncpg.Record] | None:
        found = await effects(flow)
        return found if len(found) >= number else None

    found = await eventually(came, within_s=WITHIN_S, every_s=0.2)
    assert isinstance(found, list)
    return found


class TestStream:
    async def test_survives_a_broker_killed_in_mid_stream(
        self, flow: Consuming, stream: Stream, database: Database, broker: Broker
    ):
        total = 600
        await tell(database, stream, range(60))
        await all_came(flow, 20)

        async def keep_telling() -> None:
            for first in range(60, total, 20):
                await tell(database, stream, range(first, first + 20))
                await asyncio.sleep(0.02)

        telling = asyncio.create_task(keep_telling())
        broker.kill()
        await telling
        await asyncio.to_thread(broker.start)
        found = await all_came(flow, total)
        assert sorted(row["number"] for row in found) == list(range(total))
        for key in range(KEYS):
            of_key = [row["number"] for row in found if row["word"] == f"key-{key}"]
            assert of_key == list(range(key, total, KEYS))

    async def test_brings_a_dead_letter_to_its_topic_and_replays_it(
        self, flow: Consuming, stream: Stream, database: Database, bus: Bus
    ):
        flow.handling.fail("key-3", ValueError("no such unit"))
        await tell(database, stream, range(10))
        found = await all_came(flow, 8)
        assert sorted(row["number"] for row in found) == [0, 1, 2, 4, 5, 6, 7, 9]

        async def on_the_topic() -> list[str] | None:
            letters = await everything(bus, stream.dead_topic)
            return [letter.key for letter in letters] if len(letters) == 2 else None

        assert await eventually(on_the_topic, within_s=WITHIN_S) == ["key-3", "key-3"]
        flow.handling.troubles.clear()
        assert await flow.loop.replay() == (2, 0)
        assert sorted(row["number"] for row in await effects(flow)) == list(range(10))
