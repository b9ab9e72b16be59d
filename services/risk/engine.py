"""What decides in one process: policies, windows, rings and a model."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from services.risk.features import Windows
from services.risk.policies.active import ActivePolicies
from services.risk.rings.domain import Rings
from services.risk.scoring import FraudModel

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Engine:
    """What decides in this process. `model` is None where none could be loaded.

    `windows_age_ms` says how long ago the bus was read to its end; None: not yet.
    """

    policies: ActivePolicies
    windows: Windows
    rings: Rings
    windows_age_ms: Callable[[], int | None]
    model: FraudModel | None
    behind_after_ms: int


def scored(
    model: FraudModel | None, features: dict[str, float], degraded: list[str]
) -> float | None:
    """The score; without one, its cause goes to `degraded`."""
    if model is None:
        degraded.append("model_unavailable")
        return None
    try:
        return model.score(features)
    except Exception as error:
        # a model that fails on one payment must not stop the rules
        log.exception("model.failed", extra={"cause": type(error).__name__})
        degraded.append("model_failed")
        return None


def thresholds_of(model: FraudModel | None) -> dict[str, float | None]:
    """From which scores on the model's own calibration asks for more than an approval."""
    if model is None:
        return {"review_from": None, "decline_from": None}
    thresholds = model.manifest.thresholds
    return {"review_from": thresholds.review, "decline_from": thresholds.decline}
