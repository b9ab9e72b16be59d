"""What a transaction promises when the server, the pool or the caller's own code fails."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from shared.kit import database as kit_database
from shared.kit.database import Database
from shared.kit.problems import Unavailable
from tests.kit.proxy import Proxy
from tests.kit.support import Kit, plain

ADD = text("INSERT INTO effects (word, number) VALUES ('w', 1)")
BACKEND = text("SELECT pg_backend_pid()")
END_MYSELF = text("SELECT pg_terminate_backend(pg_backend_pid())")


@pytest.fixture
async def cuttable(emptied: Kit, proxy: Proxy) -> AsyncIterator[Database]:
    opened = emptied.database_through(proxy)
    yield opened
    await opened.close()


async def effects(kit: Kit) -> int:
    (row,) = await kit.rows("SELECT count(*) AS n FROM effects")
    return int(row["n"])


class TestTransaction:
    async def test_commits_at_its_end(self, database: Database, emptied: Kit):
        async with database.transaction() as session:
            await session.execute(ADD)
        assert await effects(emptied) == 1

    async def test_leaves_nothing_when_the_block_raises(self, database: Database, emptied: Kit):
        with pytest.raises(ZeroDivisionError):
            async with database.transaction() as session:
                await session.execute(ADD)
                raise ZeroDivisionError
        assert await effects(emptied) == 0

    async def test_leaves_nothing_when_it_is_cancelled(self, database: Database, emptied: Kit):
        written = asyncio.Event()

        async def write() -> None:
            async with database.transaction() as session:
                await session.execute(ADD)
                written.set()
                await asyncio.sleep(60)

        task = asyncio.create_task(write())
        await written.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await effects(emptied) == 0
        async with database.transaction() as session:
            await session.execute(ADD)
        assert await effects(emptied) == 1

    async def test_tells_that_the_server_is_away(self, cuttable: Database, proxy: Proxy):
        await proxy.cut()
        with pytest.raises(Unavailable):
            async with cuttable.transaction() as session:
                await session.execute(ADD)

    async def test_tells_that_its_connection_broke(self, database: Database, emptied: Kit):
        with pytest.raises(Unavailable):
            async with database.transaction() as session:
                await session.execute(ADD)
                await session.execute(END_MYSELF)
        assert await effects(emptied) == 0

    async def test_tells_that_its_connection_broke_before_the_commit(
        self, cuttable: Database, proxy: Proxy, emptied: Kit
    ):
        with pytest.raises(Unavailable):
            async with cuttable.transaction() as session:
                await session.execute(ADD)
                await proxy.cut()
        assert await effects(emptied) == 0

    async def test_works_again_when_the_server_is_back(
        self, cuttable: Database, proxy: Proxy, emptied: Kit
    ):
        async with cuttable.transaction() as session:
            await session.execute(ADD)
        await proxy.cut()
        with pytest.raises(Unavailable):
            async with cuttable.transaction() as session:
                await session.execute(ADD)
        await proxy.mend()
        async with cuttable.transaction() as session:
            await session.execute(ADD)
        assert await effects(emptied) == 2

    async def test_tells_that_no_connection_came_free(
        self, emptied: Kit, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(kit_database, "CONNECT_TIMEOUT_S", 0.2)
        small = emptied.database(pool_size=1)
        async with small.transaction():
            with pytest.raises(Unavailable):
                async with small.transaction():
                    pass
        await small.close()

    async def test_tells_that_the_server_takes_no_more_connections(self, emptied: Kit):
        owner = await asyncpg.connect(plain(emptied.owner_dsn))
        opened = emptied.database()
        try:
            await owner.execute("ALTER DATABASE kit CONNECTION LIMIT 0")
            with pytest.raises(Unavailable):
                async with opened.transaction():
                    pass
        finally:
            await opened.close()
            await owner.execute("ALTER DATABASE kit CONNECTION LIMIT -1")
            await owner.close()

    @pytest.mark.parametrize("error", [FileNotFoundError, TimeoutError, ConnectionError])
    async def test_lets_the_blocks_own_errors_be(self, database: Database, error: type[Exception]):
        """Such an error is no word about the database, and a consumer must not wait for its end."""
        with pytest.raises(error):
            async with database.transaction() as session:
                await session.execute(ADD)
                raise error("of the caller's own")

    async def test_refused_by_the_server_is_no_loss_of_it(self, database: Database):
        with pytest.raises(DBAPIError) as refused:
            async with database.transaction() as session:
                await session.execute(text("SELECT 1 / :zero"), {"zero": 0})
        assert not isinstance(refused.value, Unavailable)

    async def test_with_a_parameter_that_does_not_fit_is_no_loss_of_the_server(
        self, database: Database
    ):
        with pytest.raises(DBAPIError) as refused:
            async with database.transaction() as session:
                await session.execute(text("SELECT CAST(:n AS int)"), {"n": 2**40})
        assert not isinstance(refused.value, Unavailable)

    async def test_hides_parameters_in_its_errors(self, database: Database):
        with pytest.raises(DBAPIError) as refused:
            async with database.transaction() as session:
                await session.execute(
                    text("INSERT INTO effects (word, number) VALUES (:word, 1 / :zero)"),
                    {"word": "13800138000", "zero": 0},
                )
        assert "13800138000" not in str(refused.value)


class TestStatement:
    async def test_commits_by_itself(self, database: Database, emptied: Kit):
        with pytest.raises(ZeroDivisionError):
            async with database.statement() as session:
                await session.execute(ADD)
                raise ZeroDivisionError
        assert await effects(emptied) == 1

    async def test_is_not_part_of_a_transaction_that_is_open(
        self, database: Database, emptied: Kit
    ):
        with pytest.raises(ZeroDivisionError):
            async with database.transaction() as session, database.statement() as alone:
                await session.execute(ADD)
                await alone.execute(ADD)
                raise ZeroDivisionError
        assert await effects(emptied) == 1

    async def test_finds_its_way_back_after_the_server_ended_its_connection(
        self, database: Database, emptied: Kit
    ):
        with pytest.raises(Unavailable):
            async with database.statement() as session:
                await session.execute(END_MYSELF)
        async with database.statement() as session:
            await session.execute(ADD)
        assert await effects(emptied) == 1

    async def test_tells_that_the_server_is_away(self, cuttable: Database, proxy: Proxy):
        await proxy.cut()
        with pytest.raises(Unavailable):
            async with cuttable.statement() as session:
                await session.execute(ADD)
