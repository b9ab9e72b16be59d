"""A payment's way through the gateway: claim and reserve, forward, keep the answer.

No transaction is open while payments is asked. Dying between any two steps leaves a claim
without an answer, which the next call with the key continues and the sweep mends.
"""

import asyncio
import logging
from datetime import datetime, timedelta
from uuid import UUID

import httpx

from gateway import clients
from gateway.consents.domain import ConsentNotAuthorized
from gateway.payments import service
from gateway.payments.domain import ATTEMPT_MARGIN, Claim, PaymentNotFound, is_answer
from gateway.payments.service import Attempt
from gateway.payments.views import CreatePayment, PaymentReply, PaymentReplyPage, reply_of
from shared.contracts.http.payments import InitiatePayment, Payment
from shared.kit import idempotency, tracing
from shared.kit.app import Context
from shared.kit.clock import new_id
from shared.kit.peers import PeerRefused, PeerUnavailable
from shared.kit.problems import BankError

log = logging.getLogger(__name__)

#: How often a second call with the same key looks whether the first has got its answer.
POLL_S = 0.03


class PaymentPending(BankError):
    """The outcome is not known yet. The same key later gives the answer, or completes it."""

    status, code, title = 503, "payment_pending", "The payment is still under way; ask again"


async def pay(
    context: Context,
    *,
    partner_id: str,
    key: str,
    body: CreatePayment,
    ip_address: str | None,
    deadline_ms: int,
) -> bytes:
    """The answer to one payment as JSON: the stored one, byte for byte, for a key seen before.

    `ip_address` is the customer's, where the partner told it; another one is the same payment.

    Raises `KeyReused`, the `Consent…` errors, a refusal of payments (`PeerRefused`) which leaves
    nothing behind, and `PaymentPending`.
    """
    with tracing.deadline(deadline_ms):
        while True:
            attempt = await _begin(
                context, partner_id=partner_id, key=key, body=body, deadline_ms=deadline_ms
            )
            if attempt.claim.reply is not None:
                return attempt.claim.reply
            if attempt.wait_s == 0:
                break
            if (tracing.remaining_ms() or 0) <= POLL_S * 1000:
                raise _pending(attempt.wait_s)
            await asyncio.sleep(POLL_S)
        return await _complete(
            context, attempt=attempt, body=body, ip_address=ip_address, deadline_ms=deadline_ms
        )


async def _begin(
    context: Context, *, partner_id: str, key: str, body: CreatePayment, deadline_ms: int
) -> Attempt:
    now = context.clock()
    claim = Claim(
        payment_id=new_id(),
        partner_id=partner_id,
        idempotency_key=key,
        body_hash=idempotency.body_hash(body),
        consent_id=body.consent_id,
        amount_minor=body.amount_minor,
        state="reserved",
        attempt_until=now + timedelta(milliseconds=deadline_ms) + ATTEMPT_MARGIN,
        attempts=1,
        reply=None,
        created_at=now,
    )
    payee, currency = body.creditor.account_id, body.currency
    async with context.database.statement() as session:
        attempt = await service.begin_new(
            session, claim=claim, payee_account=payee, currency=currency, now=now
        )
    if attempt is not None:
        return attempt
    async with context.database.transaction() as session:
        return await service.begin(
            session, claim=claim, payee_account=payee, currency=currency, now=now
        )


async def _complete(
    context: Context,
    *,
    attempt: Attempt,
    body: CreatePayment,
    ip_address: str | None,
    deadline_ms: int,
) -> bytes:
    payment_id = attempt.claim.payment_id
    try:
        payment = await _ask(
            context, attempt=attempt, body=body, ip_address=ip_address, deadline_ms=deadline_ms
        )
    except PeerRefused as refusal:
        if refusal.code in {"unauthenticated", "forbidden"}:
            # Our own credential was refused, not the payment: the partner can do nothing.
            log.exception("payments.refused_gateway", extra={"code": refusal.code})
            await _end_attempt(context, payment_id=payment_id)
            raise _pending(1.0) from refusal
        await _withdraw(context, payment_id=payment_id)
        raise
    except PeerUnavailable as error:
        # Without a transport error it answered; without a connection it was never asked. Only
        # after silence may it still be at work, and the attempt keeps its time.
        silent = error.__cause__ is not None and not isinstance(
            error.__cause__, httpx.ConnectError | httpx.ConnectTimeout
        )
        if not silent:
            await _end_attempt(context, payment_id=payment_id)
        raise _pending(ATTEMPT_MARGIN.total_seconds() if silent else 1.0) from error
    if payment is None:
        await _withdraw(context, payment_id=payment_id)
        raise ConsentNotAuthorized(
            f"The consent is {attempt.consent.state(now=context.clock())}", field="consent_id"
        )
    if not is_answer(payment.state):
        await _end_attempt(context, payment_id=payment_id)
        raise _pending(1.0)
    reply = reply_of(payment).model_dump_json().encode()
    async with context.database.statement() as session:
        return await service.finish(session, payment=payment, reply=reply)


