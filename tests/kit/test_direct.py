"""Statements that stand alone answer as the same statements in a transaction do."""

from datetime import UTC, datetime
from typing import cast
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import (
    ARRAY,
    Boolean,
    DateTime,
    Double,
    LargeBinary,
    Text,
    Uuid,
    bindparam,
    literal,
    select,
    text,
    union_all,
)
from sqlalchemy import (
    cast as sql_cast,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import MultipleResultsFound, NoResultFound

from shared.kit.database import Database, is_connection_loss
from shared.kit.direct import Connection, DirectSession
from shared.kit.problems import Unavailable

VALUES = {
    "id": UUID(int=7),
    "words": ["a", "b\n", ""],
    "deep": {"price": 1.5, "none": None, "word": "通宝"},
    "bytes": b"\x00\xff",
    "at": datetime(2026, 2, 28, 23, 59, 59, 999_999, tzinfo=UTC),
    "score": 0.1,
    "missing": None,
}
TYPES = {
    "id": Uuid(),
    "words": ARRAY(Text),
    "deep": JSONB(),
    "bytes": LargeBinary(),
    "at": DateTime(timezone=True),
    "score": Double(),
    "missing": Text(),
}
EVERYTHING = select(
    *(sql_cast(bindparam(name, type_=kind), kind).label(name) for name, kind in TYPES.items()),
    literal(True, Boolean).label("fixed"),
)
TWO = union_all(select(literal(1).label("n")), select(literal(2).label("n")))
NONE = select(literal(1).label("n")).where(literal(False, Boolean))


class TestStatement:
    async def test_gives_every_kind_of_value_back_as_a_transaction_does(self, database: Database):
        async with database.statement() as session:
            alone = (await session.execute(EVERYTHING, VALUES)).one()
        async with database.transaction() as transaction:
            row = (await transaction.execute(EVERYTHING, VALUES)).one()
        assert alone._asdict() == row._asdict() == {**VALUES, "fixed": True}

    async def test_written_as_text_has_its_columns_by_name(self, database: Database):
        async with database.statement() as session:
            row = (await session.execute(text("SELECT :n + 1 AS more"), {"n": 1})).one()
        assert row.more == 2

    async def test_without_a_row_is_none_or_an_error(self, database: Database):
        async with database.statement() as session:
            assert (await session.execute(NONE)).first() is None
            assert (await session.execute(NONE)).all() == []
            with pytest.raises(NoResultFound):
                (await session.execute(NONE)).one()

    async def test_with_several_rows_gives_them_in_order(self, database: Database):
        async with database.statement() as session:
            assert list((await session.execute(TWO)).scalars()) == [1, 2]
            with pytest.raises(MultipleResultsFound):
                (await session.execute(TWO)).scalar_one()

    async def test_without_a_value_that_it_needs_does_not_run(self, database: Database):
        async with database.statement() as session:
            with pytest.raises(KeyError):
                await session.execute(EVERYTHING, {"id": UUID(int=7)})

    async def test_whose_text_depends_on_its_values_is_refused(self, database: Database):
        listed = TWO.subquery()
        statement = select(listed).where(listed.c.n.in_([1, 2]))
        async with database.statement() as session:
            with pytest.raises(TypeError, match="expanding"):
                await session.execute(statement)


class CutOff:
    """A connection as the driver leaves it where an answer was cut off: it refuses all."""

    def __init__(self) -> None:
        self.is_open = True

    async def fetch(self, *_: object) -> list[object]:
        raise asyncpg.InternalClientError("cannot switch to state 15; another operation is on")

    def terminate(self) -> None:
        self.is_open = False


class TestConnection:
    async def test_that_lost_its_place_is_closed_and_told_as_unavailable(self):
        connection = CutOff()
        with pytest.raises(Unavailable):
            await DirectSession(cast(Connection, connection)).execute(NONE)
        assert not connection.is_open

    def test_that_lost_its_place_is_a_lost_one_inside_a_transaction_too(self):
        assert is_connection_loss(asyncpg.InternalClientError())
