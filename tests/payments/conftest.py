"""One stage a session; each test finds it whole."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest
import pytest_asyncio

from tests.payments.peers import Ledger, Risk, serving
from tests.payments.stage import Accounts, BankWithoutRisk, Stage, opened_bank


@pytest.fixture(scope="session")
def own_bank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BankWithoutRisk]:
    with opened_bank(tmp_path_factory.mktemp("payments")) as bank:
        yield bank


@pytest_asyncio.fixture(scope="session")
async def built_stage(own_bank: BankWithoutRisk) -> AsyncIterator[Stage]:
    ledger, risk = Ledger(), Risk()
    async with (
        aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=2)
        ) as session,
        serving(ledger) as ledger_url,
        serving(risk) as risk_url,
    ):
        ledger.session = session
        ledger.url = await asyncio.to_thread(own_bank.start, "ledger")
        own_bank.extra_settings["payments"] = {
            "PEERS": json.dumps({"ledger": ledger_url, "risk": risk_url}),
            "RESUME_EVERY_S": "0.2",
            "DATABASE_POOL": "30",
            # Far above what a crowded test machine takes: only what a test makes late is late.
            "RISK_DEADLINE_MS": "4000",
            "LEDGER_DEADLINE_MS": "15000",
            "REQUEST_TIMEOUT_MS": "25000",
        }
        await asyncio.to_thread(own_bank.start, "payments")
        yield Stage(own_bank, ledger, risk)


@pytest_asyncio.fixture
async def stage(built_stage: Stage) -> AsyncIterator[Stage]:
    await asyncio.to_thread(built_stage.bank.start, "payments")
    yield built_stage
    built_stage.ledger.reset()
    built_stage.risk.reset()


@pytest_asyncio.fixture
async def accounts(stage: Stage, unique: str) -> Accounts:
    """A debtor with 1,000 minor units, and a creditor."""
    return await stage.accounts(unique)
