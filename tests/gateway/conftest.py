"""One gateway for the tests that need nothing behind it, and partners in it."""

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from tests.bank import Bank
from tests.gateway.customers import Customer, new_customer
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


@pytest.fixture(scope="session")
def whole_bank(bank: Bank) -> str:
    """A gateway with every service behind it; its URL."""
    return bank.start("gateway")


@pytest.fixture
async def shop(bank: Bank, whole_bank: str, unique: str) -> AsyncIterator[Partner]:
    """A partner of the whole bank, with a token."""
    async with httpx.AsyncClient(base_url=whole_bank, timeout=30) as client:
        yield await (await register_partner(bank, client, f"p-{unique}")).sign_in()


@pytest.fixture
async def customer(bank: Bank, whole_bank: str, unique: str) -> Customer:
    """A customer with 1,000.00 CNY and a login."""
    return await new_customer(bank, unique)
