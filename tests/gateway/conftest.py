"""One gateway for the tests that need nothing behind it, and partners in it."""

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from tests.bank import Bank
from tests.gateway.support import Partner, gateway_process, register_partner


@pytest.fixture(scope="session")
def lone_gateway(bank: Bank) -> Iterator[str]:
    """A gateway with a real database and no peers: its own part of the work needs none."""
    with gateway_process(bank) as url:
        yield url


@pytest.fixture
async def outside(lone_gateway: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client without any credential."""
    async with httpx.AsyncClient(base_url=lone_gateway, timeout=30) as client:
        yield client


@pytest.fixture
async def partner(bank: Bank, outside: httpx.AsyncClient, unique: str) -> Partner:
    """A registered partner with a token for everything."""
    return await (await register_partner(bank, outside, f"p-{unique}")).sign_in()
