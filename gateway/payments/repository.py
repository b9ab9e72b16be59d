"""SQL of payment claims."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import LargeBinary, Row, Select, Text, bindparam, delete, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert

from gateway.consents.domain import PaymentConsent
from gateway.consents.repository import consent_of, reservation, reserving
from gateway.models import payment_claims as claims
from gateway.payments.domain import Claim, ClaimState
from shared.kit.database import AnySession, Session


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


def _claiming() -> Select[Any]:
    """A new key's claim and its consent's reservation: both, or none, in one statement."""
    used_before = select(claims.c.payment_id).where(
        claims.c.partner_id == bindparam("claim_partner_id"),
        claims.c.idempotency_key == bindparam("claim_idempotency_key"),
    )
    reserved = reserving().where(~used_before.exists()).cte("reserved")
    names = [column.name for column in claims.c]
    values = [bindparam(f"claim_{column.name}", type_=column.type) for column in claims.c]
    claim = insert(claims).from_select(names, select(*values).select_from(reserved))
    return select(reserved).add_cte(claim.cte("claimed"))


_CLAIM = _claiming()
_FIND = select(claims).where(
    claims.c.payment_id == bindparam("payment"), claims.c.partner_id == bindparam("partner")
)

#: What becomes of a reservation and the answer that is kept, the first one: both at once.
_FINISH = text(
    """
    WITH before AS (
        SELECT payment_id, consent_id, amount_minor, state
        FROM payment_claims WHERE payment_id = :payment_id FOR UPDATE
    ), said AS (
        UPDATE payment_claims AS claim
        SET state = CASE before.state WHEN 'reserved' THEN :to ELSE before.state END,
            reply = coalesce(claim.reply, :reply), attempt_until = NULL
        FROM before WHERE claim.payment_id = before.payment_id
        RETURNING claim.reply
    ), freed AS (
        UPDATE payment_consents AS consent SET used_minor = used_minor - before.amount_minor
        FROM before
        WHERE consent.consent_id = before.consent_id AND before.state = 'reserved' AND :to = 'freed'
    )
    SELECT reply FROM said
    """
).bindparams(bindparam("reply", type_=LargeBinary), bindparam("to", type_=Text))

_SETTLE = text(
    """
    WITH moved AS (
        UPDATE payment_claims SET state = :to
        WHERE payment_id = ANY (CAST(:payment_ids AS uuid[])) AND state = 'reserved'
        RETURNING consent_id, amount_minor
    )
    UPDATE payment_consents AS consent SET used_minor = used_minor - of_consent.amount_minor
    FROM (SELECT consent_id, sum(amount_minor) AS amount_minor FROM moved GROUP BY 1) AS of_consent
    WHERE consent.consent_id = of_consent.consent_id AND :to = 'freed'
    """
).bindparams(bindparam("to", type_=Text))


async def claim_and_reserve(
    session: AnySession, *, claim: Claim, payee_account: str, currency: str, now: datetime
) -> PaymentConsent | None:
    """The consent, where the key is new and the consent holds; None, and nothing done, else.

    Raises:
        IntegrityConstraintViolationError: the key came in at the same moment; nothing was done.
    """
    values = {f"claim_{name}": value for name, value in _values(claim).items()}
    values |= reservation(
        consent_id=claim.consent_id,
        partner_id=claim.partner_id,
        payee_account=payee_account,
        amount_minor=claim.amount_minor,
        currency=currency,
        now=now,
    )
    row = (await session.execute(_CLAIM, values)).first()
    return consent_of(row) if row else None


async def insert_claim(session: Session, *, claim: Claim) -> bool:
    """False where the partner used the key before. Waits for another that is being written."""
    return (await session.execute(_INSERT, _values(claim))).first() is not None


def _values(claim: Claim) -> dict[str, object]:
    return {
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


async def lock_claim(session: Session, *, partner_id: str, key: str) -> Claim | None:
    statement = (
        select(claims)
        .where(claims.c.partner_id == partner_id, claims.c.idempotency_key == key)
        .with_for_update()
    )
    row = (await session.execute(statement)).first()
    return _claim(row) if row else None


async def find_claim(session: AnySession, *, payment_id: UUID, partner_id: str) -> Claim | None:
    row = (await session.execute(_FIND, {"payment": payment_id, "partner": partner_id})).first()
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


async def finish(
    session: AnySession, *, payment_id: UUID, to: ClaimState, reply: bytes
) -> bytes | None:
    """Moves a reservation on and keeps the reply; the one that counts is the first one stored.

    None where the claim is gone.
    """
    values = {"payment_id": payment_id, "to": to, "reply": reply}
    row = (await session.execute(_FINISH, values)).first()
    return bytes(row.reply) if row else None


async def settle(session: Session, *, payment_ids: Sequence[UUID], to: ClaimState) -> None:
    """Moves what is still `reserved`, and gives back to the consents what is freed."""
    await session.execute(_SETTLE, {"payment_ids": list(payment_ids), "to": to})


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
