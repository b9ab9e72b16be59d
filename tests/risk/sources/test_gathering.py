"""What a policy needs is asked of the real process, and each answer says how it came."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta

import pytest

from services.risk.sources.domain import TERMS
from services.risk.sources.port import Question
from services.risk.sources.service import NOTHING
from shared.kit import tracing
from shared.kit.clock import new_id
from tests.bank import Bank, eventually
from tests.risk.sources.support import (
    ALL,
    AUDITED_KEY,
    NOW,
    Asker,
    Outside,
    asking,
    expected,
)

DAY = timedelta(days=1)

#: What each fault is to the bank, and whether the source bills it; None: nobody can know.
FAULTS = {
    "silent": ("timeout", None),
    "error": ("status", False),
    "garbage": ("malformed", True),
    "lie": ("malformed", True),
    "huge": ("too_large", True),
    "drip": ("timeout", None),
    "cut": ("connection", None),
}


class TestGathering:
    async def test_asks_every_source_and_gives_its_answers(self, asker: Asker):
        await asker.allow_all()
        found = await asker.ask(*ALL)
        assert found.degraded == (), found.uses
        assert found.facts == {source: expected(source, asker.customer_id) for source in ALL}
        assert {(use.source, use.state, use.age_ms, use.cost_minor) for use in found.uses} == {
            (source, "live", 0, TERMS[source].price_minor) for source in ALL
        }

    async def test_asks_nobody_where_nothing_is_needed(self, asker: Asker):
        assert await asker.ask() == NOTHING

    async def test_uses_a_kept_answer_for_nothing_and_says_how_old_it_is(
        self, asker: Asker, outside: Outside
    ):
        first = await asker.ask("court")
        billed = outside.bill()["court"]
        second = await asker.ask("court", now=NOW + timedelta(hours=5))
        assert second.facts == first.facts
        (use,) = second.uses
        assert (use.state, use.cost_minor, use.age_ms) == ("cached", 0, 5 * 3_600_000)
        assert second.degraded == ()
        assert outside.bill()["court"] == billed

    async def test_asks_again_once_an_answer_is_no_longer_valid(self, asker: Asker):
        await asker.ask("court")
        (use,) = (await asker.ask("court", now=NOW + 2 * DAY)).uses
        assert (use.state, use.age_ms, use.cost_minor) == ("live", 0, TERMS["court"].price_minor)

    async def test_pays_once_for_two_decisions_on_one_customer_at_once(
        self, asker: Asker, outside: Outside
    ):
        outside.break_("court", latency_ms=200)
        found = await asyncio.gather(asker.ask("court"), asker.ask("court"))
        assert sorted(one.uses[0].state for one in found) == ["cached", "live"]
        assert found[0].facts == found[1].facts

    async def test_asks_all_at_once(self, asker: Asker, outside: Outside):
        # one after the other they would not be done before the deadline
        await asker.allow_all()
        outside.break_(*ALL, latency_ms=700)
        asker.sources.deadline_ms = 3_000
        found = await asker.ask(*ALL)
        assert {use.state for use in found.uses} == {"live"}

    async def test_waits_no_longer_than_the_deadline_for_all(self, asker: Asker, outside: Outside):
        await asker.allow_all()
        outside.break_("tax", latency_ms=20_000)
        asker.sources.deadline_ms = 1_000
        found = await asker.ask("tax", "court")
        causes = {use.source: (use.state, use.cause) for use in found.uses}
        assert causes == {"tax": ("failed", "deadline"), "court": ("live", None)}
        assert found.facts["tax"] is None
        assert found.degraded == ("source_unavailable.tax",)
        # it was given less time than it may take, so nothing is held against it
        assert asker.sources.breakers["tax"].failures == 0

    @pytest.mark.parametrize("kind", FAULTS)
    async def test_takes_no_answer_that_is_wrong_late_or_none(
        self, asker: Asker, outside: Outside, kind: str
    ):
        cause, charged = FAULTS[kind]
        outside.break_("court", kind=kind)
        if cause == "timeout":
            asker.sources.timeouts_ms = {"court": 300}
        decision_id = new_id()
        found = await asker.ask("court", decision_id=decision_id)
        (use,) = found.uses
        assert (use.state, use.cause, use.age_ms) == ("failed", cause, None)
        assert found.facts == {"court": None}
        assert found.degraded == ("source_unavailable.court",)
        assert await asker.kept() == set()
        row = (await asker.uses(decision_id))["court"]
        assert row.charged is charged
        assert row.cost_minor == use.cost_minor == (TERMS["court"].price_minor if charged else 0)
        assert asker.sources.breakers["court"].failures == 1

    async def test_uses_an_aged_answer_where_the_source_fails(self, asker: Asker, outside: Outside):
        first = await asker.ask("court")
        outside.break_("court", kind="error")
        found = await asker.ask("court", now=NOW + 3 * DAY)
        (use,) = found.uses
        assert (use.state, use.cause, use.age_ms) == ("stale", "status", 3 * 86_400_000)
        assert found.facts == first.facts
        assert found.degraded == ("source_stale.court",)

    async def test_uses_no_answer_that_is_too_old(self, asker: Asker, outside: Outside):
        await asker.ask("court")
        outside.break_("court", kind="error")
        found = await asker.ask("court", now=NOW + 8 * DAY)
        assert found.facts == {"court": None}
        assert found.degraded == ("source_unavailable.court",)

    async def test_calls_nobody_where_the_request_has_no_time_left(
        self, asker: Asker, outside: Outside
    ):
        billed = outside.bill().get("court", 0)
        with tracing.deadline(200):
            found = await asker.ask("court")
        assert [(use.state, use.cause) for use in found.uses] == [("failed", "deadline")]
        assert outside.bill().get("court", 0) == billed

    async def test_survives_a_connector_that_raises_what_it_should_not(self, asker: Asker):
        class Broken:
            async def ask(self, question: Question, *, timeout_s: float) -> Mapping[str, object]:
                raise ZeroDivisionError

            async def close(self) -> None: ...

        connectors = dict(asker.sources.connectors)
        asker.sources.connectors = connectors | {"tax": Broken()}
        await asker.say("tax")
        found = await asker.ask("tax", "court")
        assert {use.source: use.cause for use in found.uses} == {"tax": "mistake", "court": None}

    async def test_knows_a_source_that_nobody_configured_as_away(
        self, bank: Bank, outside: Outside, unique: str
    ):
        async with asking(bank, outside, unique) as asker:
            asker.sources.connectors = {}
            found = await asker.ask("court")
            assert [(use.state, use.cause) for use in found.uses] == [("failed", "not_configured")]

    async def test_knows_no_source_of_another_name(self, asker: Asker):
        found = await asker.ask("horoscope")
        assert found.degraded == ("source_unavailable.horoscope",)
        assert found.uses[0].cause == "unknown_source"

    async def test_is_refused_by_a_source_that_does_not_know_the_bank(
        self, asker: Asker, bank: Bank, outside: Outside, unique: str
    ):
        connector = asker.sources.connectors["court"]
        connector._client.headers["x-api-key"] = "another"  # type: ignore[attr-defined]
        found = await asker.ask("court")
        assert (found.uses[0].cause, found.uses[0].cost_minor) == ("refused", 0)

    async def test_has_nothing_of_a_person_whom_nobody_knows(self, asker: Asker):
        names = (f"nobody-{asker.customer_id}-{i}" for i in range(1_000))
        asker.customer_id = next(n for n in names if expected("telecom", n)["name_matches"] is None)
        await asker.say("telecom")
        found = await asker.ask("telecom")
        assert found.facts["telecom"] == {"months_on_network": None, "name_matches": None}
        assert found.degraded == ()


class TestBooks:
    async def test_count_every_answer_once_as_the_bill_does(
        self, bank: Bank, outside: Outside, unique: str
    ):
        before = outside.bill("audited")
        decisions = [new_id() for _ in range(4)]
        outside.break_("tax", kind="garbage")
        outside.break_("bureau", kind="error")
        async with asking(bank, outside, unique, api_key=AUDITED_KEY) as asker:
            await asker.allow_all()
            for day, decision_id in enumerate(decisions):
                await asker.ask(*ALL, now=NOW + day * DAY, decision_id=decision_id)
            rows = [row for one in decisions for row in (await asker.uses(one)).values()]
        assert len(rows) == 4 * len(ALL)
        charged = {
            source: sum(1 for row in rows if row.source == source and row.charged) for source in ALL
        }
        after = outside.bill("audited")
        assert charged == {s: after.get(s, 0) - before.get(s, 0) for s in ALL}
        # the court is asked anew where its answer is older than a day; the others keep theirs
        assert charged == {"bureau": 0, "court": 2, "tax": 4, "telecom": 1, "consumption": 1}
        for source, terms in TERMS.items():
            costs = {row.cost_minor for row in rows if row.source == source and row.charged}
            assert costs <= {terms.price_minor}
        assert not any(row.cost_minor for row in rows if not row.charged)

    async def test_know_of_a_call_whose_decision_was_given_up(self, asker: Asker, outside: Outside):
        before = outside.bill().get("court", 0)
        outside.break_("court", latency_ms=300)

        async def given_up_and_billed() -> bool:
            decision_id = new_id()
            task = asyncio.create_task(asker.ask("court", decision_id=decision_id))

            async def asked() -> bool:
                return "court" in await asker.uses(decision_id)

            await eventually(asked)
            await asyncio.sleep(0.1)  # in the books; now it goes out
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            row = (await asker.uses(decision_id))["court"]
            assert (row.state, row.is_call, row.charged, row.cost_minor) == ("asked", True, None, 0)
            await asyncio.sleep(0.5)  # the source never heard that nobody waits any more
            return outside.bill().get("court", 0) > before

        # one that was given up before it had gone out is on no bill: then another one is
        await eventually(given_up_and_billed)

    async def test_cannot_be_changed_once_a_call_has_ended(self, asker: Asker, bank: Bank):
        decision_id = new_id()
        await asker.ask("court", decision_id=decision_id)
        connection = await bank.connect("risk", owner=False)
        try:
            with pytest.raises(Exception, match="permission denied"):
                await connection.execute("DELETE FROM source_uses")
            with pytest.raises(Exception, match="permission denied"):
                await connection.execute("UPDATE source_uses SET customer_id = 'x'")
            with pytest.raises(Exception, match=r"only_a_call_costs|only_a_charged"):
                await connection.execute(
                    "UPDATE source_uses SET charged = false WHERE decision_id = $1", decision_id
                )
        finally:
            await connection.close()
