"""HTTP models of payments."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from shared.contracts.values import (
    AccountId,
    AmountMinor,
    Code,
    Contract,
    Currency,
    CustomerId,
    DeviceId,
    EndToEndId,
    IpAddress,
    MerchantId,
    Name,
    PartnerId,
    Reply,
)

MAX_BULK = 1_000

PaymentState = Literal["received", "approved", "settled", "rejected", "in_review"]


class Party(Contract):
    """One side of a payment."""

    account_id: AccountId
    name: Name


class InitiatePayment(Contract):
    """A payment that the gateway has checked against partner and consent.

    Device, address and merchant are what the partner says of the way in which the customer came:
    they count for risk alone, and a repeat of the payment may say otherwise.
    """

    payment_id: UUID
    customer_id: CustomerId
    partner_id: PartnerId | None = None
    consent_id: UUID | None = None
    debtor_account: AccountId
    creditor: Party
    amount_minor: AmountMinor
    currency: Currency
    end_to_end_id: EndToEndId
    remittance: Annotated[str, StringConstraints(max_length=140)] | None = None
    channel: Code = "open_api"
    device_id: DeviceId | None = None
    ip_address: IpAddress | None = None
    merchant_id: MerchantId | None = None


class Payment(Reply):
    """`reason_codes` say why it was rejected or is in review; `trace_id` leads to its way."""

    payment_id: UUID
    state: PaymentState
    customer_id: CustomerId
    partner_id: PartnerId | None
    consent_id: UUID | None
    debtor_account: AccountId
    creditor: Party
    amount_minor: AmountMinor
    currency: Currency
    end_to_end_id: str
    remittance: str | None
    channel: str
    reason_codes: list[str]
    risk_score: float | None
    transfer_id: UUID | None
    trace_id: str | None
    received_at: datetime
    updated_at: datetime


class PaymentPage(Reply):
    items: list[Payment]
    next_before: UUID | None = Field(default=None, description="Pass as `before`")


class ReviewPayment(Contract):
    outcome: Literal["approve", "decline"]
    reason: Name


class Payee(Reply):
    """An account that the customer has paid; `payments` counts the settled ones."""

    customer_id: CustomerId
    account_id: AccountId
    name: str
    first_paid_at: datetime
    payments: int


class PayeeList(Reply):
    items: list[Payee]


class StandingOrder(Contract):
    """Imported inactive: facts of the book, executed by nobody until activated."""

    order_id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.:-]{1,64}$")]
    debtor_account: AccountId
    creditor_bank: Annotated[str, StringConstraints(max_length=35)] | None = None
    creditor_account: Annotated[str, StringConstraints(max_length=34)]
    amount_minor: AmountMinor
    currency: Currency
    purpose: Code | None = None
    first_on: date | None = None


class StandingOrders(Contract):
    orders: Annotated[list[StandingOrder], Field(min_length=1, max_length=MAX_BULK)]


class StandingOrderState(Reply):
    order_id: str
    debtor_account: AccountId
    creditor_bank: str | None
    creditor_account: str
    amount_minor: int
    currency: Currency
    purpose: str | None
    active: bool


class StandingOrderList(Reply):
    items: list[StandingOrderState]


class BulkCount(Reply):
    created: int
    unchanged: int
