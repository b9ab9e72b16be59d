"""SQL of consents to see data, and of who looked."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, func, insert, select, update

from gateway.models import data_access_consents as consents
from gateway.models import data_accesses as accesses
from gateway.open_banking.access.domain import Access, DataAccessConsent
from shared.kit.database import Session


def _consent(row: Row[Any]) -> DataAccessConsent:
    return DataAccessConsent(
        consent_id=row.consent_id,
        kind=row.kind,
        client_id=row.client_id,
        request=row.request,
        stored_state=row.state,
        customer_id=row.customer_id,
        accounts=row.accounts,
        expires_at=row.expires_at,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


async def insert_consent(session: Session, *, consent: DataAccessConsent) -> None:
    values = asdict(consent)
    values["state"] = values.pop("stored_state")
    values["accounts"] = list(consent.accounts)
    await session.execute(insert(consents).values(**values))


async def find_consent(
    session: Session, *, consent_id: UUID, lock: bool = False
) -> DataAccessConsent | None:
    """`lock` keeps the row until the transaction ends, for a change that depends on its state."""
    statement = select(consents).where(consents.c.consent_id == consent_id)
    if lock:
        statement = statement.with_for_update()
    row = (await session.execute(statement)).first()
    return _consent(row) if row else None


async def update_consent(session: Session, *, consent: DataAccessConsent) -> None:
    statement = (
        update(consents)
        .where(consents.c.consent_id == consent.consent_id)
        .values(
            state=consent.stored_state,
            customer_id=consent.customer_id,
            accounts=list(consent.accounts),
            updated_at=consent.updated_at,
        )
    )
    await session.execute(statement)


async def consents_of_customer(
    session: Session, *, customer_id: str, before: UUID | None, limit: int
) -> list[DataAccessConsent]:
    statement = (
        select(consents)
        .where(consents.c.customer_id == customer_id)
        .order_by(consents.c.consent_id.desc())
        .limit(limit)
    )
    if before is not None:
        statement = statement.where(consents.c.consent_id < before)
    return [_consent(row) for row in await session.execute(statement)]


async def insert_access(session: Session, *, access: Access) -> None:
    await session.execute(insert(accesses).values(**asdict(access)))


async def accesses_of_consent(
    session: Session, *, consent_id: UUID, before: UUID | None, limit: int
) -> list[Access]:
    statement = (
        select(accesses)
        .where(accesses.c.consent_id == consent_id)
        .order_by(accesses.c.access_id.desc())
        .limit(limit)
    )
    if before is not None:
        statement = statement.where(accesses.c.access_id < before)
    return [Access(**row._asdict()) for row in await session.execute(statement)]


async def last_accesses(
    session: Session, *, consent_ids: Sequence[UUID]
) -> dict[UUID, tuple[datetime, int]]:
    """When each consent was used last, and how often in all."""
    statement = (
        select(accesses.c.consent_id, func.max(accesses.c.at), func.count())
        .where(accesses.c.consent_id.in_(consent_ids))
        .group_by(accesses.c.consent_id)
    )
    return {row[0]: (row[1], row[2]) for row in await session.execute(statement)}
