"""Risk with identity behind it, started once, and members of staff who can sign in."""

import asyncio

import pytest
import pytest_asyncio
from playwright.async_api import async_playwright

from tests.bank import Bank
from tests.risk.cases.support import Desk
from tests.risk.desk.support import CHROMIUM, Member, register


@pytest_asyncio.fixture
async def desk(bank: Bank, unique: str) -> Desk:
    await asyncio.to_thread(bank.start, "risk")
    return Desk(bank, unique)


@pytest_asyncio.fixture
async def reviewer(desk: Desk) -> Member:
    return await register(desk, "rev", "reviewer")


@pytest_asyncio.fixture
async def colleague(desk: Desk) -> Member:
    return await register(desk, "col", "reviewer")


@pytest_asyncio.fixture
async def operator(desk: Desk) -> Member:
    return await register(desk, "op", "operator")


@pytest.fixture
async def chromium():
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        await browser.close()
