"""HTTP models of risk."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from shared.contracts.values import (
    AccountId,
    AmountMinor,
    CardNumber,
    Code,
    Contract,
    Currency,
    CustomerId,
    DeviceId,
    IpAddress,
    Localized,
    MerchantId,
    Name,
    PartnerId,
    Phone,
    Reply,
)

Outcome = Literal["approve", "review", "decline"]


class DecidePayment(Contract):
    """Asks for a decision on one payment; `decision_id` is the payment's id."""

    decision_id: UUID
    customer_id: CustomerId
    partner_id: PartnerId | None = None
    debtor_account: AccountId
    creditor_account: AccountId
    amount_minor: AmountMinor
    currency: Currency
    channel: Code
    at: datetime
    device_id: DeviceId | None = None
    ip_address: IpAddress | None = None
    merchant_id: MerchantId | None = None


class Reason(Reply):
    code: str
    text: Localized


class Decision(Reply):
    """`score` is the model's probability of fraud in [0, 1]; null where no model could score."""

    decision_id: UUID
    outcome: Outcome
    score: float | None
    reasons: list[Reason]
    policy: str
    model: str | None
    degraded: list[str] = Field(description="What was missing, for example `model_unavailable`")
    decided_at: datetime
    limit_minor: int | None = Field(default=None, description="Of a credit, in fen of CNY")
    price_bps: int | None = Field(default=None, description="A yearly rate, by the risk grade")
    step_up: str | None = Field(default=None, description="A further proof that is asked for")


class SourceUsed(Reply):
    """What became of one outside source that a decision asked for.

    `age_ms` is the age of its answer, `cost_minor` the price of the call in fen of CNY.
    """

    source: str
    state: str = Field(
        description="`live`, `cached`, `stale`, `failed`, `refused_consent` or `skipped`"
    )
    age_ms: int | None
    cost_minor: int
    cause: str | None
    elapsed_ms: int


class DecisionRecord(Decision):
    """A decision as it is kept: with the features that it saw and the time that it took."""

    customer_id: CustomerId
    features: dict[str, float | None]
    elapsed_us: int
    windows_age_ms: int | None = Field(
        default=None, description="Since the windows had read the bus to its end; null: not yet"
    )
    facts: dict[str, Any] | None = Field(
        default=None, description="What the policy saw beside features and score"
    )
    trace: list[str] | None = Field(
        default=None, description="The rows of the policy that fired, rules first"
    )
    grade: str | None = None
    product: str = "payment"
    model_sha256: str | None = None
    policy_sha256: str | None = Field(
        default=None, description="Of the policy's graph; null before it was kept"
    )
    sources: list[SourceUsed] | None = Field(
        default=None, description="The outside sources that were asked; null where none could be"
    )


class ModelCard(Reply):
    name: str
    version: str
    sha256: str
    features: list[str]
    trained_on: str
    metrics: dict[str, float]


class ListAccount(Contract):
    """Puts an account on the black list, with a reason."""

    account_id: AccountId
    reason: Name


class ListedAccount(Reply):
    account_id: AccountId
    reason: str
    listed_by: str
    listed_at: datetime


class ListedAccounts(Reply):
    items: list[ListedAccount]


class TellIdentifiers(Contract):
    """By what a customer is known; a phone number or a card is kept as a token."""

    device_id: DeviceId | None = None
    phone: Phone | None = None
    card: CardNumber | None = None

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        if self.device_id is None and self.phone is None and self.card is None:
            raise ValueError("device_id: at least one identifier")
        return self


class IdentifiersTold(Reply):
    """The kinds that are kept now; the values are not repeated."""

    kinds: list[Literal["device", "phone", "card"]]


class AskForPerson(Contract):
    """A customer's wish that a person looks at a decision; the words go to whoever does."""

    message: Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)] = ""


class Explanation(Reply):
    """What a customer is told of a decision: what became of it, why, and what can be done."""

    decision_id: UUID
    situation: Literal[
        "waiting",
        "machine_declined",
        "person_declined",
        "not_made",
        "approved",
        "appeal_waiting",
        "appeal_approved",
        "appeal_declined",
    ]
    text: Localized
    reasons: list[Reason]
    advice: list[Localized] = Field(
        default=[], description="What the applicant can do after a decline"
    )
    can_ask_for_person: bool
    asked_for_person_at: datetime | None
