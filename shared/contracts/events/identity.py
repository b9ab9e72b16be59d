"""Events of identity."""

from datetime import date
from typing import Any, ClassVar, Literal

from shared.contracts.events.envelope import Event
from shared.contracts.values import AccountId, CustomerId


class CustomerRegistered(Event):
    """A customer exists. The name stays in identity: events carry no personal data."""

    topic: ClassVar[str] = "identity.customer.v1"
    example: ClassVar[dict[str, Any]] = {
        "customer_id": "c-000001",
        "registered_on": "2026-01-05",
        "district": "Xihu",
    }

    customer_id: CustomerId
    registered_on: date
    district: str | None = None

    def key(self) -> str:
        return self.customer_id


class AccountRightGranted(Event):
    topic: ClassVar[str] = "identity.customer.v1"
    example: ClassVar[dict[str, Any]] = {
        "customer_id": "c-000001",
        "account_id": "6217000100000001",
        "right": "owner",
    }

    customer_id: CustomerId
    account_id: AccountId
    right: Literal["owner", "authorized_user"]

    def key(self) -> str:
        return self.customer_id
