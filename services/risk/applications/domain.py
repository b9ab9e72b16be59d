"""An application, the facts that a policy sees of it, and how it stands. Pure."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from services.risk.cases.domain import Case

Product = Literal["account_opening", "loan", "card"]
State = Literal["received", "in_review", "approved", "declined"]
DecidedBy = Literal["machine", "person"]

CURRENCY: Final = "CNY"
#: How far back applications count, by the fact that tells of them.
CUSTOMER_SPAN: Final = timedelta(days=30)
DEVICE_SPAN: Final = timedelta(hours=24)
SHARED_SPAN: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Applied:
    """An application as it is kept: once, before anything is decided, so that each counts."""

    application_id: UUID
    product: Product
    customer_id: str
    body_hash: bytes
    channel: str
    requested_minor: int | None
    term_months: int | None
    device_id: str | None
    applied_at: datetime


@dataclass(frozen=True, slots=True)
class Lately:
    """How many applications there were, this one included; None where no device is known."""

    customer_count_30d: int
    device_count_24h: int | None
    device_customers_30d: int | None


@dataclass(frozen=True, slots=True)
class Applicant:
    """What identity knows of the applicant."""

    is_known: bool
    born_on: date | None


@dataclass(frozen=True, slots=True)
class Wish:
    """What the applicant says, and what the channel found out. Amounts are in fen of CNY."""

    identity_proven: bool | None = None
    face_match: float | None = None
    requested_minor: int | None = None
    monthly_income_minor: int | None = None
    monthly_debt_minor: int | None = None
    employed_months: int | None = None
    term_months: int | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """How an application stands. `limit_minor` is in fen of CNY, `price_bps` a yearly rate."""

    state: State
    decided_by: DecidedBy | None = None
    decided_at: datetime | None = None
    limit_minor: int | None = None
    price_bps: int | None = None
    step_up: str | None = None


@dataclass(frozen=True, slots=True)
class Offer:
    """What the policy said: its outcome, and what it would grant."""

    outcome: str
    limit_minor: int | None
    price_bps: int | None
    step_up: str | None
    decided_at: datetime


def age_on(born_on: date | None, day: date) -> int | None:
    """Completed years; one who is born on 29 February has a birthday on 1 March."""
    if born_on is None or born_on > day:
        return None
    return day.year - born_on.year - ((day.month, day.day) < (born_on.month, born_on.day))


def facts_of(
    product: Product, *, wish: Wish, applicant: Applicant, lately: Lately, day: date
) -> dict[str, object]:
    """The group `application` of the facts, with the names that `policies.facts` allows."""
    proven = applicant.is_known if wish.identity_proven is None else wish.identity_proven
    found: dict[str, object] = {
        "age": age_on(applicant.born_on, day),
        "identity_proven": proven,
        "face_match": wish.face_match,
        "customer_count_30d": lately.customer_count_30d,
        "device_count_24h": lately.device_count_24h,
        "device_customers_30d": lately.device_customers_30d,
    }
    if product == "account_opening":
        return found
    found |= {
        "requested_minor": wish.requested_minor,
        "monthly_income_minor": wish.monthly_income_minor,
        "monthly_debt_minor": wish.monthly_debt_minor,
        "employed_months": wish.employed_months,
    }
    return found | ({"term_months": wish.term_months} if product == "loan" else {})


def standing_of(offer: Offer | None, review: Case | None, appeal: Case | None) -> Standing:
    """What the applicant is told: the last word that a person or the policy has said."""
    if offer is None:
        return Standing("received")
    case = appeal or review
    if case is None:
        return _of_policy(offer)
    if case.outcome is None:
        return Standing("in_review")
    if case.outcome != "approved":
        return Standing("declined", "person", case.closed_at)
    return Standing(
        "approved",
        "person",
        case.closed_at,
        case.granted_minor,
        case.granted_price_bps,
        offer.step_up,
    )


def _of_policy(offer: Offer) -> Standing:
    if offer.outcome == "review":
        return Standing("in_review")
    if offer.outcome == "decline":
        return Standing("declined", "machine", offer.decided_at)
    return Standing(
        "approved",
        "machine",
        offer.decided_at,
        offer.limit_minor,
        offer.price_bps,
        offer.step_up,
    )
