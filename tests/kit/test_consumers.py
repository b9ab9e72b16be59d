"""What the consumer loop promises of each event: one effect, or a dead letter with its cause."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from datetime import timedelta

import pytest
from sqlalchemy import text

from shared.kit.bus.port import Bus
from shared.kit.clock import new_id, utc_now
from shared.kit.consumers import ATTEMPTS, RETENTION_BATCH, forget_handled
from shared.kit.database import Database, Session
from shared.kit.problems import Unavailable
from tests.bank import eventually
from tests.kit.consuming import Consuming, consuming
from tests.kit.support import Kit, Stream


@pytest.fixture
async def one(
    emptied: Kit, stream: Stream, database: Database, log: Bus
) -> AsyncIterator[Consuming]:
    """One consumer of this test's stream."""
    async with consuming(emptied, stream, database, log) as made:
        yield made


@pytest.fixture
async def running(one: Consuming) -> AsyncIterator[Consuming]:
    """The same, reading the bus."""
    task = asyncio.create_task(one.loop.run())
    yield one
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def stored(one: Consuming, words: list[str]) -> Callable[[], Awaitable[bool]]:
    async def are_stored() -> bool:
        return sorted(await one.effects()) == sorted(words)

    return are_stored


class TestEffect:
    async def test_is_stored_with_the_note_that_it_happened(self, one: Consuming):
        await one.loop.apply([one.record("a"), one.record("b")])
        assert await one.effects() == ["a", "b"]
        assert await one.handled() == 2

    async def test_that_is_undone_leaves_no_note(self, one: Consuming):
        one.handling.fail("b", Unavailable())
        with pytest.raises(Unavailable):
            await one.loop.apply([one.record("a"), one.record("b")])
        assert (await one.effects(), await one.handled(), await one.dead()) == ([], 0, {})

    async def test_comes_once_of_an_event_that_comes_twice(self, one: Consuming):
        record, other = one.record("a"), one.record("b")
        await one.loop.apply([record, other, record])
        await one.loop.apply([other, record])
        assert await one.effects() == ["a", "b"]

    async def test_comes_once_where_two_members_apply_the_same(
        self, one: Consuming, stream: Stream, database: Database, log: Bus
    ):
        records = [one.record(f"w-{n}", n) for n in range(50)]
        async with consuming(one.kit, stream, database, log) as two:
            await asyncio.gather(*(loop.apply(records) for loop in (one.loop, two.loop) * 3))
        assert await one.effects() == [f"w-{n}" for n in range(50)]

    async def test_follows_the_order_of_the_events(self, one: Consuming):
        words = [f"w-{n}" for n in range(100)]
        await one.loop.apply([one.record(word) for word in words])
        assert await one.effects() == words
        assert one.handling.calls == [words]

    async def test_of_another_kind_of_event_is_none(self, one: Consuming):
        record = one.record("a")
        unknown = record.value.replace('"Counted"', '"SomethingElse"')
        await one.loop.apply([one.record("b", value=unknown), one.record("c")])
        assert (await one.effects(), await one.handled()) == (["c"], 2)

    async def test_comes_from_the_bus(self, running: Consuming, log: Bus):
        words = [f"w-{n % 7}" for n in range(60)]
        await log.publish([running.message(word, n) for n, word in enumerate(words)])
        await eventually(stored(running, words))
        group, topics = running.stream.group, [running.stream.topic]

        async def is_done() -> bool:
            return await log.lag(group=group, topics=topics) == 0

        await eventually(is_done)


class TestBadEvent:
    async def test_is_kept_with_its_cause_and_the_rest_flows_on(self, one: Consuming):
        one.handling.fail("bad", ValueError("no such unit"))
        await one.loop.apply([one.record(word) for word in ("a", "bad", "b", "c")])
        assert await one.effects() == ["a", "b", "c"]
        assert await one.dead() == {"bad": "ValueError: no such unit"}
        assert await one.handled() == 4

    async def test_is_tried_again_before_it_is_given_up(self, one: Consuming):
        one.handling.fail("bad", ValueError())
        await one.loop.apply([one.record("bad")])
        # Once in its batch, which was a batch of one, and then by itself.
        assert one.handling.calls == [["bad"]] * (1 + ATTEMPTS)

    async def test_that_comes_again_is_kept_once(self, one: Consuming):
        one.handling.fail("bad", ValueError("no"))
        record = one.record("bad")
        await one.loop.apply([record, record])
        await one.loop.apply([record])
        assert len(await one.kit.rows("SELECT 1 FROM dead_letters")) == 1
        assert len(await one.kit.rows("SELECT 1 FROM outbox")) == 1

    @pytest.mark.parametrize("value", ["", "not json", "{}", '{"data": {}}', "[1]"])
    async def test_may_be_no_envelope_at_all(self, one: Consuming, value: str):
        await one.loop.apply([one.record("bad", value=value), one.record("a")])
        assert await one.effects() == ["a"]
        assert list(await one.dead()) == ["bad"]

    async def test_may_have_data_that_does_not_fit(self, one: Consuming):
        value = one.record("bad", 1).value.replace('"number":1', '"number":"many"')
        await one.loop.apply([one.record("bad", value=value), one.record("a")])
        assert await one.effects() == ["a"]
        assert "ValidationError" in (await one.dead())["bad"]

    @pytest.mark.parametrize(
        "error",
        [
            FileNotFoundError("of the handler's own"),
            TimeoutError(),
            ValueError("a NUL \x00 and half a pair \ud800"),
            ValueError("长" * 5_000),
        ],
    )
    async def test_may_raise_anything(self, one: Consuming, error: Exception):
        one.handling.fail("bad", error)
        await one.loop.apply([one.record("bad"), one.record("a")])
        assert await one.effects() == ["a"]
        assert (await one.dead())["bad"].startswith(type(error).__name__)

    async def test_may_be_refused_by_the_database(self, one: Consuming):
        async def divide(session: Session) -> None:
            await session.execute(text("SELECT 1 / 0"))

        async def overflow(session: Session) -> None:
            await session.execute(text("SELECT CAST(:n AS int)"), {"n": 2**40})

        one.handling.troubles |= {"bad": divide, "worse": overflow}
        await one.loop.apply([one.record(word) for word in ("bad", "worse", "a")])
        assert await one.effects() == ["a"]
        assert sorted(await one.dead()) == ["bad", "worse"]

    async def test_is_told_on_the_dead_letter_topic(self, one: Consuming):
        one.handling.fail("bad", ValueError("no"))
        record = one.record("bad")
        await one.loop.apply([record])
        (row,) = await one.kit.rows("SELECT topic, key, envelope::json AS letter FROM outbox")
        assert (row["topic"], row["key"]) == (one.stream.dead_topic, "bad")
        assert str(record.event_id) in row["letter"]
        assert "ValueError: no" in row["letter"]

    async def test_does_not_stop_the_stream(self, running: Consuming, log: Bus):
        running.handling.fail("bad", ValueError("no"))
        words = ["a", "bad", "b", "bad", "c"]
        await log.publish([running.message(word, n) for n, word in enumerate(words)])
        await eventually(stored(running, ["a", "b", "c"]))


