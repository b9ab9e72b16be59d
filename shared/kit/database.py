"""One engine, one kind of session: a connection inside one open transaction."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import asyncpg
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from shared.kit.problems import Unavailable

#: What `session` means everywhere: SQLAlchemy Core on a connection, inside one transaction.
Session = AsyncConnection

#: No statement of a request runs longer; a runaway plan must not hold locks.
STATEMENT_TIMEOUT_MS = 15_000
#: Client-side bound on connecting and on waiting for a pooled connection.
CONNECT_TIMEOUT_S = 5


class Database:
    """A pool of connections to one service's own database."""

    def __init__(self, url: str, *, pool_size: int, application: str) -> None:
        self.engine: AsyncEngine = create_async_engine(
            url,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=CONNECT_TIMEOUT_S,
            pool_use_lifo=True,
            hide_parameters=True,  # they are personal data, and errors are logged
            connect_args={
                "timeout": CONNECT_TIMEOUT_S,
                "server_settings": {
                    "application_name": application,
                    "statement_timeout": str(STATEMENT_TIMEOUT_MS),
                    "idle_in_transaction_session_timeout": "30000",
                    "timezone": "UTC",
                },
            },
        )
        # The same pool; a connection is told for each use whether it commits by itself.
        self._alone = self.engine.execution_options(isolation_level="AUTOCOMMIT")

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
    async def statement(self) -> AsyncIterator[Session]:
        """For one statement that stands alone: it commits by itself, in one round trip for three.

        Raises:
            Unavailable: as `transaction`.
        """
        async with _told_when_away(self._alone.connect()) as session:
            yield session

    async def close(self) -> None:
        await self.engine.dispose()


@asynccontextmanager
async def _told_when_away(
    opening: AbstractAsyncContextManager[Session],
) -> AsyncIterator[Session]:
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
        plain = error is raised and not isinstance(error, SQLAlchemyError)
        if not plain and is_connection_loss(error):
            raise Unavailable("The database is not available") from error
        raise


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
