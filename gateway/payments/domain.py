"""What the gateway itself knows of a payment: its key, its place in a consent, its answer."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from shared.contracts.http.payments import PaymentState
from shared.kit.problems import BankError

ClaimState = Literal["reserved", "confirmed", "freed"]

#: An attempt that got no answer may still be at work in payments; nobody else starts before
#: its deadline and this much more have passed.
ATTEMPT_MARGIN: Final = timedelta(seconds=2)
#: A reservation without a final answer is looked into after this long.
SWEEP_AFTER: Final = timedelta(minutes=3)


class PaymentNotFound(BankError):
    status, code, title = 404, "payment_not_found", "This partner has no such payment"


@dataclass(frozen=True, slots=True)
class Claim:
    """The first sight of an idempotency key: the payment's id and what it reserved."""

    payment_id: UUID
    partner_id: str
    idempotency_key: str
    body_hash: bytes
    consent_id: UUID
    amount_minor: int
    state: ClaimState
    #: Until when an attempt holds the right to forward it; None where nobody is at it.
    attempt_until: datetime | None
    attempts: int
    reply: bytes | None
    created_at: datetime

    def attempt_wait_s(self, *, now: datetime) -> float:
        """Seconds until another attempt may start; 0 where one may now."""
        if self.attempt_until is None:
            return 0.0
        return max(0.0, (self.attempt_until - now).total_seconds())


def reservation_after(payment: PaymentState) -> ClaimState:
    """What becomes of the reservation, told by the state of the payment."""
    if payment == "settled":
        return "confirmed"
    return "freed" if payment == "rejected" else "reserved"


def is_answer(payment: PaymentState) -> bool:
    """Whether the payment has got as far as an answer that is kept for the key."""
    return payment in {"settled", "rejected", "in_review"}
