"""Staff who write policies, and versions on their way to being in force."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import httpx

from shared.kit.clock import new_id
from tests.bank import Bank

WHY = {"reason": "the test says so"}


@contextlib.asynccontextmanager
async def staff(
    bank: Bank, staff_id: str, *, roles: tuple[str, ...] = ("operator",)
) -> AsyncIterator[httpx.AsyncClient]:
    async with bank.client("risk", roles=roles) as client:
        token = bank.staff_token(roles=roles, staff_id=staff_id)
        client.headers["authorization"] = f"Bearer {token}"
        yield client


async def write(
    client: httpx.AsyncClient, path: str, body: dict[str, Any] | None = None
) -> httpx.Response:
    headers = {"idempotency-key": new_id().hex}
    return await client.post(f"/v1/policies/{path}", json=body or WHY, headers=headers)


async def written(
    client: httpx.AsyncClient, path: str, body: dict[str, Any] | None = None
) -> dict[str, Any]:
    response = await write(client, path, body)
    assert response.status_code in {200, 201, 202}, response.text
    return dict(response.json())


async def active(client: httpx.AsyncClient, product: str) -> dict[str, Any]:
    """What is in force for the product."""
    items = (await client.get("/v1/policies")).json()["items"]
    return next(item for item in items if item["product"] == product)


async def content(client: httpx.AsyncClient, product: str) -> dict[str, Any]:
    """The version in force, with graph and tests."""
    version = (await active(client, product))["version"]
    response = await client.get(f"/v1/policies/{product}/versions/{version}")
    assert response.status_code == 200, response.text
    return dict(response.json())


async def put_in_force(bank: Bank, product: str, body: dict[str, Any]) -> str:
    """Draft, propose, approve and activate, by two people; the version's number."""
    async with staff(bank, "s-author") as author, staff(bank, "s-second") as second:
        version = (await written(author, f"{product}/versions", {"note": "a test"} | body))[
            "version"
        ]
        await written(author, f"{product}/versions/{version}/proposal")
        await written(second, f"{product}/versions/{version}/approval")
        await written(author, f"{product}/versions/{version}/activation")
    return str(version)


@contextlib.asynccontextmanager
async def in_force(bank: Bank, product: str, body: dict[str, Any]) -> AsyncIterator[str]:
    """A version that is in force within the block, and rolled back after it."""
    version = await put_in_force(bank, product, body)
    try:
        yield version
    finally:
        async with staff(bank, "s-author") as author:
            await written(author, f"{product}/roll-back")


def ceiling_tests(tests: dict[str, Any], ceiling: int) -> dict[str, Any]:
    """The payment policy's tests for another ceiling."""
    cases = []
    for case in tests["cases"]:
        value = {"at the ceiling": ceiling, "below the ceiling": ceiling - 1}.get(case["name"])
        facts = case["facts"] if value is None else case["facts"] | {"value_minor": value}
        cases.append(case | {"facts": facts})
    return tests | {"cases": cases}


async def with_ceiling(client: httpx.AsyncClient, ceiling: int) -> dict[str, Any]:
    """The body of a draft of the payment policy with another ceiling."""
    tests = (await content(client, "payment"))["tests"]
    return {
        "note": f"ceiling of {ceiling}",
        "thresholds": {"ceiling_minor": ceiling},
        "tests": ceiling_tests(tests, ceiling),
    }
