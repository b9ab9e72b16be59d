"""SQL of payment claims."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import LargeBinary, Row, bindparam, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from gateway.models import payment_claims as claims
from gateway.payments.domain import Claim, ClaimState
from shared.kit.database import Session


def _claim(row: Row[Any]) -> Claim:
    return Claim(
        payment_id=row.payment_id,
        partner_id=row.partner_id,
        idempotency_key=row.idempotency_key,
        body_hash=bytes(row.body_hash),
        consent_id=row.consent_id,
        amount_minor=row.amount_minor,
        state=row.state,
        attempt_until=row.attempt_until,
        attempts=row.attempts,
        reply=None if row.reply is None else bytes(row.reply),
        created_at=row.created_at,
    )


#: Statements of every payment are built once: building one costs more than running it.
_INSERT = (
    insert(claims)
    .on_conflict_do_nothing(constraint="payment_claims_key")
    .returning(claims.c.payment_id)
)
_STORE_REPLY = (
    update(claims)
    .where(claims.c.payment_id == bindparam("of_payment"))
    .values(
        reply=func.coalesce(claims.c.reply, bindparam("said", type_=LargeBinary)),
        attempt_until=None,
    )
    .returning(claims.c.reply)
)
_MOVE = (
    update(claims)
    .where(claims.c.payment_id == bindparam("of_payment"), claims.c.state == "reserved")
    .values(state=bindparam("to"))
    .returning(claims.c.consent_id, claims.c.amount_minor)
)


async def insert_claim(session: Session, *, claim: Claim) -> bool:
    """False where the partner used the key before. Waits for another that is being written."""
    values = {
        "payment_id": claim.payment_id,
        "partner_id": claim.partner_id,
        "idempotency_key": claim.idempotency_key,
        "body_hash": claim.body_hash,
        "consent_id": claim.consent_id,
        "amount_minor": claim.amount_minor,
        "state": claim.state,
        "attempt_until": claim.attempt_until,
        "attempts": claim.attempts,
        "reply": claim.reply,
        "created_at": claim.created_at,
        "checked_at": claim.created_at,
    }
    return (await session.execute(_INSERT, values)).first() is not None


async def lock_claim(session: Session, *, partner_id: str, key: str) -> Claim | None:
    statement = (
        select(claims)
        .where(claims.c.partner_id == partner_id, claims.c.idempotency_key == key)
        .with_for_update()
    )
    row = (await session.execute(statement)).first()
    return _claim(row) if row else None


async def find_claim(session: Session, *, payment_id: UUID, partner_id: str) -> Claim | None:
    statement = select(claims).where(
        claims.c.payment_id == payment_id, claims.c.partner_id == partner_id
    )
    row = (await session.execute(statement)).first()
    return _claim(row) if row else None


async def start_attempt(session: Session, *, payment_id: UUID, until: datetime) -> None:
    await session.execute(
        update(claims)
        .where(claims.c.payment_id == payment_id)
        .values(attempt_until=until, attempts=claims.c.attempts + 1)
    )


async def end_attempt(session: Session, *, payment_id: UUID) -> None:
    await session.execute(
        update(claims).where(claims.c.payment_id == payment_id).values(attempt_until=None)
    )


async def store_reply(session: Session, *, payment_id: UUID, reply: bytes) -> bytes | None:
    """The reply that counts: the first one stored. None where the claim is gone."""
    row = (await session.execute(_STORE_REPLY, {"of_payment": payment_id, "said": reply})).first()
    return bytes(row.reply) if row else None


async def move_reserved(
    session: Session, *, payment_id: UUID, to: ClaimState
) -> tuple[UUID, int] | None:
    """Consent and amount of a claim that was `reserved` until now; None for any other."""
    row = (await session.execute(_MOVE, {"of_payment": payment_id, "to": to})).first()
    return (row.consent_id, row.amount_minor) if row else None


async def delete_claim(
    session: Session, *, payment_id: UUID, now: datetime | None = None
) -> tuple[UUID, int] | None:
    """Removes a claim without an answer; consent and amount where it was still `reserved`.

    With `now` only if no attempt is under way at that time.
    """
    statement = (
        delete(claims)
        .where(
            claims.c.payment_id == payment_id,
            claims.c.state == "reserved",
            claims.c.reply.is_(None),
        )
        .returning(claims.c.consent_id, claims.c.amount_minor)
    )
    if now is not None:
        statement = statement.where(
            or_(claims.c.attempt_until.is_(None), claims.c.attempt_until <= now)
        )
    row = (await session.execute(statement)).first()
    return (row.consent_id, row.amount_minor) if row else None


async def list_unsettled(session: Session, *, before: datetime, limit: int) -> list[Claim]:
    """Reservations that were last looked at before, the longest ago first."""
    statement = (
        select(claims)
        .where(
            claims.c.state == "reserved",
            claims.c.checked_at < before,
            or_(claims.c.attempt_until.is_(None), claims.c.attempt_until < before),
        )
        .order_by(claims.c.checked_at)
        .limit(limit)
    )
    return [_claim(row) for row in await session.execute(statement)]


async def note_checked(session: Session, *, payment_id: UUID, now: datetime) -> None:
    await session.execute(
        update(claims).where(claims.c.payment_id == payment_id).values(checked_at=now)
    )
