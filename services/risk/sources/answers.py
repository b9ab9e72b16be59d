"""What a source may answer, field by field and within bounds; anything else is no answer.

A source that knows nothing of a person says null. A field that is missing, of another type or out
of its bounds makes the whole answer count as failed: who errs in one place may in the next.
"""

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, ValidationError

from services.risk.sources.domain import TERMS
from shared.contracts.http.risk_sources import Source
from shared.contracts.values import CustomerId

Count = Annotated[StrictInt, Field(ge=0, le=10_000)]
Months = Annotated[StrictInt, Field(ge=0, le=1_200)]
Minor = Annotated[StrictInt, Field(ge=0, le=10**12)]


class Answers(BaseModel):
    """A provider may add fields; they are dropped here and never kept."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class BureauAnswers(Answers):
    overdue_90d: Count | None
    monthly_repayments_minor: Minor | None
    queries_3m: Count | None


class CourtAnswers(Answers):
    dishonest: StrictBool | None
    open_enforcements: Count | None


class TaxAnswers(Answers):
    monthly_income_minor: Minor | None


class TelecomAnswers(Answers):
    months_on_network: Months | None
    name_matches: StrictBool | None


class ConsumptionAnswers(Answers):
    monthly_spending_minor: Minor | None


MODELS: Mapping[Source, type[Answers]] = {
    "bureau": BureauAnswers,
    "court": CourtAnswers,
    "tax": TaxAnswers,
    "telecom": TelecomAnswers,
    "consumption": ConsumptionAnswers,
}


class Report(BaseModel):
    """The form of every source's answer. It names what it answers, and for whom."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    source: str = Field(max_length=40)
    request_id: str = Field(max_length=64)
    customer_id: CustomerId
    answers: dict[str, object] = Field(max_length=200)


def known_answers(source: Source, found: Mapping[str, object]) -> dict[str, object] | None:
    """The answers that the table names, checked; None where they are not of their form."""
    try:
        checked = MODELS[source].model_validate(found)
    except ValidationError:
        return None
    return {name: getattr(checked, name) for name in TERMS[source].answers}
