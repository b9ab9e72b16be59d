"""The adapters of the `Bus` port, and what the contract suite must be able to do to each.

A new adapter is one more entry of `ADAPTERS`: its settings, and these handles.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

import asyncpg

from shared.kit.bus.port import Bus
from shared.kit.bus.select import open_bus
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


ADAPTERS: dict[str, Callable[[Bank, Kit], Adapter]] = {"postgres": PostgresAdapter}
