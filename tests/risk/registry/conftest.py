"""A database of the registry's own, migrated once, beside those of the running bank."""

import asyncio
from collections.abc import AsyncIterator

import pytest_asyncio

from deploy.postgres import provision
from shared.kit.database import Database
from shared.kit.migrate import migrate
from tests.bank import Bank


@pytest_asyncio.fixture(scope="package")
async def registry_dsn(bank: Bank) -> str:
    found = await asyncio.to_thread(provision, bank.server, ["registered"])
    await migrate(name="risk", url=found["registered"].owner_dsn)
    return str(found["registered"].owner_dsn)


@pytest_asyncio.fixture
async def database(registry_dsn: str) -> AsyncIterator[Database]:
    found = Database(registry_dsn, pool_size=4, application="test")
    try:
        yield found
    finally:
        await found.close()
