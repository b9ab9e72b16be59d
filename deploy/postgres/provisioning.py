"""Databases and roles of the embedded server: `deploy.provision.roles`, by its socket."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import asyncpg

from deploy.postgres import credentials, places
from deploy.postgres.credentials import Passwords
from deploy.postgres.errors import PostgresError, reported
from deploy.postgres.server import Server
from deploy.provision import roles

COMMAND_TIMEOUT_S = 60.0


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
    try:
        for name in names:
            roles.check_name(name)
    except roles.NameTaken as error:
        raise PostgresError(str(error)) from None
    with reported("prepare the databases"), places.locked(server.run_dir):
        passwords = credentials.required(server.run_dir)
        completed = passwords.completed(names)
        if completed != passwords:
            credentials.store(server.run_dir, completed)
        try:
            asyncio.run(roles.apply(_connector(server, completed), completed, names))
        except (asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as error:
            raise PostgresError(f"cannot prepare the databases: {error}") from error
    return {name: _credentials(server, name, completed) for name in names}


def auditor_dsn(server: Server, database: str) -> str:
    """The address of a database for the read-only role of checkers."""
    return server.dsn(database, roles.AUDITOR, credentials.required(server.run_dir).auditor)


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


def _connector(server: Server, passwords: Passwords) -> roles.Connect:
    async def connect(database: str) -> roles.Connection:
        return await asyncpg.connect(
            host=str(server.socket_dir),
            port=server.port,
            user=roles.SUPERUSER,
            password=passwords.superuser,
            database=database,
            timeout=roles.CONNECT_TIMEOUT_S,
            command_timeout=COMMAND_TIMEOUT_S,
        )

    return connect
