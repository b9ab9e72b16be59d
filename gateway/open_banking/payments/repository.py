"""SQL of domestic payment consents."""

from dataclasses import asdict
from typing import Any
from uuid import UUID

from sqlalchemy import Row, insert, select, update

from gateway.models import domestic_payment_consents as consents
from gateway.open_banking.payments.domain import DomesticConsent
from shared.kit.database import Session


def _consent(row: Row[Any]) -> DomesticConsent:
    return DomesticConsent(**row._asdict())


async def insert_consent(session: Session, *, consent: DomesticConsent) -> None:
    await session.execute(insert(consents).values(**asdict(consent)))


async def find_consent(session: Session, *, consent_id: UUID) -> DomesticConsent | None:
    row = (
        await session.execute(select(consents).where(consents.c.consent_id == consent_id))
    ).first()
    return _consent(row) if row else None


async def find_by_payment(session: Session, *, payment_id: UUID) -> DomesticConsent | None:
    row = (
        await session.execute(select(consents).where(consents.c.payment_id == payment_id))
    ).first()
    return _consent(row) if row else None


async def note_payment(session: Session, *, consent_id: UUID, payment_id: UUID) -> None:
    """The first payment stays the one."""
    statement = (
        update(consents)
        .where(consents.c.consent_id == consent_id, consents.c.payment_id.is_(None))
        .values(payment_id=payment_id)
    )
    await session.execute(statement)
