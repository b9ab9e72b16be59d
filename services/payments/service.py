"""One use case of payments = one transaction."""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from services.payments import domain, repository
from services.payments.domain import Change, Payment, State, Verdict
from shared.contracts.events.audit import StaffActed
from shared.contracts.events.envelope import Event
from shared.contracts.events.payments import (
    PaymentReceived,
    PaymentRejected,
    PaymentReviewEnded,
    PaymentReviewOpened,
    PaymentSentToReview,
    PaymentSettled,
)
from shared.contracts.http.payments import BulkCount, StandingOrder
from shared.kit import outbox
from shared.kit.database import AnySession, Session
from shared.kit.idempotency import KeyReused
from shared.kit.problems import BankError, NotFound

SOURCE = "payments"
#: Longest list of payees, or of an account's standing orders, in one answer.
MAX_ITEMS = 500


class AlreadyReviewed(BankError):
    status, code = 409, "already_reviewed"
    title = "The payment was reviewed before, with another outcome"


class NotInReview(BankError):
    status, code, title = 409, "not_in_review", "The payment is not in review"


class StandingOrderExists(BankError):
    status, code = 409, "standing_order_exists"
    title = "Another standing order has this id"


async def receive(session: AnySession, *, payment: Payment) -> Payment:
    """Store a payment whose amount is held, or find the one that is stored under its id.

    Raises:
        KeyReused: the id came with another body before.
    """
    told = outbox.parameters(source=SOURCE, now=payment.received_at, events=[event_of(payment)])
    if await repository.insert_payment(session, payment, told=told):
        return payment
    stored = await known(session, payment=payment)
    if stored is None:  # pragma: no cover - no role may delete a payment
        raise NotFound("The payment is gone")
    return stored


async def known(session: AnySession, *, payment: Payment) -> Payment | None:
    """The payment that is stored under the id of `payment`, if it came with the same body.

    Raises:
        KeyReused: it came with another one.
    """
    stored = await repository.find(session, payment.payment_id)
    if stored is not None and stored.body_hash != payment.body_hash:
        raise KeyReused(field="payment_id", expected="a new id for a new body")
    return stored


async def record(session: AnySession, *, payment: Payment, change: Change) -> Payment | None:
    """Store what `change` makes of the payment, with its event, in one statement.

    None where somebody else changed it meanwhile; then `record_late` has the word.
    """
    after = change(payment)
    if after is None:
        return payment
    return after if await _store(session, before=payment, after=after) else None


async def record_late(session: Session, *, payment_id: UUID, change: Change) -> Payment:
    """As `record`, on the payment as it is now; or what became of it.

    Of two who record at once one is first, and the other sees what the first one stored: each
    change of state is told by one event.
    """
    payment = await _locked(session, payment_id)
    after = change(payment)
    if after is None:
        return payment
    await _store(session, before=payment, after=after)
    return after


async def _store(session: AnySession, *, before: Payment, after: Payment) -> bool:
    is_told = after.state in {"settled", "rejected", "in_review"}
    events = [event_of(after), *review_events(before, after)] if is_told else []
    told = outbox.parameters(source=SOURCE, now=after.updated_at, events=events)
    return await repository.store(session, before=before, after=after, told=told)


async def review(
    session: Session,
    *,
    payment_id: UUID,
    verdict: Verdict,
    reason: str,
    staff_id: str,
    now: datetime,
    is_carried: bool = True,
) -> Payment:
    """Store a reviewer's word, once; the same word again changes nothing.

    `is_carried`: the caller goes on with the payment; else the worker does, at once.

    Raises:
        NotFound: there is no such payment.
        NotInReview: it is not in review, or no longer.
        AlreadyReviewed: a reviewer said the opposite.
    """
    payment = await _locked(session, payment_id)
    if payment.verdict is not None:
        if payment.verdict != verdict:
            raise AlreadyReviewed(f"The payment was reviewed: {payment.verdict}")
        return payment
    after = domain.reviewed(
        payment,
        verdict=verdict,
        staff_id=staff_id,
        reason=reason,
        now=now,
        is_carried=is_carried,
    )
    if after is None:
        raise NotInReview(f"The payment is {payment.state}, or its review has run out")
    acted = StaffActed(
        service=SOURCE,
        staff_id=staff_id,
        action=f"payment.{verdict}",
        subject=str(payment_id),
        reason=reason,
        at=now,
    )
    told = outbox.parameters(source=SOURCE, now=now, events=[acted])
    await repository.store(session, before=payment, after=after, told=told)
    return after


async def _locked(session: Session, payment_id: UUID) -> Payment:
    payment = await repository.find(session, payment_id, lock=True)
    if payment is None:
        raise NotFound(f"There is no payment {payment_id}")
    return payment