class TestLostDatabase:
    async def test_makes_no_dead_letter(self, running: Consuming, log: Bus):
        left = [2]

        async def end_the_connection(session: Session) -> None:
            if left[0]:
                left[0] -= 1
                await session.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

        running.handling.troubles["b"] = end_the_connection
        await log.publish([running.message(word) for word in ("a", "b", "c")])
        await eventually(stored(running, ["a", "b", "c"]))
        assert left == [0]
        assert await running.dead() == {}


class TestReplay:
    async def test_handles_it_after_the_cause_is_gone(self, one: Consuming):
        one.handling.fail("bad", ValueError("no"))
        await one.loop.apply([one.record("bad"), one.record("a")])
        one.handling.troubles.clear()
        assert await one.loop.replay() == (1, 0)
        assert await one.effects() == ["a", "bad"]
        assert await one.dead() == {}
        assert await one.loop.replay() == (0, 0)
        assert await one.effects() == ["a", "bad"]

    async def test_keeps_what_still_fails_with_its_newest_cause(self, one: Consuming):
        one.handling.fail("bad", ValueError("first"))
        one.handling.fail("mended", ValueError("first"))
        await one.loop.apply([one.record("bad"), one.record("mended")])
        one.handling.fail("bad", ValueError("second"))
        del one.handling.troubles["mended"]
        assert await one.loop.replay() == (1, 1)
        assert await one.effects() == ["mended"]
        assert await one.dead() == {"bad": "ValueError: second"}

    async def test_reaches_every_letter_behind_those_that_fail(
        self, one: Consuming, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr("shared.kit.consumers.REPLAY_BATCH", 2)
        words = ["bad", "worse", "mended"]
        for word in words:
            one.handling.fail(word, ValueError("no"))
        await one.loop.apply([one.record(word) for word in words])
        del one.handling.troubles["mended"]
        await one.loop.replay()
        await one.loop.replay()
        assert await one.effects() == ["mended"]

    async def test_stops_where_the_database_is_away(self, one: Consuming):
        one.handling.fail("bad", ValueError("no"))
        await one.loop.apply([one.record("bad")])
        one.handling.fail("bad", Unavailable())
        with pytest.raises(Unavailable):
            await one.loop.replay()
        assert list(await one.dead()) == ["bad"]

    async def test_by_two_operators_at_once_has_one_effect(self, one: Consuming):
        one.handling.fail("bad", ValueError("no"))
        await one.loop.apply([one.record("bad")])
        one.handling.troubles.clear()
        await asyncio.gather(*(one.loop.replay() for _ in range(4)))
        assert await one.effects() == ["bad"]


class TestInbox:
    async def test_forgets_what_is_older(self, one: Consuming, database: Database):
        await one.loop.apply([one.record("a")])
        now = utc_now()
        async with database.transaction() as session:
            assert await forget_handled(session, now=now, keep_days=1) == 0
        async with database.transaction() as session:
            assert await forget_handled(session, now=now + timedelta(days=2), keep_days=1) == 1
        assert await one.handled() == 0

    async def test_forgets_a_bounded_number_at_once(self, one: Consuming, database: Database):
        await one.kit.rows(
            "INSERT INTO inbox SELECT $1, gen_random_uuid(), now() - interval '9 days'"
            " FROM generate_series(1, $2)",
            f"old-{new_id()}",
            RETENTION_BATCH + 1,
        )
        gone = []
        for _ in range(2):
            async with database.transaction() as session:
                gone.append(await forget_handled(session, now=utc_now(), keep_days=7))
        assert gone == [RETENTION_BATCH, 1]
