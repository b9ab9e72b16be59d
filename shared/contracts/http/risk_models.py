"""HTTP models of risk's registry of models: what is registered, its gates, who scores."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Base64Bytes, Field, StrictInt, StringConstraints

from shared.contracts.http.risk_policies import Product, SwapSet, Version
from shared.contracts.values import Contract, Name, Reply

State = Literal["candidate", "challenger", "champion", "retired"]
Action = Literal[
    "seed",
    "register",
    "challenge",
    "withdraw",
    "propose",
    "reject",
    "promote",
    "roll_back",
    "retire",
]
GateName = Literal["validity", "parity", "features", "data", "psi", "ks", "auc", "back_test"]
Label = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,79}$")]
"""A model's name and version, as decisions name it: `fraud-2026.1`."""

#: The most that a model file may have; in a request it is a third longer.
MAX_ONNX_BYTES = 3 * 2**20


class RegisterModel(Contract):
    """A model with its manifest, as training writes it; a scorecard is all in its manifest.

    `reference` says how inputs and scores were distributed in training, for the watch.
    """

    product: Product
    manifest: dict[str, Any]
    onnx: Base64Bytes | None = None
    reference: dict[str, Any] | None = None
    owner: Name
    note: Name
    valid_from: datetime | None = Field(default=None, description="Default: at once")
    valid_until: datetime


class Promote(Contract):
    """Put a proposed model in the champion's place.

    `waive` names gates that could not be measured, which this reason does without.
    """

    reason: Name
    waive: list[GateName] = Field(default=[], max_length=8)


class Model(Reply):
    """A registered model; `is_valid` at the time of the answer."""

    label: Label
    product: Product
    kind: Literal["onnx", "scorecard"]
    sha256: str
    state: State
    owner: str
    note: str
    valid_from: datetime
    valid_until: datetime | None
    is_valid: bool
    registered_by: str
    registered_at: datetime
    proposed_by: str | None
    proposed_at: datetime | None
    promoted_by: str | None
    promoted_at: datetime | None


class Models(Reply):
    items: list[Model]


class TrainedOn(Reply):
    source: str
    rows: int
    bad: int
    sha256: str


class ModelDetail(Model):
    """With what its manifest says, and what running it before it was taken in has shown."""

    inputs: list[str]
    trained_on: str
    data: TrainedOn | None
    metrics: dict[str, float]
    checks: dict[str, Any]


class Gate(Reply):
    """A gate of an evaluation: `value` against `bound`, with its interval, over `seen`.

    `cause` says what is wrong, or why nothing could be measured.
    """

    name: GateName
    state: Literal["passed", "failed", "unmeasured"]
    value: float | None
    bound: float | None
    low: float | None
    high: float | None
    seen: int
    cause: str | None


class AskEvaluation(Contract):
    """Over which kept decisions; the newest `most` of them. Default: the last 30 days."""

    since: datetime | None = None
    until: datetime | None = None
    most: Annotated[StrictInt, Field(ge=1, le=1_000_000)] = 100_000


class Evaluation(Reply):
    """A back-test of a model: kept decisions scored by it and ruled by the policy in force.

    `figures` are its measures beside the champion's, and what the page draws.
    """

    evaluation_id: UUID
    product: Product
    label: Label
    against: str | None
    policy: Version
    since: datetime
    until: datetime
    most: int
    state: Literal["running", "done", "failed", "lost"]
    seen: int
    spent_us: int
    gates: list[Gate] | None
    figures: dict[str, Any] | None
    swap_set: SwapSet | None
    asked_by: str
    asked_at: datetime


class Evaluations(Reply):
    items: list[Evaluation]


class ModelChange(Reply):
    """A step of a model. `previous` is the champion before, `waived` the gates done without."""

    change_id: int
    product: Product
    label: Label
    action: Action
    previous: str | None
    waived: list[str]
    changed_by: str
    reason: str
    changed_at: datetime


class ModelChanges(Reply):
    items: list[ModelChange]


class ScoringNow(Reply):
    """What scores for a product in the process that answers. `flags` stand in its decisions."""

    product: Product
    champion: str | None
    scoring: str | None
    flags: list[str]
    challengers: list[str]


class ScoringModels(Reply):
    """`refused` are models of the registry that may not score, with the cause."""

    items: list[ScoringNow]
    refused: dict[str, str]
