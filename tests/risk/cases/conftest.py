"""Risk, started once."""

import asyncio

import pytest_asyncio

from tests.bank import Bank
from tests.risk.cases.support import Desk


@pytest_asyncio.fixture
async def desk(bank: Bank, unique: str) -> Desk:
    await asyncio.to_thread(bank.start, "risk")
    return Desk(bank, unique)