async def _ask(
    context: Context,
    *,
    attempt: Attempt,
    body: CreatePayment,
    ip_address: str | None,
    deadline_ms: int,
) -> Payment | None:
    """Forwards the payment; where its consent has ended meanwhile, only looks whether it exists."""
    claim, consent = attempt.claim, attempt.consent
    if not attempt.usable:
        return await clients.find_payment(
            context, payment_id=claim.payment_id, partner_id=claim.partner_id
        )
    order = InitiatePayment(
        payment_id=claim.payment_id,
        customer_id=consent.customer_id or "",
        partner_id=claim.partner_id,
        consent_id=consent.consent_id,
        debtor_account=consent.debtor_account or "",
        creditor=body.creditor,
        amount_minor=body.amount_minor,
        currency=body.currency,
        end_to_end_id=body.end_to_end_id,
        remittance=body.remittance,
        device_id=body.risk.device_id if body.risk else None,
        ip_address=ip_address,
        merchant_id=body.risk.merchant_id if body.risk else None,
    )
    return await clients.initiate_payment(context, order=order, timeout_ms=deadline_ms)


async def _end_attempt(context: Context, *, payment_id: UUID) -> None:
    async with context.database.transaction() as session:
        await service.end_attempt(session, payment_id=payment_id)


async def _withdraw(context: Context, *, payment_id: UUID) -> None:
    async with context.database.transaction() as session:
        await service.withdraw(session, payment_id=payment_id)


def _pending(wait_s: float) -> PaymentPending:
    return PaymentPending(
        "The outcome is not known yet: send the same request with the same key again",
        headers={"Retry-After": str(max(1, round(wait_s + 0.5)))},
    )


async def read_payment(context: Context, *, payment_id: UUID, partner_id: str) -> PaymentReply:
    """One payment as it is now. Raises `PaymentNotFound`."""
    async with context.database.statement() as session:
        await service.check_owner(session, payment_id=payment_id, partner_id=partner_id)
    payment = await clients.find_payment(context, payment_id=payment_id, partner_id=partner_id)
    if payment is None:
        raise PaymentNotFound
    return reply_of(payment)


async def list_payments(
    context: Context, *, partner_id: str, before: UUID | None, limit: int
) -> PaymentReplyPage:
    page = await clients.list_payments(context, partner_id=partner_id, before=before, limit=limit)
    return PaymentReplyPage(
        items=[reply_of(payment) for payment in page.items], next_before=page.next_before
    )


async def sweep(context: Context, *, older_than: timedelta) -> int:
    """Looks into reservations without an end; how many. The worker calls it again and again."""
    before: datetime = context.clock() - older_than
    async with context.database.transaction() as session:
        unsettled = await service.list_unsettled(session, before=before)
    for claim in unsettled:
        try:
            payment = await clients.find_payment(
                context, payment_id=claim.payment_id, partner_id=claim.partner_id
            )
        except PeerUnavailable:
            break  # nobody would answer for the next one either
        except PeerRefused as refusal:
            # Its turn comes again; meanwhile it does not stand in the way of the others.
            log.warning("sweep.refused", extra={"code": refusal.code})
            async with context.database.transaction() as session:
                await service.note_checked(
                    session, payment_id=claim.payment_id, now=context.clock()
                )
            continue
        async with context.database.transaction() as session:
            await service.mend(
                session, payment_id=claim.payment_id, payment=payment, now=context.clock()
            )
    return len(unsettled)
