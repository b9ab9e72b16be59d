"""Statements that stand alone go to the driver itself: one round trip, and a tenth of the CPU.

SQLAlchemy writes the SQL, once for each statement that a module builds; what it adds to every run
of it (a connection object, an execution context, a transaction) is left out. Values come back in
the driver's own types. Measured, and weighed against the alternatives, in docs/adr/0018.
"""

import json
from collections import namedtuple
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary

import asyncpg
from sqlalchemy import Executable
from sqlalchemy.dialects.postgresql.asyncpg import dialect as asyncpg_dialect
from sqlalchemy.exc import MultipleResultsFound, NoResultFound
from sqlalchemy.sql.elements import ClauseElement

from shared.kit.problems import Unavailable

_DIALECT = asyncpg_dialect()  # type: ignore[no-untyped-call]

Connection: TypeAlias = "asyncpg.Connection[Any]"


@dataclass(slots=True)
class _Plan:
    """A compiled statement: its SQL, how its parameters are bound, and what its rows are."""

    sql: str
    names: Sequence[str]
    given: Mapping[str, Any]
    bind: Mapping[str, Callable[[Any], Any]]
    row: Callable[..., Any] | None = None

    def arguments(self, values: Mapping[str, Any]) -> list[Any]:
        found = []
        for name in self.names:
            value = values[name] if name in values else self.given[name]
            process = self.bind.get(name)
            found.append(value if process is None or value is None else process(value))
        return found

    def rows(self, records: Sequence[Any]) -> list[Any]:
        """Named tuples; a statement's columns are known from its first record on."""
        if not records:
            return []
        if self.row is None:
            columns = list(records[0].keys())
            self.row = _row_type("Row", columns, rename=True)
        return [self.row(*record) for record in records]


#: By another name, since no checker can know a type that is made when the first row comes.
_row_type: Callable[..., Callable[..., Any]] = namedtuple  # noqa: PYI024
_plans: "WeakKeyDictionary[Executable, _Plan]" = WeakKeyDictionary()


def _plan(statement: Executable) -> _Plan:
    plan = _plans.get(statement)
    if plan is None:
        plan = _plans[statement] = _compiled(statement)
    return plan


def _compiled(statement: Executable) -> _Plan:
    if not isinstance(statement, ClauseElement):
        raise TypeError("only statements of SQLAlchemy Core can run alone")
    compiled: Any = statement.compile(dialect=_DIALECT)
    if compiled.post_compile_params or compiled.literal_execute_params:
        raise TypeError("an expanding parameter needs a transaction: pass an array instead")
    return _Plan(
        sql=str(compiled),
        names=tuple(compiled.positiontup or ()),
        given={name: bind.value for name, bind in compiled.binds.items() if not bind.required},
        bind=dict(compiled._bind_processors),  # noqa: SLF001 - it has no public name
    )


class DirectRows:
    """The rows that came back, read as those of a transaction's session."""

    def __init__(self, rows: list[Any]) -> None:
        self._rows = rows

    def __iter__(self) -> Iterator[Any]:
        return iter(self._rows)

    def all(self) -> list[Any]:
        return self._rows

    def first(self) -> Any:
        """The first row; None where there is none."""
        return self._rows[0] if self._rows else None

    def one(self) -> Any:
        """The only row. Raises NoResultFound, MultipleResultsFound."""
        if not self._rows:
            raise NoResultFound("No row was found where one was required")
        if len(self._rows) > 1:
            raise MultipleResultsFound("Several rows were found where one was required")
        return self._rows[0]

    def scalar_one(self) -> Any:
        return self.one()[0]

    def scalars(self) -> "DirectRows":
        return DirectRows([row[0] for row in self._rows])


class DirectSession:
    """Runs statements one by one; each commits by itself."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def execute(
        self, statement: Executable, parameters: Mapping[str, Any] | None = None
    ) -> DirectRows:
        """Run a statement that was built once, with values for its parameters.

        Raises:
            Unavailable: the connection broke.
            asyncpg.PostgresError: as the driver says it, not wrapped by SQLAlchemy.
            TypeError: the statement's text depends on its values.
        """
        plan = _plan(statement)
        arguments = plan.arguments(parameters or {})
        try:
            records = await self._connection.fetch(plan.sql, *arguments)
        except (OSError, asyncpg.InternalClientError) as error:
            # Also a connection that was cut off amid an answer and does not know where it is:
            # this statement was not sent, and no later one may be.
            self._connection.terminate()
            raise Unavailable("The database is not available") from error
        return DirectRows(plan.rows(records))


async def prepare_connection(connection: Connection) -> None:
    """JSON goes in as SQLAlchemy writes it, and comes out read."""
    for kind in ("json", "jsonb"):
        await connection.set_type_codec(
            kind, schema="pg_catalog", encoder=str, decoder=json.loads, format="text"
        )


async def keep_connection(_: object) -> None:
    """Nothing to reset: no connection is given a setting, a cursor, a lock or a transaction."""
