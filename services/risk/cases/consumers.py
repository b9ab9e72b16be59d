"""Events of payments that case work hears: a payment waits for a person, or waits no more."""

from collections.abc import Sequence

from services.risk.cases import service
from shared.contracts.events.payments import PaymentReviewEnded, PaymentReviewOpened
from shared.kit.consumers import Delivery, Subscriptions
from shared.kit.database import Session


async def on_review_opened(session: Session, deliveries: Sequence[Delivery]) -> None:
    for delivery in deliveries:
        if isinstance(delivery.event, PaymentReviewOpened):
            await service.payment_waits(session, event=delivery.event)


async def on_review_ended(session: Session, deliveries: Sequence[Delivery]) -> None:
    for delivery in deliveries:
        if isinstance(delivery.event, PaymentReviewEnded):
            await service.payment_ended(session, event=delivery.event)


SUBSCRIPTIONS = Subscriptions(
    group="risk",
    handlers={PaymentReviewOpened: on_review_opened, PaymentReviewEnded: on_review_ended},
)
