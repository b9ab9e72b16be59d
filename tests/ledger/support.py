"""What the ledger's tests say again and again."""

from typing import Any
from uuid import UUID

import httpx

from shared.kit.clock import new_id


async def open_account(
    client: httpx.AsyncClient, account_id: str, *, currency: str = "CNY", **fields: Any
) -> dict[str, Any]:
    body = {"account_id": account_id, "chart_code": "2011", "currency": currency} | fields
    response = await client.post("/v1/accounts", json=body)
    assert response.status_code == 201, response.text
    return response.json()


def transfer(
    *legs: tuple[str, int], currency: str = "CNY", transfer_id: UUID | None = None, **fields: Any
) -> dict[str, Any]:
    """A transfer's body; a leg is an account and a signed amount, credit positive."""
    return {
        "transfer_id": str(transfer_id or new_id()),
        "kind": "test",
        "legs": [
            {
                "account_id": account,
                "direction": "credit" if amount > 0 else "debit",
                "amount_minor": abs(amount),
                "currency": currency,
            }
            for account, amount in legs
        ],
    } | fields


async def balance(client: httpx.AsyncClient, account_id: str) -> dict[str, Any]:
    response = await client.get(f"/v1/accounts/{account_id}")
    assert response.status_code == 200, response.text
    return response.json()["balance"]


async def fund(client: httpx.AsyncClient, account_id: str, amount: int) -> str:
    """Put money on an account from a source without a floor; the source's number."""
    source = f"src-{account_id}"[:34]
    await open_account(client, source, chart_code="1001", floor_minor=None)
    response = await client.post(
        "/v1/transfers", json=transfer((source, -amount), (account_id, amount))
    )
    assert response.status_code == 201, response.text
    return source