async def payment_of(
    session: Session, *, payment_id: UUID, customer_id: str | None, partner_id: str | None
) -> Payment:
    """The payment, for a reader who is bound to a customer, to a partner, or to neither.

    Raises:
        NotFound: there is none, or it is not the reader's.
    """
    payment = await repository.find(session, payment_id)
    if (
        payment is None
        or customer_id not in {None, payment.customer_id}
        or partner_id not in {None, payment.partner_id}
    ):
        raise NotFound(f"There is no payment {payment_id}")
    return payment


async def payment_page(
    session: Session,
    *,
    customer_id: str | None,
    partner_id: str | None,
    debtor_account: str | None,
    state: State | None,
    before: UUID | None,
    limit: int,
) -> tuple[list[Payment], UUID | None]:
    """Payments, newest first, and the `before` of the next page where there is one."""
    found = await repository.page(
        session,
        customer_id=customer_id,
        partner_id=partner_id,
        debtor_account=debtor_account,
        state=state,
        before=before,
        limit=limit + 1,
    )
    items = found[:limit]
    return items, items[-1].payment_id if len(found) > limit else None


async def claim_due(
    session: Session, *, now: datetime, lease: timedelta, limit: int
) -> list[Payment]:
    return await repository.claim_due(session, now=now, lease=lease, limit=limit)


async def payees(session: Session, *, customer_id: str) -> Sequence[Any]:
    return await repository.payees_of(session, customer_id, limit=MAX_ITEMS)


async def import_orders(
    session: Session,
    *,
    orders: Sequence[StandingOrder],
    staff_id: str,
    now: datetime,
) -> BulkCount:
    """Store standing orders, inactive; those that are stored already, equally, are unchanged.

    Raises:
        StandingOrderExists: an id is stored with another content; none of the batch is stored.
    """
    hashed = [
        (order, hashlib.sha256(order.model_dump_json().encode()).digest()) for order in orders
    ]
    created = await repository.insert_orders(session, hashed, now=now)
    stored = await repository.order_hashes(session, [order.order_id for order in orders])
    for place, (order, digest) in enumerate(hashed):
        if stored[order.order_id] != digest:
            raise StandingOrderExists(
                f"Standing order {order.order_id} is stored with another content",
                field=f"orders.{place}.order_id",
                expected="a new id for a new content",
            )
    if created:
        acted = StaffActed(
            service=SOURCE,
            staff_id=staff_id,
            action="standing_orders.import",
            subject=f"{len(created)} orders",
            reason="import",
            at=now,
        )
        await outbox.add(session, source=SOURCE, now=now, events=[acted])
    return BulkCount(created=len(created), unchanged=len(orders) - len(created))


async def orders(session: Session, *, debtor_account: str) -> Sequence[Any]:
    return await repository.orders_of(session, debtor_account, limit=MAX_ITEMS)


def event_of(payment: Payment) -> Event:
    """What tells of the state that the payment has come to."""
    facts: dict[str, Any] = {
        "payment_id": payment.payment_id,
        "customer_id": payment.customer_id,
        "partner_id": payment.partner_id,
        "debtor_account": payment.debtor_account,
        "creditor_account": payment.creditor_account,
        "amount_minor": payment.amount_minor,
        "currency": payment.currency,
        "channel": payment.channel,
        "at": payment.updated_at,
        "device_id": payment.device_id,
        "ip_address": payment.ip_address,
        "merchant_id": payment.merchant_id,
    }
    match payment.state:
        case "received":
            return PaymentReceived(**facts)
        case "settled":
            return PaymentSettled(**facts, transfer_id=payment.transfer_id)
        case "rejected":
            return PaymentRejected(**facts, reason_codes=list(payment.reason_codes))
        case "in_review":
            return PaymentSentToReview(**facts, reason_codes=list(payment.reason_codes))
        case "approved":
            raise ValueError("No event tells of an approval: what follows it does")


def review_events(before: Payment, after: Payment) -> list[Event]:
    """What reviewers are told: a payment waits for them, or it waits no more."""
    if after.state == "in_review" and before.state != "in_review" and after.review_until:
        return [
            PaymentReviewOpened(
                payment_id=after.payment_id,
                customer_id=after.customer_id,
                partner_id=after.partner_id,
                debtor_account=after.debtor_account,
                creditor_account=after.creditor_account,
                creditor_name=after.creditor_name,
                amount_minor=after.amount_minor,
                currency=after.currency,
                remittance=after.remittance,
                channel=after.channel,
                reason_codes=list(after.reason_codes),
                review_until=after.review_until,
                at=after.updated_at,
            )
        ]
    if before.review_until is None or after.state not in domain.FINAL:
        return []
    return [
        PaymentReviewEnded(
            payment_id=after.payment_id,
            state="settled" if after.state == "settled" else "rejected",
            reason_codes=list(domain.shown_reasons(after)),
            verdict=after.verdict,
            reviewed_by=after.reviewed_by,
            at=after.updated_at,
        )
    ]
