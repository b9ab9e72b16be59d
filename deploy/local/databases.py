"""The bank's databases: a server, one database a service, each at its newest version."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import asyncpg
from alembic.config import Config
from alembic.script import ScriptDirectory

from deploy import postgres
from deploy.local.options import LocalError
from deploy.postgres import PostgresError, Server, ServiceCredentials
from shared.kit.migrate import DATABASES, ROOT, migrate, versions_folder


def open_databases(run_dir: Path) -> tuple[Server, Mapping[str, ServiceCredentials]]:
    """Start the server and bring every database to its newest version.

    Raises LocalError; the server may run then.
    """
    try:
        server = postgres.start(run_dir)
        credentials = postgres.provision(server, DATABASES)
    except PostgresError as error:
        raise LocalError(str(error)) from error
    asyncio.run(_migrate_all(credentials))
    return server, credentials


async def _migrate_all(credentials: Mapping[str, ServiceCredentials]) -> None:
    # One after the other: Alembic keeps its running migration in module-wide variables.
    for name in DATABASES:
        found = credentials[name]
        head = _head(name)
        if await _version(found) == head:
            continue
        try:
            await migrate(name=name, url=found.owner_dsn)
        except Exception as error:
            cause = " ".join(str(error).split())[:300]
            raise LocalError(f"the database of {name} cannot be migrated: {cause}") from error


def _head(name: str) -> str | None:
    config = Config()
    config.set_main_option("script_location", str(ROOT / "shared/kit/alembic"))
    config.set_main_option("version_locations", str(versions_folder(name)))
    config.set_main_option("path_separator", "os")
    return ScriptDirectory.from_config(config).get_current_head()


async def _version(found: ServiceCredentials) -> str | None:
    """The database's version; None for a new one."""
    connection = await asyncpg.connect(
        found.owner_dsn.replace("postgresql+asyncpg://", "postgresql://"), timeout=10
    )
    try:
        version = await connection.fetchval("SELECT version_num FROM alembic_version")
        return str(version) if version is not None else None
    except asyncpg.UndefinedTableError:
        return None
    finally:
        await connection.close(timeout=5)
