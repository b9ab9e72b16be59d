"""What partners send and see of a payment: less than the bank knows of it."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from shared.contracts.http.payments import Party, Payment, PaymentState
from shared.contracts.values import (
    AmountMinor,
    Contract,
    Currency,
    DeviceId,
    EndToEndId,
    MerchantId,
    Reply,
)


class RiskSignals(Contract):
    """What you know of the way in which the customer came. It helps to let honest ones pass."""

    device_id: DeviceId | None = Field(
        default=None, description="Your fingerprint of the customer's device, the same each time"
    )
    merchant_id: MerchantId | None = Field(
        default=None, description="The merchant for whom you collect"
    )


class CreatePayment(Contract):
    """A payment under a consent that the customer has authorized."""

    consent_id: UUID
    amount_minor: AmountMinor = Field(description="Whole minor units (fen, cent)")
    currency: Currency
    creditor: Party = Field(description="The payee of the consent")
    end_to_end_id: EndToEndId = Field(description="Your own reference; the payee sees it")
    remittance: Annotated[str, StringConstraints(max_length=140)] | None = None
    risk: RiskSignals | None = None


class PaymentReply(Reply):
    """Customer, account and score stay with the bank; `trace_id` is what to quote in a question."""

    payment_id: UUID
    consent_id: UUID | None
    state: PaymentState
    amount_minor: int
    currency: Currency
    creditor: Party
    end_to_end_id: str
    remittance: str | None
    reason_codes: list[str] = Field(description="Why it was rejected or is in review")
    trace_id: str | None
    received_at: datetime
    updated_at: datetime


class PaymentReplyPage(Reply):
    items: list[PaymentReply]
    next_before: UUID | None = Field(description="Pass as `before` for the next page")


def reply_of(payment: Payment) -> PaymentReply:
    return PaymentReply.model_validate(payment.model_dump())
