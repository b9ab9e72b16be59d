"""What a migration carries over: rows that were there before it."""

import asyncio
from datetime import UTC, datetime

import asyncpg
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine

from deploy.postgres import provision
from shared.kit.migrate import migrate, versions_folder
from tests.bank import ROOT, Bank

LISTED = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)


def upgraded(connection: Connection, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(ROOT / "shared/kit/alembic"))
    config.set_main_option("version_locations", str(versions_folder("risk")))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


class TestLists:
    async def test_take_over_the_accounts_of_the_old_black_list(self, bank: Bank) -> None:
        credentials = await asyncio.to_thread(provision, bank.server, ["carried"])
        url = credentials["carried"].owner_dsn
        engine = create_async_engine(url)
        try:
            async with engine.begin() as connection:
                await connection.run_sync(upgraded, "0002")
        finally:
            await engine.dispose()
        owner = await asyncpg.connect(url.replace("postgresql+asyncpg://", "postgresql://"))
        try:
            rows = [(f"mule-{i}", f"police notice {i}", "s-operator", LISTED) for i in range(3)]
            await owner.executemany("INSERT INTO listed_accounts VALUES ($1, $2, $3, $4)", rows)
            await migrate(name="risk", url=url)
            found = await owner.fetch(
                "SELECT value, reason, listed_by, listed_at, list, kind, expires_at"
                " FROM list_entries ORDER BY value"
            )
        finally:
            await owner.close()
        assert [tuple(row) for row in found] == [(*row, "black", "account", None) for row in rows]
