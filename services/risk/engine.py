"""What decides in one process: policies, windows, rings and a model."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from services.risk.features import Windows
from services.risk.policies.active import ActivePolicies
from services.risk.policies.reasons import FEATURES_MISSING
from services.risk.rings.domain import Rings
from services.risk.scorecards import Scorecard, Scorer
from services.risk.shadows import Shadows

log = logging.getLogger(__name__)


#: More missing inputs than a payment has by its nature: a score of it is a guess. Without a
#: history two are missing, without a reference rate for the currency three more.
MAX_MISSING: Final = 5
#: Names of inputs out of range that a decision keeps.
MAX_NAMED: Final = 5


@dataclass(slots=True)
class Engine:
    """What decides in this process. `model` is None where none could be loaded, and
    `model_flags` say what else is wrong with it; all that is of models changes with the registry
    while decisions are made.

    `windows_age_ms` says how long ago the bus was read to its end; None: not yet.
    """

    policies: ActivePolicies
    windows: Windows
    rings: Rings
    windows_age_ms: Callable[[], int | None]
    model: Scorer | None
    behind_after_ms: int
    #: What scores where the model cannot.
    scorecard: Scorecard | None = None
    #: By product, what scores an application, and what is wrong with it.
    credit_models: Mapping[str, Scorer] = field(default_factory=dict)
    credit_flags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    model_flags: tuple[str, ...] = ()
    #: What scores beside the decisions, and never in one.
    shadows: Shadows = field(default_factory=Shadows)
    #: From a request's arrival to its ruling.
    deadline_s: float = 0.05


def graded(
    engine: Engine, features: dict[str, float], degraded: list[str]
) -> tuple[float | None, Scorer | None]:
    """The score and what gave it: the model, or the scorecard where the model cannot."""
    score = scored(engine.model, features, degraded)
    if score is not None or engine.scorecard is None:
        return score, None if score is None else engine.model
    score = scored(engine.scorecard, features, degraded)
    return score, None if score is None else engine.scorecard


def scored(model: Scorer | None, features: dict[str, float], degraded: list[str]) -> float | None:
    """The score; without one, its cause goes to `degraded`, and so does what its inputs lack."""
    if model is None:
        degraded.append("model_unavailable")
        return None
    try:
        found = model.scored(features)
    except Exception as error:
        # a model that fails on one payment must not stop the rules
        log.exception("model.failed", extra={"cause": type(error).__name__})
        degraded.append("model_failed")
        return None
    if found.out_of_range:
        degraded += [f"out_of_range.{name}" for name in found.out_of_range[:MAX_NAMED]]
    if found.missing > MAX_MISSING:
        degraded.append(FEATURES_MISSING)
    return found.score


def thresholds_of(model: Scorer | None) -> dict[str, float | None]:
    """From which scores on the model's own calibration asks for more than an approval."""
    if model is None:
        return {"review_from": None, "decline_from": None}
    return {"review_from": model.thresholds.review, "decline_from": model.thresholds.decline}
