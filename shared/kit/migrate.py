"""Brings a service's database to the newest version, as the role that owns it.

Run `python -m shared.kit.migrate ledger` with DATABASE_URL, or its file, naming the owner.
"""

import asyncio
import sys
from pathlib import Path

from alembic import command, op
from alembic.config import Config
from pydantic import SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine

from shared.contracts.topics import SERVICES
from shared.kit.settings import SECRETS_DIR
from shared.kit.tables import GRANTS, metadata

ROOT = Path(__file__).resolve().parents[2]
#: Everything that has a database: the services and the embedded bus.
DATABASES = (*SERVICES, "bus")


def versions_folder(name: str) -> Path:
    """Where the migrations of `name` are."""
    if name == "bus":
        return ROOT / "shared/kit/bus/migrations/versions"
    if name == "gateway":
        return ROOT / "gateway/migrations/versions"
    return ROOT / "services" / name / "migrations/versions"


def create_kit_tables(service: str) -> None:
    """Called by a service's first migration: outbox, inbox and the like, with their rights."""
    metadata.create_all(op.get_bind())
    for table, rights in GRANTS.items():
        op.execute(f"GRANT {rights} ON {table} TO {service}")


def _upgrade(connection: Connection, name: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(ROOT / "shared/kit/alembic"))
    config.set_main_option("version_locations", str(versions_folder(name)))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


async def migrate(*, name: str, url: str) -> None:
    """Upgrade the database of `name`; `url` names it and its owner.

    Runs under an advisory lock, so that two at once wait for each other.
    """
    engine = create_async_engine(url, pool_size=1)
    try:
        async with engine.connect() as connection:
            await connection.exec_driver_sql("SELECT pg_advisory_lock(727466)")
            await connection.commit()
            await connection.run_sync(_upgrade, name)
            await connection.commit()
    finally:
        await engine.dispose()


class Owner(BaseSettings):
    """What the command needs: the database, as the role that owns it."""

    model_config = SettingsConfigDict(extra="ignore", secrets_dir=SECRETS_DIR)

    database_url: SecretStr


def main() -> None:
    usage = f"usage: DATABASE_URL=… python -m shared.kit.migrate {{{','.join(DATABASES)}}}"
    if len(sys.argv) != 2 or sys.argv[1] not in DATABASES:
        sys.exit(usage)
    try:
        owner = Owner()
    except ValidationError:
        sys.exit(usage)
    asyncio.run(migrate(name=sys.argv[1], url=owner.database_url.get_secret_value()))


if __name__ == "__main__":
    main()
