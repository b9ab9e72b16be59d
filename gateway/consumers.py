"""Events that the gateway hears: what becomes of a payment settles its reservation."""

from collections.abc import Sequence

from gateway.payments import service
from shared.contracts.events.payments import PaymentRejected, PaymentSettled
from shared.kit.consumers import Delivery, Subscriptions
from shared.kit.database import Session


async def on_settled(session: Session, deliveries: Sequence[Delivery]) -> None:
    for delivery in deliveries:
        if isinstance(delivery.event, PaymentSettled):
            await service.settle(session, payment_id=delivery.event.payment_id, to="confirmed")


async def on_rejected(session: Session, deliveries: Sequence[Delivery]) -> None:
    for delivery in deliveries:
        if isinstance(delivery.event, PaymentRejected):
            await service.settle(session, payment_id=delivery.event.payment_id, to="freed")


SUBSCRIPTIONS = Subscriptions(
    group="gateway",
    handlers={PaymentSettled: on_settled, PaymentRejected: on_rejected},
)
