"""Events that the gateway hears: what becomes of a payment settles its reservation."""

from collections.abc import Sequence
from uuid import UUID

from gateway.payments import service
from shared.contracts.events.payments import PaymentEvent, PaymentRejected, PaymentSettled
from shared.kit.consumers import Delivery, Subscriptions
from shared.kit.database import Session


async def on_settled(session: Session, deliveries: Sequence[Delivery]) -> None:
    await service.settle(session, payment_ids=_payments(deliveries), to="confirmed")


async def on_rejected(session: Session, deliveries: Sequence[Delivery]) -> None:
    await service.settle(session, payment_ids=_payments(deliveries), to="freed")


def _payments(deliveries: Sequence[Delivery]) -> list[UUID]:
    return [
        delivery.event.payment_id
        for delivery in deliveries
        if isinstance(delivery.event, PaymentEvent)
    ]


SUBSCRIPTIONS = Subscriptions(
    group="gateway",
    handlers={PaymentSettled: on_settled, PaymentRejected: on_rejected},
)
