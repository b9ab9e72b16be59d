"""One database and two roles for each service, with no right more than they need.

For a service `ledger`: the database `ledger`; the role `ledger_owner`, which owns it and runs the
migrations; the role `ledger`, which may connect to it and use its schema, and nothing else until a
migration grants a table. The role `auditor` reads every database, and is for the checker outside.
"""

import asyncio
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

import asyncpg

from deploy.postgres import credentials, places
from deploy.postgres.cluster import SUPERUSER
from deploy.postgres.credentials import Passwords
from deploy.postgres.errors import PostgresError, reported
from deploy.postgres.server import Server

VERSION = 1
"""Raise it with every change of the statements below: then the next start applies them again."""

AUDITOR = "auditor"
CONNECT_TIMEOUT_S = 10.0
COMMAND_TIMEOUT_S = 60.0
TAKEN_NAMES = {SUPERUSER, AUDITOR, "public", "none", "template0", "template1"}
LOGIN = "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS"


@dataclass(frozen=True)
class ServiceCredentials:
    """What one service gets: its database, and how its two roles sign in."""

    database: str
    owner_role: str
    owner_password: str = field(repr=False)
    owner_dsn: str = field(repr=False)
    role: str
    password: str = field(repr=False)
    dsn: str = field(repr=False)


def provision(server: Server, services: Sequence[str]) -> dict[str, ServiceCredentials]:
    """Give every named service its database and roles; return how to sign in, by service.

    Can be repeated: what is there is left alone, with its passwords; then it costs one connection.
    Runs an event loop of its own, so call it from a thread that has none.
    Raises PostgresError for a name that cannot be a database or is taken.
    """
    names = sorted(set(services))
    for name in names:
        _check_name(name)
    with reported("prepare the databases"), places.locked(server.run_dir):
        passwords = credentials.required(server.run_dir)
        completed = passwords.completed(names)
        if completed != passwords:
            credentials.store(server.run_dir, completed)
        try:
            asyncio.run(_provision(server, completed, names))
        except (asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as error:
            raise PostgresError(f"cannot prepare the databases: {error}") from error
    return {name: _credentials(server, name, completed) for name in names}


def auditor_dsn(server: Server, database: str) -> str:
    """The address of a database for the read-only role of checkers."""
    return server.dsn(database, AUDITOR, credentials.required(server.run_dir).auditor)


def _check_name(name: str) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,40}", name):
        raise PostgresError(f"{name!r} is no name for a service: lower case letters, digits, _")
    if name in TAKEN_NAMES or name.startswith("pg_") or name.endswith("_owner"):
        raise PostgresError(f"the name {name!r} is taken by PostgreSQL or by its roles here")


def _credentials(server: Server, name: str, passwords: Passwords) -> ServiceCredentials:
    pair = passwords.services[name]
    owner = f"{name}_owner"
    return ServiceCredentials(
        database=name,
        owner_role=owner,
        owner_password=pair.owner,
        owner_dsn=server.dsn(name, owner, pair.owner),
        role=name,
        password=pair.runtime,
        dsn=server.dsn(name, name, pair.runtime),
    )


async def _provision(server: Server, passwords: Passwords, names: list[str]) -> None:
    connection = await _connect(server, SUPERUSER, passwords.superuser)
    try:
        rows = await connection.fetch(
            "SELECT datname, shobj_description(oid, 'pg_database') AS mark FROM pg_database"
        )
        marks = {cast(str, row["datname"]): cast("str | None", row["mark"]) for row in rows}
        wanted = {name: _mark(passwords, name) for name in names}
        missing = [name for name in names if marks.get(name) != wanted[name]]
        common = _common_mark(passwords)
        if marks.get(SUPERUSER) != common:
            await _provision_cluster(connection, passwords)
            await connection.execute(f"COMMENT ON DATABASE {SUPERUSER} IS '{common}'")
        for name in missing:
            await _provision_database(connection, name, passwords, exists=name in marks)
            await _provision_schema(server, name, passwords)
            # The mark goes last: an interrupted run is repeated as a whole.
            await connection.execute(f"COMMENT ON DATABASE \"{name}\" IS '{wanted[name]}'")
    finally:
        await connection.close(timeout=CONNECT_TIMEOUT_S)


async def _connect(server: Server, database: str, password: str) -> asyncpg.Connection:
    return await asyncpg.connect(
        host=str(server.socket_dir),
        port=server.port,
        user=SUPERUSER,
        password=password,
        database=database,
        timeout=CONNECT_TIMEOUT_S,
        command_timeout=COMMAND_TIMEOUT_S,
    )


def _mark(passwords: Passwords, name: str) -> str:
    """Tells in the database itself what was applied, and with which passwords.

    It may be read by every role: a digest of 256 random bits gives nothing away.
    """
    pair = passwords.services[name]
    return _digested(pair.owner, pair.runtime)


def _common_mark(passwords: Passwords) -> str:
    return _digested(passwords.auditor)


def _digested(*values: str) -> str:
    digest = hashlib.sha256("\n".join(values).encode()).hexdigest()[:16]
    return f"tongbao {VERSION} {digest}"


async def _provision_cluster(connection: asyncpg.Connection, passwords: Passwords) -> None:
    await _ensure_role(connection, AUDITOR, passwords.auditor)
    # A second lock; the first is that nothing but SELECT is ever granted to it.
    await connection.execute(f"ALTER ROLE {AUDITOR} SET default_transaction_read_only = on")
    for database in (SUPERUSER, "template1"):
        await connection.execute(f"REVOKE ALL ON DATABASE {database} FROM PUBLIC")


async def _ensure_role(connection: asyncpg.Connection, role: str, password: str) -> None:
    exists = await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role)
    verb = "ALTER" if exists else "CREATE"
    # Names are checked and passwords are URL-safe base64: neither can end its quotes.
    await connection.execute(f"{verb} ROLE \"{role}\" {LOGIN} PASSWORD '{password}'")


async def _provision_database(
    connection: asyncpg.Connection, name: str, passwords: Passwords, *, exists: bool
) -> None:
    owner = f"{name}_owner"
    await _ensure_role(connection, owner, passwords.services[name].owner)
    await _ensure_role(connection, name, passwords.services[name].runtime)
    if not exists:
        await connection.execute(f'CREATE DATABASE "{name}" OWNER "{owner}"')
    for statement in (
        f'ALTER DATABASE "{name}" OWNER TO "{owner}"',
        f'REVOKE ALL ON DATABASE "{name}" FROM PUBLIC',
        f'GRANT CONNECT ON DATABASE "{name}" TO "{name}", {AUDITOR}',
    ):
        await connection.execute(statement)


async def _provision_schema(server: Server, name: str, passwords: Passwords) -> None:
    """The rights inside a database, whose schema `public` belongs to its owner."""
    owner = f"{name}_owner"
    future = f'ALTER DEFAULT PRIVILEGES FOR ROLE "{owner}" GRANT'
    connection = await _connect(server, name, passwords.superuser)
    try:
        async with connection.transaction():
            for statement in (
                "REVOKE ALL ON SCHEMA public FROM PUBLIC",
                f'GRANT USAGE ON SCHEMA public TO "{name}", {AUDITOR}',
                f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {AUDITOR}",
                f"GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO {AUDITOR}",
                f"{future} SELECT ON TABLES TO {AUDITOR}",
                f"{future} SELECT ON SEQUENCES TO {AUDITOR}",
                f"{future} USAGE ON SCHEMAS TO {AUDITOR}",
            ):
                await connection.execute(statement)
    finally:
        await connection.close(timeout=CONNECT_TIMEOUT_S)
