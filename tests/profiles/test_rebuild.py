"""What profiles promises of a rebuild from the bus."""

import asyncio
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from services.profiles.models import DERIVED
from shared.contracts.events.envelope import Envelope
from shared.kit.bus.port import Message
from shared.kit.clock import new_id
from tests.bank import ROOT, Bank, eventually
from tests.profiles.support import (
    AT,
    agree,
    all_handled,
    graded,
    message,
    publish,
    read,
    rejected,
    settled,
    steady_saver,
    tell,
)


async def dump(bank: Bank, unique: str) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of this test: of what events told and of what customers said, in a fixed order.

    Rows of other tests are left out: their events may still be on their way.
    """
    connection = await bank.connect("profiles")
    try:
        found = {}
        for name in (*(table.name for table in DERIVED), "marketing_consents"):
            rows = [tuple(row) for row in await connection.fetch(f"SELECT * FROM {name}")]
            found[name] = sorted(row for row in rows if any(unique in str(cell) for cell in row))
        return found
    finally:
        await connection.close()


def rebuild(bank: Bank) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "services.profiles.rebuild"],
        cwd=ROOT,
        env=bank.settings("profiles"),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def everything(customer_id: str) -> list[Any]:
    return [
        *steady_saver(customer_id),
        graded(customer_id, "C2"),
        settled(customer_id, "shop", 500),
        settled(customer_id, "shop", 700),
        rejected(customer_id, "thief", 9),
    ]


class TestRebuild:
    async def test_gives_the_same_profiles_and_keeps_consents(self, bank: Bank, unique: str):
        await tell(bank, [e for n in range(5) for e in everything(f"c{n}-{unique}")])
        await agree(bank, f"c0-{unique}")
        before, shown = await dump(bank, unique), await read(bank, f"c0-{unique}")
        assert all(before.values())
        rebuild(bank)
        assert await dump(bank, unique) == before
        assert await read(bank, f"c0-{unique}") == shown
        assert (await read(bank, f"c0-{unique}", "next-offer"))["personalized"] is True

    async def test_mends_rows_that_were_lost_or_wrong(self, bank: Bank, unique: str):
        await tell(bank, everything(f"c-{unique}"))
        before = await dump(bank, unique)
        connection = await bank.connect("profiles")
        try:
            await connection.execute("UPDATE account_flows SET in_minor = in_minor + 1")
            await connection.execute("DELETE FROM payees")
        finally:
            await connection.close()
        rebuild(bank)
        assert await dump(bank, unique) == before

    async def test_loses_and_doubles_nothing_that_happens_meanwhile(self, bank: Bank, unique: str):
        bank.start("profiles")
        messages = [message(settled(f"c-{unique}", "shop", 1)) for _ in range(3_000)]
        await publish(bank, messages[:2_000])
        with ThreadPoolExecutor(2) as pool:
            rebuilds = [pool.submit(rebuild, bank) for _ in range(2)]
            for start in range(2_000, 3_000, 100):
                await publish(bank, messages[start : start + 100])
                # Customers are served all the while.
                assert "offer_id" in await read(bank, f"c-{unique}", "next-offer")
            for done in rebuilds:
                assert "rebuilt" in await asyncio.wrap_future(done)
        await all_handled(bank, messages)
        assert (await read(bank, f"c-{unique}"))["habits"]["payments_settled"] == 3_000

    async def test_leaves_a_dead_letter_that_is_still_one(self, bank: Bank, unique: str):
        bank.start("profiles")
        envelope = Envelope(
            id=new_id(),
            source="test",
            type="PaymentSettled",
            time=AT,
            subject=f"of-{unique}",
            data={"customer_id": f"c-{unique}"},
        )
        topic, key = "payments.payment.v1", f"of-{unique}"
        broken = Message(topic, key, envelope.id, envelope.model_dump_json())
        good = message(settled(f"c-{unique}", "shop", 5))
        await publish(bank, [broken, good])
        await all_handled(bank, [broken, good])

        async def open_letters() -> int:
            connection = await bank.connect("profiles")
            try:
                return await connection.fetchval(
                    "SELECT count(*) FROM dead_letters WHERE event_id = $1 AND replayed_at IS NULL",
                    envelope.id,
                )
            finally:
                await connection.close()

        assert await eventually(open_letters) == 1
        rebuild(bank)
        assert await open_letters() == 1
        assert (await read(bank, f"c-{unique}"))["habits"]["payments_settled"] == 1
