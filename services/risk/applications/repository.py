"""The SQL of applications: noted before anything is decided, counted, and read by applicants."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, bindparam, distinct, func, select, tuple_
from sqlalchemy.dialects.postgresql import insert

from services.risk.applications.domain import (
    CUSTOMER_SPAN,
    DEVICE_SPAN,
    SHARED_SPAN,
    Applied,
    Lately,
)
from services.risk.applications.models import applications
from shared.kit import outbox
from shared.kit.database import AnySession, Session

#: Counting stops here: who applies so often is far past every threshold.
MOST = 1_000

_NAMES = [column.name for column in applications.c]
_NOTED = (
    insert(applications)
    .from_select(
        _NAMES, select(*(bindparam(column.name, type_=column.type) for column in applications.c))
    )
    .on_conflict_do_nothing()
    .returning(applications.c.application_id)
    .cte("noted")
)
_NOTE = select(_NOTED.c.application_id).add_cte(outbox.beside(_NOTED))
_FIND = select(applications).where(applications.c.application_id == bindparam("id"))


def _counted(column: ColumnElement[Any], of: ColumnElement[bool], since: str) -> ColumnElement[Any]:
    """How many rows, or different customers, there are since a time; at most `MOST` are read."""
    after = applications.c.applied_at > bindparam(since, type_=applications.c.applied_at.type)
    few = select(column.label("one")).where(of, after).limit(MOST).subquery()
    what = distinct(few.c.one) if column is applications.c.customer_id else few.c.one
    return select(func.count(what)).scalar_subquery()


_OF_CUSTOMER = applications.c.customer_id == bindparam("customer")
_OF_DEVICE = applications.c.device_id == bindparam("device", type_=applications.c.device_id.type)
# Also what was noted after this one: of two at once, whoever counts last sees the other.
_LATELY = select(
    _counted(applications.c.application_id, _OF_CUSTOMER, "customer_since").label("of_customer"),
    _counted(applications.c.application_id, _OF_DEVICE, "device_since").label("of_device"),
    _counted(applications.c.customer_id, _OF_DEVICE, "shared_since").label("customers"),
)


async def note(session: AnySession, applied: Applied, *, told: Mapping[str, object]) -> bool:
    """Keep the application with the events `told`; False where one has that id already."""
    values = {name: getattr(applied, name) for name in _NAMES} | dict(told)
    return (await session.execute(_NOTE, values)).first() is not None


async def find(session: AnySession, application_id: UUID) -> Applied | None:
    row = (await session.execute(_FIND, {"id": application_id})).first()
    return None if row is None else _applied(row)


async def lately(session: AnySession, applied: Applied) -> Lately:
    """How often customer and device applied lately, this application included."""
    at = applied.applied_at
    values = {
        "customer": applied.customer_id,
        "device": applied.device_id,
        "customer_since": at - CUSTOMER_SPAN,
        "device_since": at - DEVICE_SPAN,
        "shared_since": at - SHARED_SPAN,
    }
    row = (await session.execute(_LATELY, values)).one()
    if applied.device_id is None:
        return Lately(row.of_customer, None, None)
    return Lately(row.of_customer, row.of_device, row.customers)


async def page(
    session: Session, *, customer_id: str, before: UUID | None, limit: int
) -> Sequence[Applied]:
    """A customer's applications, the youngest first; `before` is the last one of a page."""
    place = tuple_(applications.c.applied_at, applications.c.application_id)
    statement = select(applications).where(applications.c.customer_id == customer_id)
    if before is not None:
        last = select(applications.c.applied_at, applications.c.application_id).where(
            applications.c.application_id == before, applications.c.customer_id == customer_id
        )
        statement = statement.where(place < last.scalar_subquery())
    newest = (applications.c.applied_at.desc(), applications.c.application_id.desc())
    rows = (await session.execute(statement.order_by(*newest).limit(limit))).all()
    return [_applied(row) for row in rows]


def _applied(row: Any) -> Applied:
    values = {name: getattr(row, name) for name in _NAMES}
    return Applied(**values | {"body_hash": bytes(row.body_hash)})
