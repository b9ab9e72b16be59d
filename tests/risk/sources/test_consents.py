"""Without the customer's word nobody is asked; taken back, it binds the next decision."""

import asyncio
from datetime import timedelta

from services.risk.sources import repository
from shared.kit.clock import new_id
from tests.bank import Bank, eventually
from tests.risk.sources.support import NOW, Asker, Outside

DAY = timedelta(days=1)


class TestConsent:
    async def test_is_needed_before_a_source_is_asked(self, asker: Asker, outside: Outside):
        before = outside.bill().get("bureau", 0)
        found = await asker.ask("bureau")
        (use,) = found.uses
        assert (use.state, use.cost_minor) == ("refused_consent", 0)
        assert found.facts == {"bureau": None}
        assert found.degraded == ("source_no_consent.bureau",)
        assert outside.bill().get("bureau", 0) == before

    async def test_is_not_needed_for_a_public_register(self, asker: Asker):
        assert (await asker.ask("court")).uses[0].state == "live"

    async def test_taken_back_binds_the_next_decision_and_deletes_what_was_kept(
        self, asker: Asker, outside: Outside
    ):
        await asker.say("telecom")
        assert (await asker.ask("telecom")).uses[0].state == "live"
        assert await asker.kept() == {"telecom"}
        await asker.say("telecom", granted=False, at=NOW)
        assert await asker.kept() == set()
        billed = outside.bill()["telecom"]
        found = await asker.ask("telecom")
        assert found.degraded == ("source_no_consent.telecom",)
        assert found.facts == {"telecom": None}
        assert outside.bill()["telecom"] == billed

    async def test_to_one_purpose_is_none_to_another(self, asker: Asker):
        await asker.say("telecom", purpose="credit")
        await asker.ask("telecom", purpose="credit")
        found = await asker.ask("telecom", purpose="account_opening")
        assert found.uses[0].state == "refused_consent"
        assert found.facts == {"telecom": None}

    async def test_cannot_make_a_source_serve_a_purpose_that_it_is_not_for(self, asker: Asker):
        await asker.say("tax")
        assert (await asker.ask("tax", purpose="account_opening")).facts == {"tax": None}
        assert (await asker.ask("court", purpose=None)).facts == {"court": None}

    async def test_ends_by_itself(self, asker: Asker):
        await asker.say("tax", until=NOW + DAY)
        assert (await asker.ask("tax", now=NOW)).uses[0].state == "live"
        found = await asker.ask("tax", now=NOW + DAY)
        assert found.uses[0].state == "refused_consent"

    async def test_that_ended_by_itself_leaves_nothing_kept(self, asker: Asker):
        await asker.say("tax", until=NOW + DAY)
        await asker.say("telecom")
        await asker.ask("tax", "telecom", "court")
        async with asker.database.transaction() as session:
            await repository.forget_old(session, now=NOW + DAY / 2)
        assert await asker.kept() == {"tax", "telecom", "court"}
        async with asker.database.transaction() as session:
            await repository.forget_old(session, now=NOW + DAY)
        assert await asker.kept() == {"telecom", "court"}

    async def test_taken_back_during_a_call_keeps_nothing_of_it(
        self, asker: Asker, outside: Outside
    ):
        await asker.say("telecom")
        outside.break_("telecom", latency_ms=300)
        decision_id = new_id()
        task = asyncio.create_task(asker.ask("telecom", decision_id=decision_id))

        async def asked() -> bool:
            return "telecom" in await asker.uses(decision_id)

        await eventually(asked)
        await asker.say("telecom", granted=False, at=NOW)
        assert (await task).uses[0].state == "live"
        assert await asker.kept() == set()


class TestKeptAnswer:
    async def test_is_deleted_when_it_is_too_old_to_be_used(self, asker: Asker):
        await asker.ask("court")
        async with asker.database.transaction() as session:
            await repository.forget_old(session, now=NOW + 6 * DAY)
        assert await asker.kept() == {"court"}
        async with asker.database.transaction() as session:
            await repository.forget_old(session, now=NOW + 7 * DAY)
        assert await asker.kept() == set()

    async def test_holds_what_policies_may_read_and_no_more(self, asker: Asker, bank: Bank):
        await asker.say("bureau")
        await asker.ask("bureau")
        connection = await bank.connect("risk")
        try:
            kept = await connection.fetchval(
                "SELECT answers::text FROM source_answers WHERE customer_id = $1",
                asker.customer_id,
            )
        finally:
            await connection.close()
        assert "overdue_90d" in kept
        assert "employer" not in kept

    async def test_in_another_form_is_asked_anew(self, asker: Asker, bank: Bank):
        await asker.ask("court")
        connection = await bank.connect("risk")
        try:
            await connection.execute(
                "UPDATE source_answers SET answers = '{\"dishonest\": 3}' WHERE customer_id = $1",
                asker.customer_id,
            )
        finally:
            await connection.close()
        assert (await asker.ask("court")).uses[0].state == "live"
