"""SQL of the registers and of the audit log. A batch is one statement with arrays."""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, text, tuple_
from sqlalchemy.dialects.postgresql import insert

from services.identity.domain import LogPlace
from services.identity.models import (
    account_rights,
    audit_entries,
    customer_credentials,
    customers,
    reference_records,
)
from shared.contracts.http import identity as http
from shared.kit.database import Session

_INSERT_CUSTOMERS = text(
    "INSERT INTO customers SELECT *, CAST(:now AS timestamptz) FROM unnest("
    "CAST(:ids AS text[]), CAST(:names AS text[]), CAST(:born AS date[]),"
    "CAST(:districts AS text[]), CAST(:phones AS text[]), CAST(:registered AS date[]),"
    "CAST(:hashes AS bytea[])) ON CONFLICT DO NOTHING RETURNING customer_id"
)
#: Without a named conflict, so that both rules count: one right a pair, one owner an account.
_INSERT_RIGHTS = text(
    "INSERT INTO account_rights SELECT *, CAST(:now AS timestamptz) FROM unnest("
    "CAST(:accounts AS text[]), CAST(:customers AS text[]), CAST(:rights AS text[]))"
    " ON CONFLICT DO NOTHING RETURNING account_id, customer_id"
)
_INSERT_RECORDS = text(
    "INSERT INTO reference_records SELECT *, CAST(:now AS timestamptz) FROM unnest("
    "CAST(:ids AS text[]), CAST(:customers AS text[]), CAST(:accounts AS text[]),"
    "CAST(:kinds AS text[]), CAST(:facts AS jsonb[]), CAST(:hashes AS bytea[]))"
    " ON CONFLICT DO NOTHING RETURNING record_id"
)
_UNKNOWN_CUSTOMERS = text(
    "SELECT id FROM unnest(CAST(:ids AS text[])) AS id"
    " WHERE NOT EXISTS (SELECT FROM customers WHERE customer_id = id) ORDER BY id LIMIT 1"
)


async def insert_customers(
    session: Session,
    *,
    items: Sequence[http.RegisterCustomer],
    hashes: Sequence[bytes],
    registered_on: Sequence[date],
    now: datetime,
) -> set[str]:
    """Store those that are new; their ids."""
    parameters = {
        "ids": [item.customer_id for item in items],
        "names": [item.full_name for item in items],
        "born": [item.born_on for item in items],
        "districts": [item.district for item in items],
        "phones": [item.phone for item in items],
        "registered": list(registered_on),
        "hashes": list(hashes),
        "now": now,
    }
    return set((await session.execute(_INSERT_CUSTOMERS, parameters)).scalars())


async def customer_hashes(session: Session, ids: Collection[str]) -> dict[str, bytes]:
    """The content hash of each of these customers."""
    statement = select(customers.c.customer_id, customers.c.content_hash)
    statement = statement.where(customers.c.customer_id == func.any(list(ids)))
    return {row.customer_id: row.content_hash for row in await session.execute(statement)}


def _customer_rows() -> Any:
    can_sign_in = customer_credentials.c.customer_id.is_not(None).label("can_sign_in")
    return select(customers, can_sign_in).join(
        customer_credentials,
        customer_credentials.c.customer_id == customers.c.customer_id,
        isouter=True,
    )


async def customer(session: Session, customer_id: str) -> Any | None:
    statement = _customer_rows().where(customers.c.customer_id == customer_id)
    return (await session.execute(statement)).first()


async def customer_page(session: Session, *, after: str, limit: int) -> Sequence[Any]:
    statement = (
        _customer_rows()
        .where(customers.c.customer_id > after)
        .order_by(customers.c.customer_id)
        .limit(limit)
    )
    return list((await session.execute(statement)).all())


async def unknown_customer(session: Session, ids: Collection[str]) -> str | None:
    """The first of these ids that no customer has."""
    found = await session.execute(_UNKNOWN_CUSTOMERS, {"ids": sorted(ids)})
    return found.scalar_one_or_none()


async def insert_rights(
    session: Session, *, items: Sequence[http.GrantRight], now: datetime
) -> set[tuple[str, str]]:
    """Store those that are new and allowed; their accounts and customers."""
    parameters = {
        "accounts": [item.account_id for item in items],
        "customers": [item.customer_id for item in items],
        "rights": [item.right for item in items],
        "now": now,
    }
    return {
        (row.account_id, row.customer_id)
        for row in await session.execute(_INSERT_RIGHTS, parameters)
    }


async def rights_of_accounts(session: Session, account_ids: Collection[str]) -> Sequence[Any]:
    statement = select(account_rights).where(
        account_rights.c.account_id == func.any(sorted(account_ids))
    )
    statement = statement.order_by(account_rights.c.account_id, account_rights.c.customer_id)
    return (await session.execute(statement)).all()


async def rights_of_customer(session: Session, customer_id: str, *, limit: int) -> Sequence[Any]:
    statement = select(account_rights).where(account_rights.c.customer_id == customer_id)
    statement = statement.order_by(account_rights.c.account_id).limit(limit)
    return (await session.execute(statement)).all()


async def insert_records(
    session: Session,
    *,
    items: Sequence[http.ReferenceRecord],
    facts: Sequence[str],
    hashes: Sequence[bytes],
    now: datetime,
) -> set[str]:
    """Store those that are new; their ids. `facts` are JSON objects."""
    parameters = {
        "ids": [item.record_id for item in items],
        "customers": [item.customer_id for item in items],
        "accounts": [item.account_id for item in items],
        "kinds": [item.kind for item in items],
        "facts": list(facts),
        "hashes": list(hashes),
        "now": now,
    }
    return set((await session.execute(_INSERT_RECORDS, parameters)).scalars())


async def record_hashes(session: Session, ids: Collection[str]) -> dict[str, bytes]:
    statement = select(reference_records.c.record_id, reference_records.c.content_hash)
    statement = statement.where(reference_records.c.record_id == func.any(list(ids)))
    return {row.record_id: row.content_hash for row in await session.execute(statement)}


async def records_of_customer(session: Session, customer_id: str, *, limit: int) -> Sequence[Any]:
    statement = select(reference_records).where(reference_records.c.customer_id == customer_id)
    statement = statement.order_by(reference_records.c.record_id).limit(limit)
    return (await session.execute(statement)).all()


async def insert_audit_entries(session: Session, entries: Sequence[dict[str, Any]]) -> None:
    await session.execute(insert(audit_entries).on_conflict_do_nothing(), list(entries))


async def audit_page(session: Session, *, before: LogPlace | None, limit: int) -> Sequence[Any]:
    """The newest entries first, from the place on."""
    order = (audit_entries.c.at, audit_entries.c.event_id)
    statement = select(audit_entries).order_by(*(column.desc() for column in order)).limit(limit)
    if before is not None:
        place: tuple[datetime, UUID] = (before.at, before.event_id)
        statement = statement.where(tuple_(*order) < place)
    return (await session.execute(statement)).all()
