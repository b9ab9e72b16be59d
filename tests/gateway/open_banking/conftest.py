"""A client of the standard and a customer with three months of history, made once."""

from collections.abc import AsyncIterator
from datetime import date, timedelta

import httpx
import pytest

from tests.bank import Bank
from tests.gateway.customers import Customer, grant, new_customer
from tests.gateway.fapi.support import App, new_app
from tests.gateway.open_banking.standard import Standard, published
from tests.gateway.open_banking.support import HISTORY, Reader
from tests.ledger.support import open_account, transfer


@pytest.fixture(scope="session")
def standard() -> Standard:
    return published()


@pytest.fixture(scope="session")
async def http(whole_bank: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=whole_bank, timeout=30) as client:
        yield client


@pytest.fixture(scope="session")
async def app(bank: Bank, http: httpx.AsyncClient) -> App:
    return await new_app(bank, http, "app-obie")


@pytest.fixture(scope="session")
async def customer(bank: Bank, whole_bank: str) -> Customer:
    """With a second account, opened 100 days ago and with 240 entries since."""
    found = await new_customer(bank, "obie")
    opened = date.today() - timedelta(days=100)
    async with bank.client("ledger", roles=("operator",)) as ledger:
        await open_account(
            ledger, HISTORY, holder_id=found.customer_id, opened_on=opened.isoformat()
        )
        source = f"src-{found.account_id}"
        moves = []
        for number in range(240):
            amount = 500 + number if number % 3 else -(100 + number)
            booked = (opened + timedelta(days=number * 100 // 240)).isoformat()
            dates = {"booking_date": booked, "value_date": booked}
            legs = ((source, -amount), (HISTORY, amount))
            moves.append(transfer(*legs, reference=f"entry {number}", **dates))
        moves[0] = transfer(
            (source, -10_000_000),
            (HISTORY, 10_000_000),
            booking_date=opened.isoformat(),
            value_date=opened.isoformat(),
        )
        posted = await ledger.post("/v1/transfers/bulk", json={"transfers": moves})
        outcomes = {item["outcome"] for item in posted.json()["items"]}
        assert outcomes == {"posted"}, posted.text
    await grant(bank, found.customer_id, HISTORY)
    async with bank.client("payments", roles=("operator",)) as payments:
        order = {
            "order_id": "obie:order:1",
            "debtor_account": HISTORY,
            "creditor_bank": "YZ",
            "creditor_account": "87144583",
            "amount_minor": 245_200,
            "currency": "CNY",
        }
        kept = await payments.post("/v1/standing-orders/bulk", json={"orders": [order]})
        assert kept.status_code == 200, kept.text
    return found


@pytest.fixture(scope="session")
async def reader(app: App, customer: Customer) -> Reader:
    """A client with a consent for everything, over both accounts."""
    return await Reader.with_consent(app, customer)
