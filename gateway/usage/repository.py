"""SQL of counted calls."""

from collections.abc import Mapping
from datetime import date

from sqlalchemy import delete, select, text

from gateway.models import call_counts
from gateway.usage.domain import Counted, Usage
from shared.kit.database import Session

_ADD = text(
    """
    INSERT INTO call_counts AS c (partner_id, day, endpoint, status_class, calls)
    SELECT * FROM unnest(
        CAST(:partners AS text[]), CAST(:days AS date[]), CAST(:endpoints AS text[]),
        CAST(:classes AS int[]), CAST(:calls AS bigint[])
    )
    ON CONFLICT (partner_id, day, endpoint, status_class)
        DO UPDATE SET calls = c.calls + excluded.calls
    """
)


async def add(session: Session, *, counts: Mapping[Counted, int]) -> None:
    """In one order always: two replicas that add at once wait for each other and no more."""
    rows = sorted((*counted, calls) for counted, calls in counts.items())
    columns = [list(column) for column in zip(*rows, strict=True)]
    names = ("partners", "days", "endpoints", "classes", "calls")
    await session.execute(_ADD, dict(zip(names, columns, strict=True)))


async def find(
    session: Session, *, partner_id: str | None, first: date, last: date, limit: int
) -> list[Usage]:
    table = call_counts
    statement = (
        select(table.c.partner_id, table.c.day, table.c.endpoint, table.c.status_class)
        .add_columns(table.c.calls)
        .where(table.c.day.between(first, last))
        .order_by(table.c.partner_id, table.c.day, table.c.endpoint, table.c.status_class)
        .limit(limit)
    )
    if partner_id is not None:
        statement = statement.where(table.c.partner_id == partner_id)
    return [Usage(*row) for row in await session.execute(statement)]


async def forget(session: Session, *, before: date) -> int:
    done = await session.execute(delete(call_counts).where(call_counts.c.day < before))
    return done.rowcount
