"""The SQL of the lists."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Text,
    bindparam,
    cast,
    delete,
    func,
    or_,
    select,
    tuple_,
)
from sqlalchemy.dialects.postgresql import JSONB, insert

from services.risk.lists.domain import ROLES, Entry, Kind, ListName
from services.risk.lists.models import list_entries as entries
from shared.kit.database import Session

#: The name under which a decision's first statement answers with `found`.
FOUND = "lists_found"
_ARRAYS = func.unnest(
    *(cast(bindparam(f"list_{name}"), ARRAY(Text)) for name in ("roles", "kinds", "values"))
)
_ASKED = _ARRAYS.table_valued("role", "kind", "value", name="asked").render_derived()


def _found() -> ColumnElement[Any]:
    """For each role that some list names, the list that counts: black before grey before white.

    Their names stand in that order in the alphabet too, so it is the smallest.
    """
    now = bindparam("list_now", type_=entries.c.expires_at.type)
    strongest = (
        select(_ASKED.c.role, func.min(entries.c.list).label("list"))
        .join_from(
            _ASKED,
            entries,
            (entries.c.kind == _ASKED.c.kind) & (entries.c.value == _ASKED.c.value),
        )
        .where(or_(entries.c.expires_at.is_(None), entries.c.expires_at > now))
        .group_by(_ASKED.c.role)
        .subquery("strongest")
    )
    told = func.jsonb_object_agg(strongest.c.role, strongest.c.list, type_=JSONB)
    return select(told).scalar_subquery().label(FOUND)


#: A column of the statement that a decision begins with: so an entry counts at once everywhere.
COLUMN = _found()


_NO_LIST: Mapping[str, str | None] = MappingProxyType(dict.fromkeys(ROLES))


def asked(values: Mapping[str, str | None], *, now: datetime) -> dict[str, object]:
    """What a statement with `COLUMN` is run with: the payment's names by role."""
    return _asked([(role, role, value) for role, value in values.items()], now=now)


def asked_together(
    payments: Sequence[Mapping[str, str | None]], *, now: datetime
) -> dict[str, object]:
    """The same for several payments; `by_role_together` reads the answer."""
    named = [
        (f"{number}.{role}", role, value)
        for number, values in enumerate(payments)
        for role, value in values.items()
    ]
    return _asked(named, now=now)


def _asked(named: Sequence[tuple[str, str, str | None]], *, now: datetime) -> dict[str, object]:
    there = [(place, ROLES[role], value) for place, role, value in named if value is not None]
    return {
        "list_roles": [place for place, _, _ in there],
        "list_kinds": [kind for _, kind, _ in there],
        "list_values": [value for _, _, value in there],
        "list_now": now,
    }


def by_role(found: Mapping[str, str] | None) -> dict[str, str | None]:
    """The list that counts for each role; None where none names it."""
    return dict.fromkeys(ROLES) | dict(found or {})


def by_role_together(
    found: Mapping[str, str] | None, *, count: int
) -> list[Mapping[str, str | None]]:
    """For each of `count` payments the list that counts for each role."""
    if not found:
        return [_NO_LIST] * count
    told: list[dict[str, str | None]] = [dict(_NO_LIST) for _ in range(count)]
    for place, name in found.items():
        number, _, role = place.partition(".")
        told[int(number)][role] = name
    return list(told)


async def insert_entry(session: Session, entry: Entry) -> bool:
    """Put the entry on its list; False where one that counts is there already."""
    values = {column.name: getattr(entry, column.name) for column in entries.c}
    statement = insert(entries).values(values)
    renewed = statement.on_conflict_do_update(
        index_elements=[entries.c.kind, entries.c.value, entries.c.list],
        set_={name: values[name] for name in ("reason", "listed_by", "listed_at", "expires_at")},
        where=entries.c.expires_at <= entry.listed_at,
    ).returning(entries.c.value)
    return (await session.execute(renewed)).first() is not None


async def delete_entry(
    session: Session, *, name: ListName, kind: Kind, value: str, now: datetime
) -> Entry | None:
    """Take the entry off its list; None where none that counts is there."""
    statement = (
        delete(entries)
        .where(entries.c.list == name, entries.c.kind == kind, entries.c.value == value)
        .returning(*entries.c)
    )
    row = (await session.execute(statement)).first()
    if row is None or (row.expires_at is not None and row.expires_at <= now):
        return None
    return Entry(**row._asdict())


async def page(
    session: Session,
    *,
    name: ListName | None,
    kind: Kind | None,
    after: tuple[str, str, str] | None,
    now: datetime,
    limit: int,
) -> list[Entry]:
    """Entries that count, in the order of kind, value and list."""
    columns = (entries.c.kind, entries.c.value, entries.c.list)
    statement = select(entries).order_by(*columns)
    statement = statement.where(or_(entries.c.expires_at.is_(None), entries.c.expires_at > now))
    if name is not None:
        statement = statement.where(entries.c.list == name)
    if kind is not None:
        statement = statement.where(entries.c.kind == kind)
    if after is not None:
        statement = statement.where(tuple_(*columns) > after)
    rows = (await session.execute(statement.limit(limit))).all()
    return [Entry(**row._asdict()) for row in rows]
