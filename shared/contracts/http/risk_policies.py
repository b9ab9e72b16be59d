"""HTTP models of risk's policies: versions, their tests, activation, back-tests."""

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, StrictFloat, StrictInt, StringConstraints

from shared.contracts.http.risk import Outcome
from shared.contracts.values import Code, Contract, Name, Reply

Product = Literal["payment", "account_opening", "loan", "card"]
State = Literal["draft", "proposed", "rejected", "approved", "active", "retired"]
Version = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}\.[0-9]{1,6}$")]

Threshold = StrictInt | StrictFloat | Annotated[str, StringConstraints(pattern=r"^[a-z0-9_.]+$")]
"""A number, or the name of the fact that it is taken from, for example `model.review_from`."""

#: The most that a graph, and its tests, may hold as JSON.
MAX_CONTENT_BYTES = 256 * 1024


class WritePolicy(Contract):
    """What a draft is: a whole graph in JDM, or the one in force with other thresholds.

    Tests that are not given are those of the version it starts from.
    """

    note: Name
    graph: dict[str, Any] | None = None
    thresholds: dict[Code, Threshold] = Field(default={}, max_length=100)
    tests: dict[str, Any] | None = None


class Why(Contract):
    """Why something is done, for the history and the audit log."""

    reason: Name


class VersionSummary(Reply):
    product: Product
    version: Version
    state: State
    note: str
    based_on: str | None
    author: str
    drafted_at: datetime
    proposed_at: datetime | None
    approved_by: str | None
    approved_at: datetime | None


class VersionSummaries(Reply):
    items: list[VersionSummary]


class PolicyVersion(VersionSummary):
    """A version with its content. `needs` names the outside sources that it reads."""

    graph: dict[str, Any]
    tests: dict[str, Any]
    thresholds: dict[str, str]
    needs: list[str]


class ActivePolicy(Reply):
    """What is in force, and what this process decides by: another one only as a fallback."""

    product: Product
    version: Version
    deciding: str
    is_fallback: bool
    activated_by: str
    activated_at: datetime


class ActivePolicies(Reply):
    items: list[ActivePolicy]


class Difference(Reply):
    """An answer of a case that is not as expected."""

    answer: str
    expected: Any
    found: Any


class CaseReport(Reply):
    name: str
    passed: bool
    differences: list[Difference]
    trace: list[str]


class TestReport(Reply):
    """`unproven` are the rows that fire in no case: each needs one before a proposal."""

    passed: bool
    cases: list[CaseReport]
    unproven: list[str]


class Activation(Reply):
    activation_id: int
    product: Product
    version: Version
    action: Literal["seed", "activate", "roll_back"]
    previous: str | None
    activated_by: str
    reason: str
    activated_at: datetime


class Activations(Reply):
    items: list[Activation]


class AskRuling(Contract):
    """Facts to try a version on; nothing is kept, and no customer is meant."""

    facts: dict[str, Any]


class Ruling(Reply):
    """What a version rules: `trace` names the rows that fired, `degraded` those that failed."""

    outcome: Outcome
    reason_codes: list[str]
    policy: str
    trace: list[str]
    degraded: list[str]
    grade: str | None
    limit_minor: int | None
    price_bps: int | None
    step_up: str | None


class AskBackTest(Contract):
    """Replay the kept decisions of a span; the newest `most` of them."""

    since: datetime
    until: datetime
    most: Annotated[StrictInt, Field(ge=1, le=1_000_000)] = 100_000


class SwapExample(Reply):
    decision_id: UUID
    before: Outcome
    after: Outcome
    value_minor: int | None
    reasons_before: list[str]
    reasons_after: list[str]


class SwapCount(Reply):
    """How many decisions go from one outcome to another, and the money in them, in fen."""

    before: Outcome
    after: Outcome
    decisions: int
    value_minor: int


class SwapDay(Reply):
    """A day of the bank: decisions, those that change, and the money in these, in fen."""

    day: date
    decisions: int
    changed: int
    changed_minor: int


class SwapBand(Reply):
    """Decisions on amounts from `from_minor` fen on, up to the next band."""

    from_minor: int
    decisions: int
    changed: int


class SwapSet(Reply):
    """What would change. `failed` counts rulings in which a rule of the version failed.

    `unreadable` are decisions that kept too few facts to be ruled again; `differs` those which
    the version in force now rules otherwise than was decided at the time.
    """

    decisions: int
    unreadable: int
    failed: int
    differs: int
    counts: list[SwapCount]
    examples: list[SwapExample]
    #: Null in a swap-set from before there were these.
    changed: int | None = None
    days: list[SwapDay] | None = None
    bands: list[SwapBand] | None = None


class BackTest(Reply):
    back_test_id: UUID
    product: Product
    version: Version
    against: str
    since: datetime
    until: datetime
    most: int
    state: Literal["running", "done", "failed", "lost"]
    seen: int
    spent_us: int = 0
    swap_set: SwapSet | None
    asked_by: str
    asked_at: datetime
