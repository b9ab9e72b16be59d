"""A session is a connection inside one open transaction, or one for a statement that stands alone.

Both run the same statements; a function that runs one takes `AnySession`, one that runs several
which belong together takes `Session`.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any, TypeVar

import asyncpg
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from shared.kit.direct import Connection, DirectSession, keep_connection, prepare_connection
from shared.kit.problems import Unavailable

#: What `session` means everywhere: SQLAlchemy Core on a connection, inside one transaction.
Session = AsyncConnection
AnySession = Session | DirectSession

#: No statement of a request runs longer; a runaway plan must not hold locks.
STATEMENT_TIMEOUT_MS = 15_000
#: Client-side bound on connecting and on waiting for a pooled connection.
CONNECT_TIMEOUT_S = 5
CLOSE_TIMEOUT_S = 2


class Database:
    """Connections to one service's own database: `pool_size` of them at the most, two at least."""

    def __init__(self, url: str, *, pool_size: int, application: str) -> None:
        self._url = url.replace("postgresql+asyncpg://", "postgresql://")
        self._settings = {
            "application_name": application,
            "statement_timeout": str(STATEMENT_TIMEOUT_MS),
            "idle_in_transaction_session_timeout": "30000",
            "timezone": "UTC",
            # Plans outlive the size that a table had when they were made: one made while it was
            # new would go on reading it whole. An index is never much slower.
            "enable_seqscan": "off",
        }
        # Statements that stand alone are short: half of the connections carry most of the load.
        self._alone_size = max(1, pool_size // 2)
        self._alone: asyncpg.Pool[Any] | None = None
        self._opening = asyncio.Lock()
        self.engine: AsyncEngine = create_async_engine(
            url,
            pool_size=max(1, pool_size - self._alone_size),
            max_overflow=0,
            pool_timeout=CONNECT_TIMEOUT_S,
            pool_use_lifo=True,
            hide_parameters=True,  # they are personal data, and errors are logged
            connect_args={"timeout": CONNECT_TIMEOUT_S, "server_settings": self._settings},
        )

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Session]:
        """Commit when the block ends, roll back when it raises.

        A caller leaves the block before it replies: what is answered is stored.

        Raises:
            Unavailable: the database cannot be reached; nothing was committed, or, where the
                connection broke during the commit, the client's retry finds out by its key.
        """
        async with _told_when_away(self.engine.begin()) as session:
            yield session

    @asynccontextmanager
    async def statement(self) -> AsyncIterator[DirectSession]:
        """For statements that stand alone: each commits by itself, in one round trip for three.

        Raises:
            Unavailable: as `transaction`.
        """
        async with _told_when_away(self._connection()) as connection:
            yield DirectSession(connection)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        pool = await self._pool()
        async with pool.acquire(timeout=CONNECT_TIMEOUT_S) as connection:
            yield connection

    async def _pool(self) -> "asyncpg.Pool[Any]":
        if self._alone is None:
            async with self._opening:
                if self._alone is None:
                    self._alone = await asyncpg.create_pool(
                        self._url,
                        min_size=0,
                        max_size=self._alone_size,
                        max_inactive_connection_lifetime=0,
                        init=prepare_connection,
                        reset=keep_connection,
                        timeout=CONNECT_TIMEOUT_S,
                        server_settings=self._settings,
                    )
        return self._alone

    async def close(self) -> None:
        await self.engine.dispose()
        if self._alone is not None:
            # A server that is away must not keep a process from ending.
            with suppress(TimeoutError):
                await asyncio.wait_for(self._alone.close(), CLOSE_TIMEOUT_S)


OpenedT = TypeVar("OpenedT")


@asynccontextmanager
async def _told_when_away(
    opening: AbstractAsyncContextManager[OpenedT],
) -> AsyncIterator[OpenedT]:
    raised: Exception | None = None
    try:
        async with opening as session:
            try:
                yield session
            except Exception as error:
                raised = error
                raise
    except Exception as error:
        # A plain OSError of the block's own, say of a file, is no word about the database.
        plain = error is raised and not isinstance(error, _OF_A_DATABASE)
        if not plain and is_connection_loss(error):
            raise Unavailable("The database is not available") from error
        raise


_OF_A_DATABASE = (
    SQLAlchemyError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
#: `sqlalchemy.exc.TimeoutError`: no pooled connection came free in time.
_AWAY = (
    OSError,
    PoolTimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)


def is_connection_loss(error: BaseException) -> bool:
    """True where the server is away, as against a statement that it refused."""
    causes: list[BaseException | None] = [error]
    if isinstance(error, DBAPIError):
        if error.connection_invalidated:
            return True
        causes += [error.orig, error.orig.__cause__ if error.orig else None]
    # asyncpg's word for a parameter that does not fit its type is an InterfaceError too.
    return any(isinstance(it, _AWAY) and not isinstance(it, ValueError) for it in causes)
