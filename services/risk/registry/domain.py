"""A model in the registry: its states, when it may score, and the gates before it decides. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal, get_args

Kind = Literal["onnx", "scorecard"]
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

#: A model is looked at again after so long: what it was fitted on has aged by then.
MAX_VALIDITY: Final = timedelta(days=2 * 366)
#: Challengers of one product that score at once: each costs a part of every decision.
MAX_CHALLENGERS: Final = 3
#: An evaluation older than this says too little of today's decisions.
EVALUATION_AGE: Final = timedelta(days=7)

GateName = Literal["validity", "parity", "features", "data", "psi", "ks", "auc", "back_test"]
GATES: Final[tuple[GateName, ...]] = get_args(GateName)
#: Gates that are about the file and its papers: nobody may do without one of them.
NEVER_WAIVED: Final[frozenset[GateName]] = frozenset({"validity", "parity", "features", "data"})
GateState = Literal["passed", "failed", "unmeasured"]

#: Scores of one model on one machine, singly and in a batch, differ by no more.
PARITY_BOUND: Final = 1e-6
#: The model as it serves against the one that was fitted, over at least so many rows.
TRAINED_PARITY_BOUND: Final = 1e-5
TRAINED_PARITY_ROWS: Final = 10_000
#: From here on two distributions of scores are far apart: N. Siddiqi, Credit Risk Scorecards.
PSI_BOUND: Final = 0.25
#: Decisions from which on a distribution says anything, and labels of each kind for a measure.
LEAST_DECISIONS: Final = 500
LEAST_OF_CLASS: Final = 30
#: By so much a new champion may be worse and still count as good.
AUC_MARGIN: Final = 0.01
KS_MARGIN: Final = 0.05
#: By so much a product's first champion has to be better than chance.
BEYOND_CHANCE: Final = 0.05
#: More changed outcomes than this share are a change of policy, not of a model.
MOST_CHANGED: Final = 0.20


@dataclass(frozen=True, slots=True)
class Gate:
    """One gate: `value` against `bound`, with its interval where it has one, over `seen`."""

    name: GateName
    state: GateState
    value: float | None = None
    bound: float | None = None
    low: float | None = None
    high: float | None = None
    seen: int = 0
    #: What is wrong or could not be measured, by its code.
    cause: str | None = None

    def kept(self) -> dict[str, object]:
        return {name: getattr(self, name) for name in Gate.__slots__}


@dataclass(frozen=True, slots=True)
class Measures:
    """What an evaluation found; what could not be measured is None.

    `auc_by` and `ks_by` are the candidate less the champion over the same labelled decisions, as
    value, low and high; where there is no champion, less what chance gives.
    """

    has_champion: bool = True

    decisions: int = 0
    bad: int = 0
    good: int = 0
    psi: float | None = None
    #: `of_training` where its own reference says how scores should lie, else `of_champion`.
    psi_of: str | None = None
    auc_by: tuple[float, float, float] | None = None
    ks_by: tuple[float, float, float] | None = None
    failed: int = 0
    changed: int = 0


@dataclass(frozen=True, slots=True)
class Papers:
    """What is known of a model without any decision: see `checks` of the registry."""

    worst: float
    outside: int
    trained_worst: float | None
    trained_rows: float | None
    unknown: Sequence[str]
    has_data: bool
    has_owner: bool


def papers_of(checks: Mapping[str, object]) -> Papers:
    """The papers as they were kept."""
    found = {name: checks.get(name) for name in Papers.__slots__}
    return Papers(**found)  # type: ignore[arg-type]


def is_valid(valid_from: datetime, valid_until: datetime | None, *, now: datetime) -> bool:
    """From the first moment on, and up to the last one without it."""
    return valid_from <= now and (valid_until is None or now < valid_until)


def gates_of(papers: Papers, measures: Measures, *, is_in_time: bool) -> list[Gate]:
    """All gates, in their order. What fails blocks; what was not measured may be waived."""
    return [
        Gate("validity", "passed")
        if is_in_time
        else Gate("validity", "failed", cause="not_valid_now"),
        _parity(papers),
        _of_features(papers),
        Gate("data", "passed")
        if papers.has_data and papers.has_owner
        else Gate("data", "failed", cause="no_data" if papers.has_owner else "no_owner"),
        _psi(measures),
        _not_worse("ks", measures.ks_by, KS_MARGIN, measures),
        _not_worse("auc", measures.auc_by, AUC_MARGIN, measures),
        _back_test(measures),
    ]


def _parity(papers: Papers) -> Gate:
    if not papers.worst <= PARITY_BOUND or papers.outside:
        cause = "scores_outside" if papers.outside else "batch_differs"
        return Gate("parity", "failed", papers.worst, PARITY_BOUND, cause=cause)
    if papers.trained_worst is not None:
        rows, worst = int(papers.trained_rows or 0), papers.trained_worst
        good = worst <= TRAINED_PARITY_BOUND and rows >= TRAINED_PARITY_ROWS
        if not good:
            bound = TRAINED_PARITY_BOUND
            return Gate("parity", "failed", worst, bound, seen=rows, cause="training_differs")
        return Gate("parity", "passed", worst, TRAINED_PARITY_BOUND, seen=rows)
    return Gate("parity", "passed", papers.worst, PARITY_BOUND)


def _of_features(papers: Papers) -> Gate:
    if papers.unknown:
        return Gate("features", "failed", value=len(papers.unknown), bound=0, cause="unknown")
    return Gate("features", "passed", value=0, bound=0)


def _psi(measures: Measures) -> Gate:
    seen = measures.decisions
    if measures.psi is None or seen < LEAST_DECISIONS:
        return Gate("psi", "unmeasured", bound=PSI_BOUND, seen=seen, cause="few_decisions")
    state: GateState = "passed" if measures.psi < PSI_BOUND else "failed"
    return Gate("psi", state, measures.psi, PSI_BOUND, seen=seen, cause=measures.psi_of)


def _not_worse(
    name: GateName, by: tuple[float, float, float] | None, margin: float, measures: Measures
) -> Gate:
    """Passed where it is certainly not worse by the margin, failed where it certainly is.

    In between there are too few labels to say, which is not the same as good.
    """
    seen = measures.bad + measures.good
    bound = -margin if measures.has_champion else BEYOND_CHANCE
    if by is None or min(measures.bad, measures.good) < LEAST_OF_CLASS:
        return Gate(name, "unmeasured", bound=bound, seen=seen, cause="few_labels")
    value, low, high = by
    if low >= bound:
        return Gate(name, "passed", value, bound, low, high, seen)
    if high < bound:
        return Gate(name, "failed", value, bound, low, high, seen, "worse")
    return Gate(name, "unmeasured", value, bound, low, high, seen, "interval_wide")


def _back_test(measures: Measures) -> Gate:
    seen = measures.decisions
    if measures.failed:
        return Gate("back_test", "failed", measures.failed, 0, seen=seen, cause="rules_failed")
    if seen < LEAST_DECISIONS:
        return Gate("back_test", "unmeasured", seen=seen, cause="few_decisions")
    share = measures.changed / seen
    state: GateState = "passed" if share <= MOST_CHANGED else "failed"
    cause = None if state == "passed" else "changes_many"
    return Gate("back_test", state, share, MOST_CHANGED, seen=seen, cause=cause)


@dataclass(frozen=True, slots=True)
class Refused:
    """Gates that stand in the way: those that failed, and those that nobody did without."""

    failed: Sequence[GateName] = field(default=())
    unmeasured: Sequence[GateName] = field(default=())

    def __bool__(self) -> bool:
        return bool(self.failed or self.unmeasured)


def refused_by(gates: Sequence[Mapping[str, object]], *, waived: Sequence[str]) -> Refused:
    """What a promotion fails at, out of the gates as they were kept.

    A gate that was measured and failed is never waived, nor is one of the file itself.
    """
    states = {str(gate["name"]): gate["state"] for gate in gates}
    failed = [name for name in GATES if states.get(name) == "failed"]
    missing = [
        name
        for name in GATES
        if states.get(name, "unmeasured") == "unmeasured"
        and (name in NEVER_WAIVED or name not in waived)
    ]
    return Refused(failed, missing)
