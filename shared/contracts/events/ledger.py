"""Events of the ledger."""

from datetime import date, datetime
from typing import Any, ClassVar
from uuid import UUID

from shared.contracts.events.envelope import Event
from shared.contracts.values import AccountId, Code, Currency, Reply, SignedMinor


class AccountOpened(Event):
    topic: ClassVar[str] = "ledger.account.v1"
    example: ClassVar[dict[str, Any]] = {
        "account_id": "6217000100000001",
        "holder_id": "c-000001",
        "currency": "CNY",
        "opened_on": "2026-01-05",
    }

    account_id: AccountId
    holder_id: str | None
    currency: Currency
    opened_on: date

    def key(self) -> str:
        return self.account_id


class AccountFrozen(Event):
    topic: ClassVar[str] = "ledger.account.v1"
    example: ClassVar[dict[str, Any]] = {
        "account_id": "6217000100000001",
        "frozen": True,
        "reason": "court_order",
    }

    account_id: AccountId
    frozen: bool
    reason: str

    def key(self) -> str:
        return self.account_id


class PostedLeg(Reply):
    """One leg as it was posted: a signed amount, credit positive, and the balance after it."""

    account_id: AccountId
    holder_id: str | None
    amount_minor: SignedMinor
    currency: Currency
    balance_minor: SignedMinor


class TransferPosted(Event):
    topic: ClassVar[str] = "ledger.transfer.v1"
    example: ClassVar[dict[str, Any]] = {
        "transfer_id": "01930000-0000-7000-8000-000000000001",
        "kind": "payment",
        "value_date": "2026-01-05",
        "booking_date": "2026-01-05",
        "recorded_at": "2026-01-05T02:00:00Z",
        "reverses": None,
        "legs": [
            {
                "account_id": "6217000100000001",
                "holder_id": "c-000001",
                "amount_minor": -1250,
                "currency": "CNY",
                "balance_minor": 98750,
            },
            {
                "account_id": "6217000100000002",
                "holder_id": "c-000002",
                "amount_minor": 1250,
                "currency": "CNY",
                "balance_minor": 1250,
            },
        ],
    }

    transfer_id: UUID
    kind: Code
    value_date: date
    booking_date: date
    recorded_at: datetime
    reverses: UUID | None = None
    legs: list[PostedLeg]

    def key(self) -> str:
        return str(self.transfer_id)
