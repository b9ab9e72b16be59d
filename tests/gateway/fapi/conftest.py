"""Apps and a customer of the whole bank: made once, since no test here changes them."""

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from tests.bank import Bank
from tests.gateway.customers import Customer, new_customer
from tests.gateway.fapi.support import App, new_app
from tests.gateway.signing import RSA_KEY
from tests.gateway.support import gateway_process


@pytest.fixture(scope="session")
def fapi_gateway(bank: Bank) -> Iterator[str]:
    """A gateway with what this takes behind it: customers and accounts, and nothing else."""
    bank.start("identity")
    bank.start("ledger")
    with gateway_process(bank) as url:
        yield url


@pytest.fixture(scope="session")
async def http(fapi_gateway: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=fapi_gateway, timeout=30) as client:
        yield client


@pytest.fixture(scope="session")
async def app(bank: Bank, http: httpx.AsyncClient) -> App:
    return await new_app(bank, http, "app-fapi")


@pytest.fixture(scope="session")
async def other(bank: Bank, http: httpx.AsyncClient) -> App:
    """Another client, of another partner, with an RSA key."""
    return await new_app(bank, http, "other-fapi", key=RSA_KEY)


@pytest.fixture(scope="session")
async def signing(bank: Bank, http: httpx.AsyncClient) -> App:
    """A client whose requests count signed only, and whose answers are signed in ES256."""
    choices = {"signed_requests": True, "response_alg": "ES256", "introspection_alg": "ES256"}
    return await new_app(bank, http, "signing-fapi", **choices)


@pytest.fixture(scope="session")
async def nonced(bank: Bank, http: httpx.AsyncClient) -> App:
    """A client whose proofs need a nonce of the bank."""
    return await new_app(bank, http, "nonced-fapi", dpop_nonce=True)


@pytest.fixture(scope="session")
async def customer(bank: Bank, fapi_gateway: str) -> Customer:
    return await new_customer(bank, "fapi")
