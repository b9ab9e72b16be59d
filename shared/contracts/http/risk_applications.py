"""HTTP models of risk: applications for an account, a loan or a card, and what became of them.

Amounts are in fen of CNY, in which these products are decided on.
"""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StrictBool, StrictInt

from shared.contracts.http.risk import Reason
from shared.contracts.values import (
    MAX_AMOUNT_MINOR,
    AmountMinor,
    Code,
    Contract,
    CustomerId,
    DeviceId,
    IpAddress,
    Phone,
    Reply,
)

Product = Literal["account_opening", "loan", "card"]
State = Literal["received", "in_review", "approved", "declined"]

MonthlyMinor = Annotated[StrictInt, Field(ge=0, le=MAX_AMOUNT_MINOR)]
"""What comes in or goes out in a usual month; nothing is an amount too."""
EmployedMonths = Annotated[StrictInt, Field(ge=0, le=900)]
TermMonths = Annotated[StrictInt, Field(ge=1, le=360)]


class Application(Contract):
    """What all applications have. `application_id` is the decision's id, made by the caller.

    What a channel found out of the applicant's identity may be told; without it, whom identity
    knows is proven, and no face was compared.
    """

    application_id: UUID
    customer_id: CustomerId
    channel: Code
    device_id: DeviceId | None = None
    ip_address: IpAddress | None = None
    phone: Phone | None = Field(default=None, description="Kept as a token alone")
    identity_proven: StrictBool | None = None
    face_match: Annotated[float, Field(ge=0, le=1, strict=True)] | None = Field(
        default=None, description="How well face and document agree, from 0 to 1"
    )


class ApplyForAccount(Application):
    pass


class CreditWish(Contract):
    """What an applicant says of wish and means; what is not said is null, and asked about."""

    currency: Literal["CNY"]
    requested_minor: AmountMinor
    monthly_income_minor: MonthlyMinor | None = None
    monthly_debt_minor: MonthlyMinor | None = None
    employed_months: EmployedMonths | None = None


class ApplyForLoan(Application, CreditWish):
    term_months: TermMonths


class ApplyForCard(Application, CreditWish):
    pass


class ApplicationReply(Reply):
    """What an applicant sees. Limit, price and step-up are there once it is approved."""

    application_id: UUID
    product: Product
    state: State = Field(
        description="`received` where no decision was kept: send the same application again"
    )
    currency: Literal["CNY"] = "CNY"
    requested_minor: int | None
    term_months: int | None
    limit_minor: int | None = Field(description="What is granted at the most, in fen of CNY")
    price_bps: int | None = Field(
        description="The yearly rate in hundredths of a percent; it follows the risk grade alone"
    )
    step_up: str | None = Field(description="A further proof that is asked for")
    reasons: list[Reason]
    decided_by: Literal["machine", "person"] | None
    can_ask_for_person: bool
    applied_at: datetime
    decided_at: datetime | None


class ApplicationPage(Reply):
    """The youngest first."""

    items: list[ApplicationReply]
    next_before: UUID | None = Field(default=None, description="Pass as `before` for the next page")
