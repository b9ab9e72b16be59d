"""SQL of payment consents."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Row, bindparam, insert, select, update
from sqlalchemy.sql.dml import ReturningUpdate

from gateway.consents.domain import PaymentConsent
from gateway.models import payment_consents as consents
from shared.kit.database import Session


def consent_of(row: Row[Any]) -> PaymentConsent:
    """The consent of a row that has all its columns."""
    return PaymentConsent(
        consent_id=row.consent_id,
        partner_id=row.partner_id,
        payee_account=row.payee_account,
        payee_name=row.payee_name,
        currency=row.currency,
        limit_minor=row.limit_minor,
        used_minor=row.used_minor,
        expires_at=row.expires_at,
        debtor_account=row.debtor_account,
        debtor_named=row.debtor_named,
        redirect_uri=row.redirect_uri,
        stored_state=row.state,
        customer_id=row.customer_id,
        code_failures=row.code_failures,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


async def insert_consent(session: Session, *, consent: PaymentConsent) -> None:
    await session.execute(
        insert(consents).values(
            consent_id=consent.consent_id,
            partner_id=consent.partner_id,
            payee_account=consent.payee_account,
            payee_name=consent.payee_name,
            currency=consent.currency,
            limit_minor=consent.limit_minor,
            used_minor=consent.used_minor,
            expires_at=consent.expires_at,
            debtor_account=consent.debtor_account,
            debtor_named=consent.debtor_named,
            redirect_uri=consent.redirect_uri,
            state=consent.stored_state,
            customer_id=consent.customer_id,
            code_failures=consent.code_failures,
            created_at=consent.created_at,
            updated_at=consent.updated_at,
        )
    )


async def find_consent(
    session: Session, *, consent_id: UUID, for_update: bool = False
) -> PaymentConsent | None:
    statement = select(consents).where(consents.c.consent_id == consent_id)
    if for_update:
        statement = statement.with_for_update()
    row = (await session.execute(statement)).first()
    return consent_of(row) if row else None


async def list_of_customer(
    session: Session, *, customer_id: str, before: UUID | None, limit: int
) -> list[PaymentConsent]:
    """The youngest first: the ids rise with time."""
    return await _list(session, consents.c.customer_id == customer_id, before, limit)


async def list_of_partner(
    session: Session, *, partner_id: str, before: UUID | None, limit: int
) -> list[PaymentConsent]:
    """The youngest first: the ids rise with time."""
    return await _list(session, consents.c.partner_id == partner_id, before, limit)


async def _list(
    session: Session, mine: Any, before: UUID | None, limit: int
) -> list[PaymentConsent]:
    statement = select(consents).where(mine).order_by(consents.c.consent_id.desc()).limit(limit)
    if before is not None:
        statement = statement.where(consents.c.consent_id < before)
    return [consent_of(row) for row in await session.execute(statement)]


async def store_decision(session: Session, *, consent: PaymentConsent) -> None:
    """Writes what a customer or a partner may change, over a row that was locked before."""
    await session.execute(
        update(consents)
        .where(consents.c.consent_id == consent.consent_id)
        .values(
            state=consent.stored_state,
            customer_id=consent.customer_id,
            debtor_account=consent.debtor_account,
            code_failures=consent.code_failures,
            updated_at=consent.updated_at,
        )
    )


def reserving() -> ReturningUpdate[Any]:
    """Takes an amount out of what is left of a consent, if every condition holds.

    Run with `reservation`; without a row one does not hold. Of two payments at once that exceed
    the limit together, one gets none.
    """
    amount = bindparam("for_amount", type_=BigInteger)
    return (
        update(consents)
        .where(
            consents.c.consent_id == bindparam("of_consent"),
            consents.c.partner_id == bindparam("by_partner"),
            consents.c.state == "authorized",
            consents.c.expires_at > bindparam("at"),
            consents.c.payee_account == bindparam("to_payee"),
            consents.c.currency == bindparam("in_currency"),
            consents.c.used_minor + amount <= consents.c.limit_minor,
        )
        .values(used_minor=consents.c.used_minor + amount)
        .returning(*consents.c)
    )


def reservation(
    *,
    consent_id: UUID,
    partner_id: str,
    payee_account: str,
    amount_minor: int,
    currency: str,
    now: datetime,
) -> dict[str, object]:
    """What `reserving` is run with. No key is a column's name: it would be taken for one to set."""
    return {
        "of_consent": consent_id,
        "by_partner": partner_id,
        "to_payee": payee_account,
        "for_amount": amount_minor,
        "in_currency": currency,
        "at": now,
    }


_RESERVE = reserving()


async def reserve(session: Session, values: Mapping[str, object]) -> PaymentConsent | None:
    """The consent with the amount of the `reservation` taken out of it, or None."""
    row = (await session.execute(_RESERVE, values)).first()
    return consent_of(row) if row else None


async def free(session: Session, *, consent_id: UUID, amount_minor: int) -> None:
    """Gives back what a payment had reserved."""
    await session.execute(
        update(consents)
        .where(consents.c.consent_id == consent_id)
        .values(used_minor=consents.c.used_minor - amount_minor)
    )
