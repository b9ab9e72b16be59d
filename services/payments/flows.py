"""A payment's way through risk and ledger.

The amount is held before the payment is stored, so that a refused one leaves nothing behind; a
hold without a payment expires. From then on every step asks a peer under the payment's own id
and then records the answer, so that `resume` may be run by the request, by a repeat of it and
by the worker, at once and after a crash anywhere, and the payment ends once.

Who may use the debtor's account was asked of identity when the customer consented; the gateway
vouches for it with its signed claims, which have to name the customer and partner of the body.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from uuid import UUID

from services.payments import clients, domain, service
from services.payments.domain import Change, Payment, Step, Verdict
from services.payments.settings import PaymentsSettings
from shared.contracts.http.payments import InitiatePayment
from shared.kit import tracing
from shared.kit.app import Context
from shared.kit.auth import Caller
from shared.kit.idempotency import KeyReused, body_hash
from shared.kit.peers import Peer, PeerRefused, PeerUnavailable
from shared.kit.problems import BankError, Forbidden, InvalidRequest

log = logging.getLogger(__name__)

#: What the worker takes at once, how many of it side by side, and how long one may take.
BATCH = 40
CONCURRENCY = 8
RESUME_DEADLINE_MS = 3_000
#: Longer than a batch takes at the worst: BATCH / CONCURRENCY * RESUME_DEADLINE_MS.
LEASE = timedelta(seconds=20)
#: Full batches in one run of the job; the next run goes on.
MAX_BATCHES = 25
#: A customer's address may be another one at the second try of the same payment.
_NO_SIGNALS = {"device_id": None, "ip_address": None, "merchant_id": None}


class SameAccount(BankError):
    status, code, title = 422, "same_account", "Debtor and creditor are the same account"


class PaymentLapsed(BankError):
    status, code = 409, "payment_lapsed"
    title = "The amount was held for this payment, but the payment did not follow in time"


@dataclass(frozen=True, slots=True)
class Desk:
    """What carrying a payment takes: the context with its peers and deadlines."""

    context: Context
    ledger: Peer
    risk: Peer
    ledger_ms: int
    risk_ms: int


def desk_of(context: Context) -> Desk:
    settings = context.settings
    if not isinstance(settings, PaymentsSettings):
        raise TypeError("payments runs with its own settings")
    return Desk(
        context=context,
        ledger=context.peers["ledger"],
        risk=context.peers["risk"],
        ledger_ms=settings.ledger_deadline_ms,
        risk_ms=settings.risk_deadline_ms,
    )


async def initiate(
    context: Context, *, body: InitiatePayment, idempotency_key: str, caller: Caller
) -> Payment:
    """Take a payment and carry it as far as it goes; a repeat gets the same payment as it is.

    Raises:
        InvalidRequest, SameAccount, Forbidden: the request contradicts itself or its caller.
        PeerRefused: the ledger refuses to hold the amount; nothing is stored.
        KeyReused: the id came with another body before.
        PaymentLapsed: a first try held the amount and died, and the hold is over.
        PeerUnavailable: come again; where the payment is stored, the worker finishes it too.
    """
    _check(body, idempotency_key=idempotency_key, caller=caller)
    desk = desk_of(context)
    payment = _received(context, body)
    stored = await _held_and_stored(desk, payment)
    return await resume(desk, stored)


def _check(body: InitiatePayment, *, idempotency_key: str, caller: Caller) -> None:
    if idempotency_key != str(body.payment_id):
        raise InvalidRequest(
            "The key of a payment is its id", field="Idempotency-Key", expected="the payment_id"
        )
    if (caller.customer_id, caller.partner_id) != (body.customer_id, body.partner_id):
        raise Forbidden("The caller speaks for another customer or partner than the body names")
    if body.debtor_account == body.creditor.account_id:
        raise SameAccount(field="creditor.account_id", expected="another account than the debtor's")


def _received(context: Context, body: InitiatePayment) -> Payment:
    now = context.clock()
    trace = tracing.current()
    return Payment(
        payment_id=body.payment_id,
        body_hash=body_hash(body.model_copy(update=_NO_SIGNALS)),
        state="received",
        customer_id=body.customer_id,
        partner_id=body.partner_id,
        consent_id=body.consent_id,
        debtor_account=body.debtor_account,
        creditor_account=body.creditor.account_id,
        creditor_name=body.creditor.name,
        amount_minor=body.amount_minor,
        currency=body.currency,
        end_to_end_id=body.end_to_end_id,
        remittance=body.remittance,
        channel=body.channel,
        trace_id=trace.trace_id if trace else None,
        span_id=trace.span_id if trace else None,
        received_at=now,
        updated_at=now,
        due_at=now + domain.RESUME_AFTER,
        device_id=body.device_id,
        ip_address=body.ip_address,
        merchant_id=body.merchant_id,
    )


async def _held_and_stored(desk: Desk, payment: Payment) -> Payment:
    """Hold the amount and store the payment, or find it stored.

    The first time is the usual one, so the ledger is asked before the own table; whatever it
    says but `placed`, the payment may be a repeat of one that went its way.
    """
    refusal: BankError = PaymentLapsed(field="payment_id", expected="a new payment")
    try:
        hold = await clients.place_hold(desk.ledger, payment, timeout_ms=desk.ledger_ms)
        if hold.state == "placed":
            async with desk.context.database.statement() as session:
                stored = await service.receive(session, payment=payment)
            desk.context.published()
            return stored
    except clients.HoldExists:
        refusal = KeyReused(field="payment_id", expected="a new id for a new body")
    except (PeerRefused, PeerUnavailable) as error:
        refusal = error
    async with desk.context.database.statement() as session:
        known = await service.known(session, payment=payment)
    if known is None:
        raise refusal
    return known


async def resume(desk: Desk, payment: Payment) -> Payment:
    """Carry the payment on until it ended or waits for a reviewer.

    Raises:
        PeerUnavailable: the ledger is away; the payment stays as it is and is due again.
    """
    steps: dict[Step, Callable[[Desk, Payment], Awaitable[Payment]]] = {
        Step.DECIDE: _decide,
        Step.CAPTURE: _capture,
        Step.RELEASE: _reject,
    }
    while True:
        step = steps.get(domain.next_step(payment, now=desk.context.clock()))
        if step is None:
            return payment
        payment = await step(desk, payment)


async def _decide(desk: Desk, payment: Payment) -> Payment:
    decision = await clients.decide(desk.risk, payment, timeout_ms=desk.risk_ms)
    match decision.outcome:
        case "approve":
            return await _capture(desk, payment, score=decision.score)
        case "decline":
            codes, score = decision.reason_codes, decision.score
            return await _reject(desk, payment, reason_codes=codes, score=score)
        case "review":
            return await _send_to_review(desk, payment, decision)


async def _capture(desk: Desk, payment: Payment, *, score: float | None = None) -> Payment:
    """Move the money, or reject for the reason that the ledger gives."""
    try:
        await clients.capture_hold(desk.ledger, payment, timeout_ms=desk.ledger_ms)
    except clients.HoldEnded:
        return await _reject(desk, payment, score=score)
    except PeerRefused as refusal:
        return await _reject(desk, payment, reason_codes=(refusal.code,), score=score)
    change = partial(domain.settled, now=desk.context.clock(), score=score)
    return await _record(desk, payment, change)


async def _reject(
    desk: Desk,
    payment: Payment,
    *,
    reason_codes: tuple[str, ...] = (),
    score: float | None = None,
) -> Payment:
    """Give the amount back and reject, unless the money has moved already.

    Without reasons it is a reviewer's word, or that none came, or that the hold was over.
    """
    now = desk.context.clock()
    change: Change = partial(domain.rejected, reason_codes=reason_codes, now=now, score=score)
    try:
        await clients.release_hold(desk.ledger, payment, timeout_ms=desk.ledger_ms)
    except clients.HoldEnded:
        # Only a captured hold is not released: somebody else carried this payment to its end.
        change = partial(domain.settled, now=now, score=score)
    return await _record(desk, payment, change)


async def _send_to_review(desk: Desk, payment: Payment, decision: domain.Decision) -> Payment:
    """Hold the amount for the reviewer, then wait for one; without a hold there is no review."""
    try:
        await clients.extend_hold(desk.ledger, payment, timeout_ms=desk.ledger_ms)
    except clients.HoldEnded:
        return await _reject(desk, payment, score=decision.score)
    except PeerRefused as refusal:
        return await _reject(desk, payment, reason_codes=(refusal.code,), score=decision.score)
    change = partial(domain.sent_to_review, decision=decision, now=desk.context.clock())
    return await _record(desk, payment, change)


async def _record(desk: Desk, payment: Payment, change: Change) -> Payment:
    async with desk.context.database.statement() as session:
        stored = await service.record(session, payment=payment, change=change)
    if stored is None:  # somebody was first
        async with desk.context.database.transaction() as session:
            stored = await service.record_late(
                session, payment_id=payment.payment_id, change=change
            )
    desk.context.published()
    return stored


async def review(
    context: Context, *, payment_id: UUID, verdict: Verdict, reason: str, staff_id: str
) -> Payment:
    """Take a reviewer's word and carry the payment on. The word is kept before the ledger is
    asked, so that the worker carries it out where the ledger is away.

    Raises:
        NotFound, NotInReview, AlreadyReviewed: nothing was changed.
        PeerUnavailable: the word is kept; come again to see what came of it.
    """
    async with context.database.transaction() as session:
        payment = await service.review(
            session,
            payment_id=payment_id,
            verdict=verdict,
            reason=reason,
            staff_id=staff_id,
            now=context.clock(),
        )
    context.published()
    return await resume(desk_of(context), payment)


async def resume_due(context: Context) -> None:
    """Carry on what was left between two steps, and reject what no reviewer looked at."""
    desk = desk_of(context)
    for _ in range(MAX_BATCHES):
        async with context.database.transaction() as session:
            due = await service.claim_due(session, now=context.clock(), lease=LEASE, limit=BATCH)
        gate = asyncio.Semaphore(CONCURRENCY)
        await asyncio.gather(*(_resume_left(desk, payment, gate) for payment in due))
        if len(due) < BATCH:
            return


async def _resume_left(desk: Desk, payment: Payment, gate: asyncio.Semaphore) -> None:
    """Carry on one payment under its own trace; one that fails is due again after its lease."""
    parent = f"00-{payment.trace_id}-{payment.span_id}-01"
    async with gate:
        with tracing.span(parent), tracing.deadline(RESUME_DEADLINE_MS):
            try:
                payment = await resume(desk, payment)
                log.info("payment.resumed", extra={"state": payment.state})
            except Exception as error:
                log.warning("payment.resume_failed", extra={"cause": type(error).__name__})
