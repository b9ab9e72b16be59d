"""HTTP models of the advisor."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from shared.contracts.values import AmountMinor, Contract, CustomerId, Localized, Reply

Grade = Literal["C1", "C2", "C3", "C4", "C5"]
Rating = Literal["R1", "R2", "R3", "R4", "R5"]
ItemId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,40}$")]
Version = Annotated[str, StringConstraints(pattern=r"^[0-9a-z.-]{1,20}$")]


class Choice(Reply):
    option_id: str
    text: str


class Item(Reply):
    item_id: str
    topic: str
    text: str
    options: list[Choice]


class Questionnaire(Reply):
    """In one language; the points stay with the bank."""

    version: str
    lang: str
    title: str
    preamble: str = Field(description="To be shown before the items: who may answer, and how")
    items: list[Item]


class CompleteAssessment(Contract):
    """One option for every item of the questionnaire's version."""

    assessment_id: UUID
    customer_id: CustomerId
    questionnaire_version: Version
    answers: Annotated[dict[ItemId, ItemId], Field(min_length=1, max_length=60)]


class Assessment(Reply):
    assessment_id: UUID
    customer_id: CustomerId
    questionnaire_version: str
    grade: Grade
    lowest_class: bool = Field(description="The lowest class inside C1: may not insist on more")
    score: int
    reasons: list[Localized]
    valid_until: date = Field(description="The first day on which it no longer counts")
    completed_at: datetime
    expired: bool


class Product(Reply):
    product_id: str
    name: Localized
    rating: Rating
    issuer_rating: Rating
    distributor_rating: Rating
    regime: Literal["nfra", "csrc"]
    currency: str
    minimum_minor: int
    term_days: int | None
    notice: Localized


class SuitableProducts(Reply):
    """Empty, with the reason, where there is no live grade."""

    customer_id: CustomerId
    grade: Grade | None
    items: list[Product]
    reason: Localized


class CheckSuitability(Contract):
    customer_id: CustomerId
    product_id: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,40}$")]
    amount_minor: AmountMinor | None = None


class Suitability(Reply):
    suitable: bool
    reason_code: str
    reason: Localized
    may_insist: bool = Field(description="Whether a client who was warned may buy all the same")
    grade: Grade | None
    rating: Rating
