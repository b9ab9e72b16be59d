"""Apps of the whole bank, one for each test."""

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.bank import Bank
from tests.gateway.fapi.support import App, new_app


@pytest.fixture
async def http(whole_bank: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=whole_bank, timeout=30) as client:
        yield client


@pytest.fixture
async def app(bank: Bank, http: httpx.AsyncClient, unique: str) -> App:
    return await new_app(bank, http, f"app-{unique}")


@pytest.fixture
async def other(bank: Bank, http: httpx.AsyncClient, unique: str) -> App:
    return await new_app(bank, http, f"other-{unique}")
