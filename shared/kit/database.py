"""One engine, one kind of session: a connection inside one open transaction."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
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

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Session]:
        """Commit when the block ends, roll back when it raises.

        A caller leaves the block before it replies: what is answered is stored.

        Raises:
            Unavailable: the database cannot be reached; nothing was committed, or, where the
                connection broke during the commit, the client's retry finds out by its key.
        """
        try:
            async with self.engine.begin() as session:
                yield session
        except Exception as error:
            if is_connection_loss(error):
                raise Unavailable("The database is not available") from error
            raise

    async def close(self) -> None:
        await self.engine.dispose()


def is_connection_loss(error: BaseException) -> bool:
    """True where the server is away, as against a statement that it refused."""
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    causes: list[BaseException | None] = [error]
    if isinstance(error, (OperationalError, InterfaceError, DBAPIError)):
        causes += [error.orig, error.orig.__cause__ if error.orig else None]
    away = (
        OSError,
        TimeoutError,
        asyncpg.PostgresConnectionError,
        asyncpg.CannotConnectNowError,
        asyncpg.AdminShutdownError,
        asyncpg.CrashShutdownError,
        asyncpg.InterfaceError,
    )
    return any(isinstance(cause, away) for cause in causes)
