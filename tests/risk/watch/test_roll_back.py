"""A policy that does great harm is taken back by itself, once; and a guard can be switched off."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest_asyncio

from services.risk.watch import counting, jobs
from shared.kit.database import Database
from tests.bank import Bank, eventually
from tests.risk.policies.support import active, content, put_in_force, staff, written
from tests.risk.support import decided, payment

LEAST = 20
GUARD = {
    "is_on": True,
    "hours": 24,
    "least": LEAST,
    "rise": 0.3,
    "decline_rate": 0.5,
    "review_rate": 0.9,
    "failed_share": 0.05,
    "reason": "a test",
}
EVERYTHING = {
    "_id": "everything",
    "when": "hour >= 0",
    "outcome": '"decline"',
    "reason": '"payee_listed"',
}


async def that_declines_everything(bank: Bank) -> dict[str, Any]:
    """A draft that passes its own tests and would stop the bank."""
    async with staff(bank, "s-author") as author:
        base = await content(author, "payment")
    graph, tests = base["graph"], base["tests"]
    rules = next(node for node in graph["nodes"] if node["id"] == "rules")
    rules["content"]["rules"] = [EVERYTHING]
    expect = {"outcome": "decline", "reason_codes": ["payee_listed"]}
    cases = [case | {"expect": expect} for case in tests["cases"]]
    return {"graph": graph, "tests": tests | {"cases": cases}}


@pytest_asyncio.fixture
async def database(bank: Bank) -> AsyncIterator[Database]:
    """As the worker has it: with the rights of the service and no more."""
    found = Database(bank.credentials["risk"].dsn, pool_size=4, application="test")
    yield found
    await found.close()


@asynccontextmanager
async def guarded(bank: Bank, **changes: Any) -> AsyncIterator[httpx.AsyncClient]:
    """The guard of payments as the test wants it; afterwards it is off, as no test expects it."""
    async with staff(bank, "s-operator") as operator:
        kept = await operator.put("/v1/watch/guards/payment", json=GUARD | changes)
        assert kept.status_code == 200, kept.text
        try:
            yield operator
        finally:
            body = GUARD | {"least": 1_000_000, "reason": "the test is over"}
            await operator.put("/v1/watch/guards/payment", json=body)


async def send(bank: Bank, unique: str, count: int) -> list[dict[str, Any]]:
    async with bank.client("risk") as client:
        now = datetime.now(UTC).isoformat()
        customers = [f"c-{unique}-{place}" for place in range(count)]
        bodies = [payment(unique, customer_id=name, at=now) for name in customers]
        return [await decided(client, bank, body) for body in bodies]


async def work(database: Database) -> None:
    """What the worker does every half minute, a moment from now."""
    await jobs.one_round(database, reference=None, now=datetime.now(UTC) + counting.LAG)


async def history(operator: httpx.AsyncClient) -> list[dict[str, Any]]:
    return list((await operator.get("/v1/policies/payment/activations")).json()["items"])


class TestGuard:
    async def test_rolls_back_a_version_that_declines_everything(
        self, bank: Bank, unique: str, database: Database
    ):
        async with guarded(bank) as operator:
            before = (await active(operator, "payment"))["version"]
            bad = await put_in_force(bank, "payment", await that_declines_everything(bank))
            outcomes = {made["outcome"] for made in await send(bank, unique, LEAST)}
            assert outcomes == {"decline"}
            await work(database)

            (made,) = await send(bank, unique, 1)
            assert (made["outcome"], made["policy"]) == ("approve", f"payment-{before}")
            last, activation = (await history(operator))[:2]
            assert (last["action"], last["version"]) == ("roll_back", before)
            assert last["activated_by"] == "system"
            assert last["reason"].startswith("automatic: decline rate 100.0% of 20 decisions")
            assert "limit" in last["reason"]
            watch = (await operator.get("/v1/watch")).json()
            row = watch["roll_backs"][0]
            assert (row["version"], row["back_to"]) == (bad, before)
            assert row["activation_id"] == activation["activation_id"]
            assert (row["measure"], row["value"], row["seen"]) == ("decline_rate", 1.0, LEAST)

            async def audited() -> bool:
                events = await bank.events("identity.audit.v1", key="system")
                return any(
                    event["data"]["action"] == "policy.roll_back"
                    and event["data"]["reason"] == last["reason"]
                    for event in events
                )

            await eventually(audited)
            # once: however bad it looks, what a roll-back put in force stays
            await work(database)
            assert (await history(operator))[0] == last

    async def test_rolls_nothing_back_that_a_roll_back_put_in_force(
        self, bank: Bank, unique: str, database: Database
    ):
        """Two bad versions in a row: from the second back to the first, and no further."""
        async with guarded(bank, is_on=False) as operator:
            good = (await active(operator, "payment"))["version"]
            first = await put_in_force(bank, "payment", await that_declines_everything(bank))
            second = await put_in_force(bank, "payment", await that_declines_everything(bank))
            await operator.put("/v1/watch/guards/payment", json=GUARD)
            await send(bank, unique, LEAST)
            await work(database)
            assert (await active(operator, "payment"))["version"] == first
            await send(bank, unique, LEAST)
            await work(database)
            assert (await active(operator, "payment"))["version"] == first
            await written(operator, "payment/roll-back")
            assert (await active(operator, "payment"))["version"] == good
            assert second != first

    async def test_can_be_switched_off(self, bank: Bank, unique: str, database: Database):
        async with guarded(bank, is_on=False) as operator:
            bad = await put_in_force(bank, "payment", await that_declines_everything(bank))
            await send(bank, unique, LEAST)
            await work(database)
            assert (await active(operator, "payment"))["version"] == bad
            await written(operator, "payment/roll-back")

    async def test_waits_until_enough_was_decided(
        self, bank: Bank, unique: str, database: Database
    ):
        async with guarded(bank) as operator:
            bad = await put_in_force(bank, "payment", await that_declines_everything(bank))
            await send(bank, unique, LEAST - 1)
            await work(database)
            assert (await active(operator, "payment"))["version"] == bad
            await written(operator, "payment/roll-back")
