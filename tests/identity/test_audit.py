"""The audit log: filled from the bus, read by staff, changed by nobody."""

from typing import Any

import asyncpg
import httpx
import pytest

from shared.kit.clock import new_id
from tests.bank import Bank, eventually
from tests.identity.support import customer, register

COLUMNS = "event_id, service, staff_id, action, subject, reason, at"


async def entries(
    client: httpx.AsyncClient, *, subject: str, limit: int = 100
) -> list[dict[str, Any]]:
    """All entries whose subject begins so, newest first, read page by page."""
    found: list[dict[str, Any]] = []
    params: dict[str, Any] = {"limit": limit}
    while True:
        response = await client.get("/v1/audit-entries", params=params)
        assert response.status_code == 200, response.text
        page = response.json()
        assert len(page["items"]) <= limit
        found += [item for item in page["items"] if item["subject"].startswith(subject)]
        if page["next_before"] is None:
            return found
        params["before"] = page["next_before"]


async def plant(connection: "asyncpg.Connection", unique: str, number: int, at: str) -> None:
    await connection.execute(
        f"INSERT INTO audit_entries ({COLUMNS})"
        " VALUES ($1, 'ledger', 's-1', 'account.freeze', $2, '', $3::text::timestamptz)",
        new_id(),
        f"{unique}-{number}",
        at,
    )


class TestAuditLog:
    async def test_hears_of_what_staff_did(self, bank: Bank, unique: str) -> None:
        async with bank.client("identity", roles=("operator",)) as client:
            await register(client, customer(f"c-{unique}-1"), customer(f"c-{unique}-2"))

            async def heard() -> list[dict[str, Any]]:
                return await entries(client, subject=f"2: c-{unique}")

            (entry,) = await eventually(heard)
        assert entry["action"] == "customers.register"
        assert entry["subject"] == f"2: c-{unique}-1..c-{unique}-2"
        assert entry["service"] == "identity"
        assert entry["staff_id"] == "s-tester"

    async def test_keeps_what_comes_twice_once(self, bank: Bank, unique: str) -> None:
        async with bank.client("identity", roles=("operator",)) as client:
            for _ in range(2):
                await register(client, customer(f"c-{unique}"))

            async def heard() -> list[dict[str, Any]]:
                return await entries(client, subject=f"1: c-{unique}")

            assert len(await eventually(heard)) == 1

    @pytest.mark.parametrize("limit", [1, 2, 100])
    async def test_is_read_in_pages_that_lose_nothing_of_one_instant(
        self, bank: Bank, unique: str, limit: int
    ) -> None:
        connection = await bank.connect("identity", owner=False)
        try:
            for number in range(5):
                await plant(connection, unique, number, "2031-01-05T02:00:00.000001Z")
            await plant(connection, unique, 5, "2031-01-05T02:00:01Z")
        finally:
            await connection.close()
        async with bank.client("identity", roles=("reviewer",)) as client:
            found = await entries(client, subject=unique, limit=limit)
        assert [item["subject"] for item in found] == [f"{unique}-{n}" for n in (5, 4, 3, 2, 1, 0)]

    @pytest.mark.parametrize("change", ["UPDATE audit_entries SET reason = 'other'"])
    @pytest.mark.parametrize("owner", [True, False])
    async def test_cannot_be_rewritten(
        self, bank: Bank, unique: str, owner: bool, change: str
    ) -> None:
        bank.start("identity")
        connection = await bank.connect("identity", owner=owner)
        try:
            await plant(connection, unique, 0, "2031-01-04T02:00:00Z")
            for statement in (change, "DELETE FROM audit_entries", "TRUNCATE audit_entries"):
                with pytest.raises(asyncpg.PostgresError, match=r"never changed|permission denied"):
                    await connection.execute(statement)
            kept = await connection.fetchval(
                "SELECT reason FROM audit_entries WHERE subject = $1", f"{unique}-0"
            )
        finally:
            await connection.close()
        assert kept == ""

    async def test_names_a_place_that_is_none(self, bank: Bank) -> None:
        async with bank.client("identity", roles=("reviewer",)) as client:
            response = await client.get("/v1/audit-entries", params={"before": "yesterday"})
        assert response.status_code == 422
        assert response.json()["errors"][0]["field"] == "before"

    async def test_is_for_staff_alone(self, bank: Bank) -> None:
        async with bank.client("identity", caller="gateway") as client:
            assert (await client.get("/v1/audit-entries")).status_code == 403
