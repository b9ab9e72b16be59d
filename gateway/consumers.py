"""Events that the gateway hears: what becomes of a payment settles its reservation.

Its partner is told of it too: the message is in the queue once the event's effect is committed.
"""

from collections.abc import Sequence
from uuid import UUID

from gateway.payments import service
from gateway.webhooks import service as webhooks
from gateway.webhooks.domain import EventType, Message
from shared.contracts.events.payments import (
    PaymentEvent,
    PaymentRejected,
    PaymentSentToReview,
    PaymentSettled,
)
from shared.kit.consumers import Delivery, Subscriptions
from shared.kit.database import Session


async def on_settled(session: Session, deliveries: Sequence[Delivery]) -> None:
    await service.settle(session, payment_ids=_payments(deliveries), to="confirmed")
    await _tell(session, deliveries, "payment.settled", "settled")


async def on_rejected(session: Session, deliveries: Sequence[Delivery]) -> None:
    await service.settle(session, payment_ids=_payments(deliveries), to="freed")
    await _tell(session, deliveries, "payment.rejected", "rejected")


async def on_sent_to_review(session: Session, deliveries: Sequence[Delivery]) -> None:
    await _tell(session, deliveries, "payment.in_review", "in_review")


def _payments(deliveries: Sequence[Delivery]) -> list[UUID]:
    return [
        delivery.event.payment_id
        for delivery in deliveries
        if isinstance(delivery.event, PaymentEvent)
    ]


async def _tell(
    session: Session, deliveries: Sequence[Delivery], event_type: EventType, state: str
) -> None:
    told = []
    for delivery in deliveries:
        event = delivery.event
        if isinstance(event, PaymentEvent) and event.partner_id is not None:
            data = {"payment_id": str(event.payment_id), "state": state}
            message = Message(delivery.event_id, event_type, data, event.at)
            told.append((event.partner_id, message))
    await webhooks.tell_many(session, told=told)


SUBSCRIPTIONS = Subscriptions(
    group="gateway",
    handlers={
        PaymentSettled: on_settled,
        PaymentRejected: on_rejected,
        PaymentSentToReview: on_sent_to_review,
    },
)
