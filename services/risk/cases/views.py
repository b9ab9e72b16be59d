"""What staff send and see of cases, as HTTP models."""

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, StringConstraints

from services.risk.cases.domain import Case, Entry
from services.risk.cases.repository import Label, PastDecision
from services.risk.cases.service import CaseFile
from shared.contracts.http.risk import DecisionRecord
from shared.contracts.values import AmountMinor, Code, Contract, Reply

Note = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1_000)]
OptionalNote = Annotated[str, StringConstraints(strip_whitespace=True, max_length=1_000)]
VerdictWord = Literal["approve", "decline"]
StateWord = Literal["open", "assigned", "awaiting_second", "decided", "closed"]


class AddNote(Contract):
    text: Note


class GiveVerdict(Contract):
    verdict: VerdictWord
    reason_code: Code
    note: OptionalNote = ""
    limit_minor: AmountMinor | None = Field(
        default=None,
        description="Of an approved credit, in fen of CNY; without it the policy's own limit",
    )


class SecondWord(Contract):
    """Whether the second person holds the verdict for right; if not, the case is open again."""

    agrees: bool
    note: OptionalNote = ""


class AddLabel(Contract):
    label: Literal["fraud", "honest", "unknown"]
    source: Literal["chargeback", "staff"]
    note: OptionalNote = ""


class CaseReply(Reply):
    """`value_minor` is the amount in fen of CNY by reference rates, or null without one."""

    case_id: UUID
    decision_id: UUID
    kind: Literal["review", "appeal"]
    product: str
    customer_id: str
    reason_codes: list[str]
    opened_at: datetime
    due_at: datetime
    overdue: bool
    amount_minor: int | None
    currency: str | None
    value_minor: int | None
    debtor_account: str | None
    creditor_account: str | None
    creditor_name: str | None
    channel: str | None
    remittance: str | None
    review_until: datetime | None
    state: StateWord
    assigned_to: str | None
    assigned_until: datetime | None
    verdict: VerdictWord | None
    verdict_code: str | None
    verdict_note: str | None
    verdict_by: str | None
    verdict_at: datetime | None
    second_by: str | None
    second_at: datetime | None
    outcome: Literal["approved", "declined", "expired", "refused"] | None
    outcome_code: str | None
    closed_at: datetime | None
    asked_at: datetime | None
    granted_minor: int | None
    granted_price_bps: int | None

    @classmethod
    def of(cls, case: Case, *, now: datetime) -> Self:
        """As stored, but that an assignment whose time is over is none."""
        shown = {name: getattr(case, name) for name in Case.__slots__}
        if case.state == "assigned" and case.assignee(now) is None:
            shown |= {"state": "open", "assigned_to": None, "assigned_until": None}
        shown |= {"reason_codes": list(case.reason_codes), "overdue": case.is_overdue(now)}
        return cls.model_validate(shown)


class CasePage(Reply):
    items: list[CaseReply]
    next_after: str | None = Field(
        default=None, description="Pass as `after` for the next page; it has no other meaning"
    )


class EntryReply(Reply):
    """`by` is null for what the bank itself did."""

    kind: str
    by: str | None
    at: datetime
    text: str
    code: str | None

    @classmethod
    def of(cls, entry: Entry) -> Self:
        return cls.model_validate(entry, from_attributes=True)


class LabelReply(Reply):
    decision_id: UUID
    label: Literal["fraud", "honest", "unknown"]
    source: Literal["case", "chargeback", "staff"]
    author: str
    note: str
    labelled_at: datetime

    @classmethod
    def of(cls, label: Label) -> Self:
        return cls.model_validate(label, from_attributes=True)


class LabelList(Reply):
    """Oldest first; the last one counts."""

    items: list[LabelReply]


class PastDecisionReply(Reply):
    decision_id: UUID
    product: str
    outcome: Literal["approve", "review", "decline"]
    score: float | None
    reason_codes: list[str]
    decided_at: datetime
    label: str | None

    @classmethod
    def of(cls, past: PastDecision) -> Self:
        return cls.model_validate(past, from_attributes=True)


class CaseFileReply(Reply):
    """A case with its evidence. `decision` is null where a payment went to review without one."""

    case: CaseReply
    decision: DecisionRecord | None
    entries: list[EntryReply]
    labels: list[LabelReply]
    past_decisions: list[PastDecisionReply]
    past_cases: list[CaseReply]

    @classmethod
    def of(cls, file: CaseFile, *, now: datetime) -> Self:
        return cls(
            case=CaseReply.of(file.case, now=now),
            decision=file.decision,
            entries=[EntryReply.of(entry) for entry in file.entries],
            labels=[LabelReply.of(label) for label in file.labels],
            past_decisions=[PastDecisionReply.of(past) for past in file.past_decisions],
            past_cases=[CaseReply.of(case, now=now) for case in file.past_cases],
        )
