"""HTTP models of profiles."""

from datetime import date, datetime
from typing import Literal

from pydantic import Field

from shared.contracts.values import Contract, CustomerId, Localized, Reply


class Totals(Reply):
    """What went in and out of a customer's accounts, in minor units of one currency."""

    currency: str
    in_minor: int
    out_minor: int
    transfers: int


class MonthTotal(Reply):
    """Totals of the transfers whose value date is in the month that begins on `month`."""

    month: date
    currency: str
    in_minor: int
    out_minor: int
    transfers: int


class KindTotal(Reply):
    kind: str
    currency: str
    in_minor: int
    out_minor: int
    transfers: int


class FavoritePayee(Reply):
    account_id: str
    payments: int
    amount_minor: int
    currency: str


class Habits(Reply):
    favorite_payees: list[FavoritePayee]
    payments_settled: int
    payments_rejected: int
    busiest_hour: int | None = Field(description="Hour of the day in UTC, 0 to 23")
    mean_payment_minor: int | None


class Profile(Reply):
    customer_id: CustomerId
    totals: list[Totals]
    by_month: list[MonthTotal] = Field(description="The latest 24 months, the oldest first")
    by_kind: list[KindTotal]
    habits: Habits
    tags: list[str]
    segments: list[str]
    grade: str | None = Field(description="The live risk grade, C1 to C5, from the advisor")
    accounts: list[str]
    updated_at: datetime | None


class SetMarketingConsent(Contract):
    granted: bool


class MarketingConsent(Reply):
    customer_id: CustomerId
    granted: bool
    updated_at: datetime | None


class NextOffer(Reply):
    """`personalized` is false where the customer has not agreed to marketing.

    `notice` is the risk notice of an investment, to be shown with it.
    """

    customer_id: CustomerId
    offer_id: str | None
    kind: Literal["service", "deposit", "investment", "none"]
    title: Localized
    body: Localized
    reason: Localized
    notice: Localized | None
    personalized: bool
