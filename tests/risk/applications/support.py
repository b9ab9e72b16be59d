"""Applications as the gateway sends them, and the people behind them."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx

from shared.kit.clock import new_id
from tests.bank import Bank

PATHS = {"account_opening": "account", "loan": "loan", "card": "card"}


def application(unique: str, product: str = "loan", **changes: Any) -> dict[str, Any]:
    """A sound application of the customer `c-<unique>`."""
    body: dict[str, Any] = {
        "application_id": str(new_id()),
        "customer_id": f"c-{unique}",
        "channel": "mobile",
    }
    if product == "account_opening":
        body["face_match"] = 0.97
    else:
        body |= {
            "currency": "CNY",
            "requested_minor": 2_000_000,
            "monthly_income_minor": 1_000_000,
            "monthly_debt_minor": 100_000,
            "employed_months": 36,
        }
    if product == "loan":
        body["term_months"] = 12
    return body | changes


async def register(bank: Bank, customer_id: str, *, born_on: date | None = None) -> None:
    """The customer at identity, by default 35 years old."""
    birthday = datetime.now(UTC) - timedelta(days=100)
    born = born_on or date(birthday.year - 35, birthday.month, min(birthday.day, 28))
    body = {
        "customers": [
            {"customer_id": customer_id, "full_name": "Li Hua", "born_on": born.isoformat()}
        ]
    }
    async with bank.client("identity", roles=("operator",)) as identity:
        registered = await identity.post("/v1/customers/bulk", json=body)
        assert registered.status_code == 200, registered.text


def as_customer(bank: Bank, customer_id: str) -> httpx.AsyncClient:
    return bank.client("risk", caller="gateway", customer_id=customer_id)


async def send(bank: Bank, body: dict[str, Any], product: str = "loan") -> httpx.Response:
    """Apply as the gateway does: for the customer of the body."""
    async with as_customer(bank, str(body["customer_id"])) as client:
        return await client.post(f"/v1/{PATHS[product]}-applications", json=body)


async def applied(bank: Bank, body: dict[str, Any], product: str = "loan") -> dict[str, Any]:
    response = await send(bank, body, product)
    assert response.status_code == 200, response.text
    return dict(response.json())


async def standing(bank: Bank, body: dict[str, Any]) -> dict[str, Any]:
    """How the application stands now, as its customer sees it."""
    customer = str(body["customer_id"])
    path = f"/v1/customers/{customer}/applications/{body['application_id']}"
    async with as_customer(bank, customer) as client:
        response = await client.get(path)
    assert response.status_code == 200, response.text
    return dict(response.json())
