"""A source that is killed, and comes back: the breaker, the aged answer, the flag."""

import asyncio
from datetime import timedelta

from services.risk.sources.breakers import MOST_WAITS, OPEN_AFTER, Breaker
from shared.kit.clock import new_id
from tests.bank import eventually
from tests.risk.sources.support import NOW, Asker, Outside

LATER = NOW + timedelta(days=2)


class TestKilledSource:
    async def test_opens_the_breaker_is_answered_for_and_comes_back(
        self, asker: Asker, outside: Outside
    ):
        first = await asker.ask("court")
        outside.kill()
        try:
            for _ in range(OPEN_AFTER):
                found = await asker.ask("court", now=LATER)
                assert [(u.state, u.cause) for u in found.uses] == [("stale", "connection")]
                assert found.facts == first.facts
                assert found.degraded == ("source_stale.court",)
            asker.sources.breakers["court"]._until += 60  # open for as long as this test looks
            found = await asker.ask("court", now=LATER)
            assert [(u.state, u.cause) for u in found.uses] == [("stale", "breaker_open")]
            assert found.facts == first.facts
        finally:
            outside.start()
        asker.sources.breakers["court"]._until -= 60

        async def is_live() -> bool:
            return (await asker.ask("court", now=LATER)).uses[0].state == "live"

        await eventually(is_live)
        assert asker.sources.breakers["court"].state(0) == "closed"

    async def test_in_the_middle_of_a_call_may_have_billed_it(self, asker: Asker, outside: Outside):
        outside.break_("court", latency_ms=500)
        decision_id = new_id()
        task = asyncio.create_task(asker.ask("court", decision_id=decision_id))

        async def asked() -> bool:
            return "court" in await asker.uses(decision_id)

        await eventually(asked)
        outside.kill()
        try:
            found = await task
        finally:
            outside.start()
        assert found.degraded == ("source_unavailable.court",)
        row = (await asker.uses(decision_id))["court"]
        assert (row.state, row.cost_minor) == ("failed", 0)


class TestBreaker:
    def test_opens_after_failures_in_a_row_alone(self):
        breaker = Breaker(10)
        for _ in range(3):
            for _ in range(OPEN_AFTER - 1):
                breaker.failed(0, new_id())
            breaker.succeeded()
        assert breaker.state(0) == "closed"
        for _ in range(OPEN_AFTER):
            assert breaker.admits(0, new_id())
            breaker.failed(0, new_id())
        assert breaker.state(0) == "open"
        assert not breaker.admits(9.9, new_id())

    def test_lets_one_call_try_and_waits_longer_each_time(self):
        breaker = opened(10)
        now = 0.0
        for waits in (1, 2, 4, MOST_WAITS, MOST_WAITS):
            trial = new_id()
            assert not breaker.admits(now + 10 * waits - 0.1, new_id())
            now += 10 * waits
            assert breaker.admits(now, trial)
            assert breaker.state(now) == "half_open"
            assert not breaker.admits(now, new_id())
            breaker.failed(now, trial)
            assert breaker.state(now) == "open"

    def test_closes_when_the_trial_succeeds(self):
        breaker = opened(10)
        assert breaker.admits(10, new_id())
        breaker.succeeded()
        assert breaker.state(10) == "closed"
        assert breaker.failures == 0

    def test_lets_another_try_where_the_trial_said_nothing(self):
        breaker = opened(10)
        trial = new_id()
        assert breaker.admits(10, trial)
        breaker.release(new_id())
        assert not breaker.admits(10, new_id())
        breaker.release(trial)
        assert breaker.admits(10, new_id())

    def test_is_not_opened_for_longer_by_a_call_from_before(self):
        breaker = opened(10)
        breaker.failed(9, new_id())
        assert breaker.state(10) == "half_open"


def opened(open_s: float) -> Breaker:
    breaker = Breaker(open_s)
    for _ in range(OPEN_AFTER):
        breaker.failed(0, new_id())
    return breaker
