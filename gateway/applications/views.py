"""What a customer sends to apply: the models of risk without whatever the session says itself."""

from typing import ClassVar
from uuid import UUID

from pydantic import Field

from shared.contracts.http import risk_applications as risk
from shared.contracts.values import Contract, DeviceId, Phone

CHANNEL = "own_session"


class Wish(Contract):
    """Where `application_id` is absent it is made from the idempotency key."""

    path: ClassVar[str]
    model: ClassVar[type[risk.Application]]

    application_id: UUID | None = None
    device_id: DeviceId | None = Field(
        default=None, description="The fingerprint of your device, the same each time"
    )
    phone: Phone | None = None


class AccountWish(Wish):
    path = "/v1/account-applications"
    model = risk.ApplyForAccount


class LoanWish(Wish, risk.CreditWish):
    path = "/v1/loan-applications"
    model = risk.ApplyForLoan

    term_months: risk.TermMonths


class CardWish(Wish, risk.CreditWish):
    path = "/v1/card-applications"
    model = risk.ApplyForCard


def application_of(wish: Wish, *, customer_id: str, application_id: UUID) -> risk.Application:
    """The application as risk takes it; no identity check of this channel's own is in it."""
    said = wish.model_dump(exclude_unset=True) | {
        "application_id": application_id,
        "customer_id": customer_id,
        "channel": CHANNEL,
    }
    return wish.model.model_validate(said)
