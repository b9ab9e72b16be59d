"""Events of payments."""

from datetime import datetime
from typing import Any, ClassVar, Literal
from uuid import UUID

from shared.contracts.events.envelope import Event
from shared.contracts.values import (
    AccountId,
    AmountMinor,
    Code,
    Currency,
    DeviceId,
    IpAddress,
    MerchantId,
)

_PAYMENT: dict[str, Any] = {
    "payment_id": "01930000-0000-7000-8000-000000000001",
    "customer_id": "c-000001",
    "partner_id": "p-shop",
    "debtor_account": "6217000100000001",
    "creditor_account": "6217000100000002",
    "amount_minor": 1250,
    "currency": "CNY",
    "channel": "open_api",
    "at": "2026-01-05T02:00:00Z",
    "device_id": "a3f1c9d27b604e58",
    "ip_address": "192.0.2.17",
    "merchant_id": "m-000042",
}


class PaymentEvent(Event):
    """The facts that every event of a payment repeats, so that no reader has to join."""

    topic: ClassVar[str] = "payments.payment.v1"

    payment_id: UUID
    customer_id: str
    partner_id: str | None
    debtor_account: AccountId
    creditor_account: AccountId
    amount_minor: AmountMinor
    currency: Currency
    channel: Code
    at: datetime
    #: What the partner said of the customer's way in; None where it said nothing.
    device_id: DeviceId | None = None
    ip_address: IpAddress | None = None
    merchant_id: MerchantId | None = None

    def key(self) -> str:
        return self.debtor_account


class PaymentReceived(PaymentEvent):
    example: ClassVar[dict[str, Any]] = _PAYMENT


class PaymentSettled(PaymentEvent):
    example: ClassVar[dict[str, Any]] = _PAYMENT | {
        "transfer_id": "01930000-0000-7000-8000-000000000001"
    }

    transfer_id: UUID


class PaymentRejected(PaymentEvent):
    example: ClassVar[dict[str, Any]] = _PAYMENT | {"reason_codes": ["model_score_high"]}

    reason_codes: list[Code]


class PaymentSentToReview(PaymentEvent):
    example: ClassVar[dict[str, Any]] = _PAYMENT | {"reason_codes": ["risk_unavailable"]}

    reason_codes: list[Code]


class PaymentReviewOpened(Event):
    """A payment waits for a person: what a reviewer has to know to judge it."""

    topic: ClassVar[str] = "payments.review.v1"
    example: ClassVar[dict[str, Any]] = _PAYMENT | {
        "creditor_name": "王小明",
        "remittance": "invoice 1",
        "reason_codes": ["amount_over_ceiling"],
        "review_until": "2026-01-08T02:00:00Z",
    }

    payment_id: UUID
    customer_id: str
    partner_id: str | None
    debtor_account: AccountId
    creditor_account: AccountId
    creditor_name: str
    amount_minor: AmountMinor
    currency: Currency
    remittance: str | None
    channel: Code
    reason_codes: list[Code]
    review_until: datetime
    at: datetime

    def key(self) -> str:
        return str(self.payment_id)


class PaymentReviewEnded(Event):
    """What became of a payment that had waited for a person, whoever had the last word."""

    topic: ClassVar[str] = "payments.review.v1"
    example: ClassVar[dict[str, Any]] = {
        "payment_id": "01930000-0000-7000-8000-000000000001",
        "state": "rejected",
        "reason_codes": ["review_declined"],
        "verdict": "decline",
        "reviewed_by": "s-reviewer",
        "at": "2026-01-05T03:00:00Z",
    }

    payment_id: UUID
    state: Literal["settled", "rejected"]
    reason_codes: list[Code]
    #: Both null where nobody gave a word in time.
    verdict: Literal["approve", "decline"] | None
    reviewed_by: str | None
    at: datetime

    def key(self) -> str:
        return str(self.payment_id)
