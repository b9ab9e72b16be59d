"""HTTP models of the ledger. Amounts are minor units; a signed amount is positive for a credit."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from shared.contracts.values import (
    AccountId,
    AmountMinor,
    Code,
    Contract,
    Currency,
    CustomerId,
    Name,
    Reply,
    SignedMinor,
)

MAX_LEGS = 64
MAX_BULK = 1_000

Direction = Literal["debit", "credit"]
ValueDate = date


class OpenAccount(Contract):
    """Opens an account under a number that the caller chose."""

    account_id: AccountId
    chart_code: Code = Field(description="The chart line, for example `2011`: customer deposits")
    currency: Currency
    holder_id: CustomerId | None = None
    floor_minor: SignedMinor | None = Field(
        default=0, description="The lowest balance that a debit may leave; null: no limit"
    )
    opened_on: date | None = None


class Balance(Reply):
    """`available` = `posted` - `held` - `floor`; null where the account has no floor."""

    posted_minor: SignedMinor
    held_minor: SignedMinor
    available_minor: SignedMinor | None


class Account(Reply):
    account_id: AccountId
    chart_code: str
    currency: Currency
    holder_id: str | None
    floor_minor: int | None
    frozen: bool
    opened_on: date
    balance: Balance


class AccountPage(Reply):
    items: list[Account]
    next_after: str | None = Field(description="Pass as `after` for the next page")


class BalanceAsOf(Reply):
    account_id: AccountId
    currency: Currency
    by: Literal["value", "booking"]
    on: date
    posted_minor: SignedMinor


class Leg(Contract):
    account_id: AccountId
    direction: Direction
    amount_minor: AmountMinor
    currency: Currency


class PostTransfer(Contract):
    """Two or more legs that balance in every currency. The id is made by the caller."""

    transfer_id: UUID
    kind: Code
    legs: Annotated[list[Leg], Field(min_length=2, max_length=MAX_LEGS)]
    value_date: date | None = None
    booking_date: date | None = None
    reference: str | None = Field(default=None, max_length=140)


class Posting(Reply):
    """One leg as posted, with the account's balance after it."""

    account_id: AccountId
    amount_minor: SignedMinor
    currency: Currency
    balance_minor: SignedMinor


class Transfer(Reply):
    transfer_id: UUID
    kind: str
    value_date: date
    booking_date: date
    recorded_at: datetime
    reference: str | None
    reverses: UUID | None
    postings: list[Posting]


class PostTransfers(Contract):
    """Each transfer stands for itself: a refused one leaves the others as they are."""

    transfers: Annotated[list[PostTransfer], Field(min_length=1, max_length=MAX_BULK)]


class Refusal(Reply):
    code: str
    detail: str
    field: str | None = None


class BulkItem(Reply):
    """What became of one item: `posted` or `duplicate` with balances, or `refused` with why.

    `balances` holds the balance after each leg, in the order of the legs.
    """

    transfer_id: UUID
    outcome: Literal["posted", "duplicate", "refused"]
    balances: list[SignedMinor] | None = None
    refusal: Refusal | None = None


class BulkResult(Reply):
    items: list[BulkItem]


class ReverseTransfer(Contract):
    reversal_id: UUID
    reason: Code
    value_date: date | None = None
    booking_date: date | None = None


class PlaceHold(Contract):
    """Reserves an amount of `account_id` for a later transfer to `destination_id`."""

    hold_id: UUID
    account_id: AccountId
    destination_id: AccountId
    amount_minor: AmountMinor
    currency: Currency
    expires_in_s: Annotated[int, Field(ge=1, le=30 * 24 * 3600)]


class ExtendHold(Contract):
    expires_in_s: Annotated[int, Field(ge=1, le=30 * 24 * 3600)]


class CaptureHold(Contract):
    """Turns a hold into a transfer; less than the held amount frees the rest."""

    transfer_id: UUID
    kind: Code
    amount_minor: AmountMinor | None = None
    reference: str | None = Field(default=None, max_length=140)


class Hold(Reply):
    hold_id: UUID
    account_id: AccountId
    destination_id: AccountId
    amount_minor: int
    currency: Currency
    state: Literal["placed", "captured", "released", "expired"]
    expires_at: datetime
    transfer_id: UUID | None


class StatementEntry(Reply):
    entry_no: int = Field(description="Grows with every entry of the account; pass as `after`")
    transfer_id: UUID
    kind: str
    amount_minor: SignedMinor
    currency: Currency
    balance_minor: SignedMinor
    value_date: date
    booking_date: date
    reference: str | None


class StatementPage(Reply):
    account_id: AccountId
    by: Literal["value", "booking"]
    opening_minor: SignedMinor
    closing_minor: SignedMinor
    entries: list[StatementEntry]
    next_after: int | None


class Entry(Reply):
    """One entry of an account, and the account on its other side where there is just one."""

    entry_no: int
    transfer_id: UUID
    kind: str
    amount_minor: SignedMinor
    currency: Currency
    balance_minor: SignedMinor
    value_date: date
    booking_date: date
    reference: str | None
    counterpart_id: str | None


class EntryPage(Reply):
    """A part of the entries that match, in the order of posting; `total` counts them all.

    New entries come at the end, so that what stands on a page stays there.
    """

    account_id: AccountId
    total: int
    items: list[Entry]


class FreezeAccount(Contract):
    reason: Name


class SetFloor(Contract):
    floor_minor: SignedMinor | None
    reason: Name


class ChartLine(Reply):
    chart_code: str
    name_zh: str
    name_en: str
    side: Literal["asset", "liability", "equity", "income", "expense"]
