"""Events that payments hears: a reviewer's word that was given on a case of risk."""

import logging
from collections.abc import Sequence

from services.payments import service
from shared.contracts.events.risk import CaseDecided
from shared.kit.consumers import Delivery, Subscriptions
from shared.kit.database import Session
from shared.kit.problems import NotFound

log = logging.getLogger(__name__)

PRODUCT = "payment"
#: The longest reason that a review may have, as on its own route.
MAX_REASON = 140


async def on_case_decided(session: Session, deliveries: Sequence[Delivery]) -> None:
    """Take the word as `review` does. What that refuses is over already, and risk is told how."""
    for delivery in deliveries:
        word = delivery.event
        if not isinstance(word, CaseDecided) or (word.product, word.kind) != (PRODUCT, "review"):
            continue
        try:
            await service.review(
                session,
                payment_id=word.decision_id,
                verdict=word.verdict,
                reason=f"{word.reason_code}: {word.note}".removesuffix(": ")[:MAX_REASON],
                staff_id=word.decided_by,
                now=delivery.at,  # when the word was given, however late it arrives
                is_carried=False,
            )
        except (service.NotInReview, service.AlreadyReviewed, NotFound) as refusal:
            log.info(
                "review.refused",
                extra={"payment_id": str(word.decision_id), "cause": refusal.code},
            )


SUBSCRIPTIONS = Subscriptions(group="payments", handlers={CaseDecided: on_case_decided})
