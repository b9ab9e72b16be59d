"""The SQL of decisions on several payments at once: one statement before, one after."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from pydantic_core import to_json
from sqlalchemy import (
    ARRAY,
    JSON,
    Insert,
    Table,
    Text,
    Uuid,
    any_,
    bindparam,
    cast,
    column,
    func,
    insert,
    literal_column,
    select,
)

from services.risk.cases import repository as cases
from services.risk.cases.domain import Case
from services.risk.cases.models import cases as case_table
from services.risk.lists import repository as lists
from services.risk.models import decisions
from services.risk.policies import repository as policies
from services.risk.repository import StoredDecision, values_of
from shared.kit import outbox
from shared.kit.database import AnySession

Names = Mapping[str, str | None]
"""Whom a payment names, by role."""


@dataclass(frozen=True, slots=True)
class Before:
    """What several decisions begin with: which are kept already, lists, policies' revision."""

    known: frozenset[UUID]
    #: For each payment the list that counts by role.
    lists: Sequence[Mapping[str, str | None]]
    policy_revision: int


_KNOWN = (
    select(func.array_agg(decisions.c.decision_id, type_=ARRAY(Uuid)))
    .where(decisions.c.decision_id == any_(bindparam("ids", type_=ARRAY(Uuid))))
    .scalar_subquery()
    .label("known")
)
_BEFORE = select(lists.COLUMN, policies.REVISION, _KNOWN)


async def before(
    session: AnySession, *, ids: Sequence[UUID], names: Sequence[Names], now: datetime
) -> Before:
    """What has to be known before these payments are decided; `names` has one of each id."""
    values = {"ids": list(ids), **lists.asked_together(names, now=now)}
    row = (await session.execute(_BEFORE, values)).one()
    return Before(
        known=frozenset(row.known or ()),
        lists=lists.by_role_together(row.lists_found, count=len(ids)),
        policy_revision=row.policy_revision,
    )


def _rows_of(table: Table, parameter: str) -> Insert:
    """Inserts the rows of a JSON text: however many they are, the statement stays the same."""
    given = func.json_populate_recordset(
        literal_column(f"NULL::{table.name}"), cast(bindparam(parameter, type_=Text), JSON)
    ).table_valued(*(column(it.name, it.type) for it in table.c), name=f"given_{parameter}")
    return insert(table).from_select([it.name for it in table.c], select(given))


_MADE = _rows_of(decisions, "made_rows").returning(decisions.c.decision_id).cte("made")
_OPENED = _rows_of(case_table, "case_rows").cte("opened")
_INSERT = select(func.count(_MADE.c.decision_id)).add_cte(outbox.beside(_MADE), _OPENED)


async def insert_decisions(
    session: AnySession,
    made: Sequence[StoredDecision],
    *,
    told: Mapping[str, object],
    opened: Sequence[Case],
) -> None:
    """Store new decisions, the events `told` and the cases they open, in one statement.

    Raises asyncpg.UniqueViolationError where one is there meanwhile: then nothing was stored.
    """
    values = {
        **told,
        "made_rows": _json([values_of(one) for one in made]),
        "case_rows": _json([cases.values_of(one) for one in opened]),
    }
    await session.execute(_INSERT, values)


def _json(rows: Sequence[Mapping[str, object]]) -> str:
    """Rows as PostgreSQL reads them from JSON: bytes as it writes them itself."""
    written = [
        {
            name: f"\\x{value.hex()}" if isinstance(value, bytes) else value
            for name, value in row.items()
        }
        for row in rows
    ]
    return to_json(written, inf_nan_mode="null").decode()
