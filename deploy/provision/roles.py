"""One database and two roles for each service, with no right more than they need.

For a service `ledger`: the database `ledger`; the role `ledger_owner`, which owns it and runs the
migrations; the role `ledger`, which may connect to it and use its schema, and nothing else until a
migration grants a table. The role `auditor` reads every database, and is for the checker outside.
"""

import hashlib
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias, cast

import asyncpg

VERSION = 1
"""Raise it with every change of the statements below: then the next start applies them again."""

SUPERUSER = "postgres"
AUDITOR = "auditor"
CONNECT_TIMEOUT_S = 10.0
PASSWORD_BYTES = 32
TAKEN_NAMES = {SUPERUSER, AUDITOR, "public", "none", "template0", "template1"}
LOGIN = "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS"

Connection: TypeAlias = asyncpg.Connection
Connect: TypeAlias = Callable[[str], Awaitable[Connection]]
"""Opens a database, by its name, as the superuser."""


class NameTaken(Exception):
    """A service cannot have this name; the text is one clear line."""


@dataclass(frozen=True)
class ServicePasswords:
    owner: str = field(repr=False)
    runtime: str = field(repr=False)


class RolePasswords(Protocol):
    """The passwords of the roles, wherever they are kept."""

    @property
    def auditor(self) -> str: ...

    @property
    def services(self) -> Mapping[str, ServicePasswords]: ...


def new_password() -> str:
    """256 random bits as URL-safe base64: it needs no escape in SQL and in an address."""
    return secrets.token_urlsafe(PASSWORD_BYTES)


def check_name(name: str) -> None:
    """Raises NameTaken for what cannot be the name of a database and its roles."""
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,40}", name):
        raise NameTaken(f"{name!r} is no name for a service: lower case letters, digits, _")
    if name in TAKEN_NAMES or name.startswith("pg_") or name.endswith("_owner"):
        raise NameTaken(f"the name {name!r} is taken by PostgreSQL or by its roles here")


async def apply(connect: Connect, passwords: RolePasswords, names: list[str]) -> None:
    """Give every name its database and roles. What is there as it should be is left alone.

    `names` have passed `check_name`. An interrupted run is completed by the next one.
    """
    connection = await connect(SUPERUSER)
    try:
        rows = await connection.fetch(
            "SELECT datname, shobj_description(oid, 'pg_database') AS mark FROM pg_database"
        )
        marks = {cast(str, row["datname"]): cast("str | None", row["mark"]) for row in rows}
        wanted = {name: _mark(passwords, name) for name in names}
        missing = [name for name in names if marks.get(name) != wanted[name]]
        common = _digested(passwords.auditor)
        if marks.get(SUPERUSER) != common:
            await _apply_to_server(connection, passwords)
            await connection.execute(f"COMMENT ON DATABASE {SUPERUSER} IS '{common}'")
        for name in missing:
            await _apply_to_database(connection, name, passwords, exists=name in marks)
            await _apply_to_schema(connect, name)
            # The mark goes last: an interrupted run is repeated as a whole.
            await connection.execute(f"COMMENT ON DATABASE \"{name}\" IS '{wanted[name]}'")
    finally:
        await connection.close(timeout=CONNECT_TIMEOUT_S)


def _mark(passwords: RolePasswords, name: str) -> str:
    """Tells in the database itself what was applied, and with which passwords.

    It may be read by every role: a digest of 256 random bits gives nothing away.
    """
    pair = passwords.services[name]
    return _digested(pair.owner, pair.runtime)


def _digested(*values: str) -> str:
    digest = hashlib.sha256("\n".join(values).encode()).hexdigest()[:16]
    return f"tongbao {VERSION} {digest}"


async def _apply_to_server(connection: Connection, passwords: RolePasswords) -> None:
    await _ensure_role(connection, AUDITOR, passwords.auditor)
    # A second lock; the first is that nothing but SELECT is ever granted to it.
    await connection.execute(f"ALTER ROLE {AUDITOR} SET default_transaction_read_only = on")
    for database in (SUPERUSER, "template1"):
        await connection.execute(f"REVOKE ALL ON DATABASE {database} FROM PUBLIC")


async def _ensure_role(connection: Connection, role: str, password: str) -> None:
    exists = await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role)
    verb = "ALTER" if exists else "CREATE"
    # Names are checked and passwords are URL-safe base64: neither can end its quotes.
    await connection.execute(f"{verb} ROLE \"{role}\" {LOGIN} PASSWORD '{password}'")


async def _apply_to_database(
    connection: Connection, name: str, passwords: RolePasswords, *, exists: bool
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


async def _apply_to_schema(connect: Connect, name: str) -> None:
    """The rights inside a database, whose schema `public` belongs to its owner."""
    owner = f"{name}_owner"
    future = f'ALTER DEFAULT PRIVILEGES FOR ROLE "{owner}" GRANT'
    connection = await connect(name)
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
