"""A database of the watch's own, migrated once, beside those of the running bank."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest_asyncio

from deploy.postgres import provision
from services.risk.policies.active import plant_seeds
from shared.kit.database import Database
from shared.kit.migrate import migrate
from tests.bank import Bank
from tests.risk.watch.support import Watched, era


@pytest_asyncio.fixture(scope="package")
async def watch_dsn(bank: Bank) -> str:
    found = await asyncio.to_thread(provision, bank.server, ["watched"])
    await migrate(name="risk", url=found["watched"].owner_dsn)
    return found["watched"].owner_dsn


@pytest_asyncio.fixture
async def watched(watch_dsn: str) -> AsyncIterator[Watched]:
    database = Database(watch_dsn, pool_size=4, application="test")
    try:
        async with database.transaction() as session:  # long before what any test decides
            await plant_seeds(session, now=datetime(2029, 1, 1, tzinfo=UTC))
        found = Watched(database, watch_dsn.replace("+asyncpg", ""), era())
        await found.begin()
        yield found
    finally:
        await database.close()
