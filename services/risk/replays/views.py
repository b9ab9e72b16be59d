"""What an operator sees of a replay, as HTTP models."""

from uuid import UUID

from pydantic import Field

from shared.contracts.values import Reply


class DifferenceReply(Reply):
    """One answer that came out otherwise: as it was kept, and as it is now."""

    decision_id: UUID
    answer: str
    kept: str
    again: str


class MissingModel(Reply):
    model: str | None
    sha256: str
    decisions: int


class ReplayPage(Reply):
    """What a page of kept decisions came to. `equal` came out the same in every answer."""

    seen: int
    equal: int
    unreadable: int = Field(description="Kept before facts were, so that nothing can be ruled")
    scored: int = Field(description="Scored again by the model that is named in them")
    missing_models: list[MissingModel] = Field(
        description="Models that are not there any more: these scores were not checked"
    )
    differences: list[DifferenceReply]
    spent_us: int = Field(description="The time that ruling and scoring took, without the reading")
    next_before: str | None = Field(
        default=None, description="Pass as `before` for the next page; it has no other meaning"
    )
