"""The adapters of the `Bus` port, and what the contract suite must be able to do to each.

A new adapter is one more class like these: its settings, and these handles.
"""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Protocol

import asyncpg
import psutil

from shared.kit.bus.port import Bus
from shared.kit.bus.select import open_bus
from shared.kit.settings import Settings
from tests.bank import Bank, eventually
from tests.kit.support import Kit, plain


class HeldCommit(Protocol):
    """A publish that has begun and whose records nobody may see yet."""

    async def begun(self) -> None:
        """Returns when the publish waits at its commit."""

    async def release(self) -> None:
        """Let it commit."""


class Adapter(Protocol):
    #: False where the bus itself drops old records, so that `forget` has nothing to do.
    forgets: bool

    def open(self, application: str) -> Bus:
        """A bus of its own connections; `application` names them."""

    def environment(self) -> dict[str, str]:
        """The settings under which another process opens the same bus."""

    async def break_connections(self, application: str) -> int:
        """Cut every connection of that bus at the server; how many there were."""

    def held_commit(self, key: str) -> "AsyncIterator[HeldCommit]":
        """While it lasts, a publish with this key stops just before its commit."""


@dataclass
class PostgresHeldCommit:
    """The commit waits for an advisory lock that the test holds."""

    connection: "asyncpg.Connection"
    lock: int

    async def begun(self) -> None:
        async def waits() -> object:
            return await self.connection.fetchval(
                "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objid = $1",
                self.lock,
            )

        await eventually(waits)

    async def release(self) -> None:
        await self.connection.execute("SELECT pg_advisory_unlock_all()")


class KafkaHeldCommit:
    """There is none to hold: a broker gives a record its offset when everybody may see it."""

    async def begun(self) -> None:
        """At once."""

    async def release(self) -> None:
        """Nothing to do."""


class PostgresAdapter:
    forgets = True

    def __init__(self, bank: Bank, kit: Kit) -> None:
        self._bank = bank
        self._kit = kit

    def open(self, application: str) -> Bus:
        return open_bus(self._kit.settings, application=application)

    def environment(self) -> dict[str, str]:
        return self._kit.environment()

    async def break_connections(self, application: str) -> int:
        connection = await self._bank.connect("bus", owner=False)
        try:
            cut = await connection.fetch(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = $1",
                application,
            )
            return len(cut)
        finally:
            await connection.close()

    @asynccontextmanager
    async def held_commit(self, key: str) -> AsyncIterator[PostgresHeldCommit]:
        lock = abs(hash(key)) % 2**31
        connection = await asyncpg.connect(plain(self._bank.credentials["bus"].owner_dsn))
        try:
            await connection.execute("SELECT pg_advisory_lock($1)", lock)
            await connection.execute(
                f"""
                CREATE FUNCTION hold_commit() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN PERFORM pg_advisory_xact_lock({lock}); RETURN NULL; END $$;
                CREATE CONSTRAINT TRIGGER hold_commit AFTER INSERT ON log
                DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.key = '{key}')
                EXECUTE FUNCTION hold_commit();
                """
            )
            held = PostgresHeldCommit(connection, lock)
            try:
                yield held
            finally:
                await held.release()
                await asyncio.wait_for(
                    connection.execute("DROP FUNCTION hold_commit() CASCADE"), timeout=20
                )
        finally:
            await connection.close()


class KafkaAdapter:
    """`broker` is the environment of a client: of the tests' own, or of one that they are told."""

    forgets = False

    def __init__(self, kit: Kit, broker: dict[str, str]) -> None:
        self._kit = kit
        self._settings = broker

    def open(self, application: str) -> Bus:
        values = {name.lower(): value for name, value in self._settings.items()}
        # Validated anew, as a process reads them: a copy would take a secret for a text.
        settings = Settings.model_validate(self._kit.settings.model_dump() | values)
        return open_bus(settings, application=application)

    def environment(self) -> dict[str, str]:
        return self._kit.environment() | self._settings

    async def break_connections(self, application: str) -> int:
        """At our end of them, since a broker has no command for it; those of other tests too."""
        servers = self._settings["KAFKA_BOOTSTRAP_SERVERS"].split(",")
        ports = {int(server.rpartition(":")[2]) for server in servers}
        cut = 0
        for one in psutil.Process().net_connections("tcp"):
            if one.raddr and one.raddr.port in ports:
                with socket.socket(fileno=os.dup(one.fd)) as ours, suppress(OSError):
                    ours.shutdown(socket.SHUT_RDWR)
                    cut += 1
        return cut

    @asynccontextmanager
    async def held_commit(self, key: str) -> AsyncIterator[KafkaHeldCommit]:
        yield KafkaHeldCommit()


def named_broker() -> dict[str, str]:
    """The settings of the broker that the environment names, if it does."""
    named = {name: value for name, value in os.environ.items() if name.startswith("KAFKA_")}
    return {"BUS": "kafka", **named} if named.get("KAFKA_BOOTSTRAP_SERVERS") else {}
