"""Use cases of payment claims, each inside one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from asyncpg import IntegrityConstraintViolationError

from gateway.consents import repository as consents
from gateway.consents import service as consent_service
from gateway.consents.domain import PaymentConsent
from gateway.payments import repository
from gateway.payments.domain import Claim, ClaimState, PaymentNotFound, reservation_after
from shared.contracts.http.payments import Payment
from shared.kit.database import AnySession, Session
from shared.kit.idempotency import KeyReused

SWEEP_BATCH = 50


@dataclass(frozen=True, slots=True)
class Attempt:
    """What the first transaction of a payment found.

    With `claim.reply` it was answered before; with `wait_s` somebody else is at it; else this
    caller forwards it. `usable` is False where the consent has ended since the key was first
    seen: then nothing new may begin.
    """

    claim: Claim
    consent: PaymentConsent
    wait_s: float
    usable: bool


async def begin_new(
    session: AnySession,
    *,
    claim: Claim,
    payee_account: str,
    currency: str,
    now: datetime,
) -> Attempt | None:
    """The usual case in one statement: a new key under a consent that holds. Else None, and
    nothing is stored: `begin` finds out why.
    """
    try:
        consent = await repository.claim_and_reserve(
            session, claim=claim, payee_account=payee_account, currency=currency, now=now
        )
    except IntegrityConstraintViolationError:
        # The same key at the same moment, or no such partner any more.
        return None
    return None if consent is None else Attempt(claim=claim, consent=consent, wait_s=0, usable=True)


async def begin(
    session: Session,
    *,
    claim: Claim,
    payee_account: str,
    currency: str,
    now: datetime,
) -> Attempt:
    """Claims the key and reserves the amount, or finds what an earlier call made of the key.

    `claim` is what would be stored for a key that is new. Raises `KeyReused` and the `Consent…`
    errors; nothing is stored then.
    """
    if await repository.insert_claim(session, claim=claim):
        consent = await consent_service.reserve(
            session,
            consent_id=claim.consent_id,
            partner_id=claim.partner_id,
            payee_account=payee_account,
            amount_minor=claim.amount_minor,
            currency=currency,
            now=now,
        )
        return Attempt(claim=claim, consent=consent, wait_s=0, usable=True)
    earlier = await repository.lock_claim(
        session, partner_id=claim.partner_id, key=claim.idempotency_key
    )
    if earlier is None:  # withdrawn between the two statements: the caller begins again
        return await begin(
            session, claim=claim, payee_account=payee_account, currency=currency, now=now
        )
    if earlier.body_hash != claim.body_hash:
        raise KeyReused(field="Idempotency-Key", expected="a new key for a new body")
    consent = await consent_service.get_consent(session, consent_id=earlier.consent_id)
    wait_s = earlier.attempt_wait_s(now=now) if earlier.reply is None else 0.0
    if earlier.reply is None and wait_s == 0 and claim.attempt_until is not None:
        await repository.start_attempt(
            session, payment_id=earlier.payment_id, until=claim.attempt_until
        )
    usable = consent.state(now=now) == "authorized"
    return Attempt(claim=earlier, consent=consent, wait_s=wait_s, usable=usable)


async def finish(session: AnySession, *, payment: Payment, reply: bytes) -> bytes:
    """Keeps the answer for the key and settles the reservation; the answer that counts."""
    stored = await repository.finish(
        session,
        payment_id=payment.payment_id,
        to=reservation_after(payment.state),
        reply=reply,
    )
    return reply if stored is None else stored


async def end_attempt(session: Session, *, payment_id: UUID) -> None:
    """The attempt is over without an answer: the next may begin at once."""
    await repository.end_attempt(session, payment_id=payment_id)


async def withdraw(session: Session, *, payment_id: UUID, now: datetime | None = None) -> None:
    """A payment that does not exist leaves nothing: the key is new again, the amount is free.

    With `now` only where no attempt is under way.
    """
    reserved = await repository.delete_claim(session, payment_id=payment_id, now=now)
    if reserved is not None:
        consent_id, amount_minor = reserved
        await consents.free(session, consent_id=consent_id, amount_minor=amount_minor)


async def settle(session: Session, *, payment_ids: Sequence[UUID], to: ClaimState) -> None:
    """Confirms or frees reservations, once; of what is no reservation any more it leaves all."""
    if to != "reserved":
        await repository.settle(session, payment_ids=payment_ids, to=to)


async def check_owner(session: AnySession, *, payment_id: UUID, partner_id: str) -> None:
    """Raises `PaymentNotFound` for another partner's payment as for none."""
    claim = await repository.find_claim(session, payment_id=payment_id, partner_id=partner_id)
    if claim is None:
        raise PaymentNotFound


async def list_unsettled(session: Session, *, before: datetime) -> list[Claim]:
    return await repository.list_unsettled(session, before=before, limit=SWEEP_BATCH)


async def mend(
    session: Session, *, payment_id: UUID, payment: Payment | None, now: datetime
) -> None:
    """Makes a reservation agree with what payments says of it; None: payments has no such."""
    if payment is None:
        await withdraw(session, payment_id=payment_id, now=now)
    else:
        await settle(session, payment_ids=[payment_id], to=reservation_after(payment.state))
        await repository.note_checked(session, payment_id=payment_id, now=now)


async def note_checked(session: Session, *, payment_id: UUID, now: datetime) -> None:
    await repository.note_checked(session, payment_id=payment_id, now=now)
