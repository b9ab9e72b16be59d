"""What customers send and see at the gateway where it is not another service's own model."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from shared.contracts.http.advisor import CheckSuitability, CompleteAssessment
from shared.contracts.http.identity import Right
from shared.contracts.http.ledger import Balance
from shared.contracts.values import AmountMinor, Contract, Currency, Reply

ItemId = Annotated[str, Field(pattern=r"^[a-z0-9_]{1,40}$")]


class MyAccount(Reply):
    account_id: str
    right: Right
    currency: Currency
    frozen: bool
    balance: Balance


class AccountList(Reply):
    items: list[MyAccount]


class Answers(Contract):
    """`CompleteAssessment` without the customer, who is the session's."""

    assessment_id: UUID | None = Field(
        default=None, description="Made from the idempotency key where it is absent"
    )
    questionnaire_version: str = Field(pattern=r"^[0-9a-z.-]{1,20}$")
    answers: dict[ItemId, ItemId] = Field(min_length=1, max_length=60)


class SuitabilityQuestion(Contract):
    """`CheckSuitability` without the customer, who is the session's."""

    product_id: str = Field(pattern=r"^[a-z0-9-]{1,40}$")
    amount_minor: AmountMinor | None = None


def assessment_of(body: Answers, *, customer_id: str, assessment_id: UUID) -> CompleteAssessment:
    return CompleteAssessment(
        assessment_id=assessment_id,
        customer_id=customer_id,
        questionnaire_version=body.questionnaire_version,
        answers=body.answers,
    )


def check_of(body: SuitabilityQuestion, *, customer_id: str) -> CheckSuitability:
    return CheckSuitability(
        customer_id=customer_id, product_id=body.product_id, amount_minor=body.amount_minor
    )
