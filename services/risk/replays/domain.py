"""Whether a kept decision comes out the same again. Pure.

The policy rules on the facts and the score that were kept, and its answers have to be equal. The
model scores the features that were kept, and may differ in the last bits of a 32-bit number on
another machine, so its score is compared within `SCORE_TOLERANCE`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from services.risk.policies.active import FALLBACK
from services.risk.policies.domain import Ruling
from services.risk.repository import StoredDecision

SCORE_TOLERANCE: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Difference:
    """One answer that came out otherwise."""

    decision_id: UUID
    answer: str
    kept: object
    again: object


def facts_of(made: StoredDecision) -> dict[str, Any]:
    """What the policy saw, put together again from what was kept."""
    return {
        **(made.facts or {}),
        "product": made.product,
        "score": made.score,
        "features": made.features,
    }


def features_of(made: StoredDecision) -> dict[str, float]:
    """What the model saw: null stands for a missing number."""
    return {name: math.nan if it is None else it for name, it in made.features.items()}


def ruled_otherwise(made: StoredDecision, ruling: Ruling) -> list[Difference]:
    """Where a ruling is not the one that was kept, answer by answer."""
    again: Mapping[str, object] = {
        "outcome": ruling.outcome.word,
        "reasons": list(ruling.reason_codes),
        "trace": list(ruling.trace),
        "grade": ruling.grade,
        "limit_minor": ruling.limit_minor,
        "price_bps": ruling.price_bps,
        "step_up": ruling.step_up,
        "degraded": [*_flags(made), *ruling.degraded],
    }
    kept: Mapping[str, object] = {
        "outcome": made.outcome,
        "reasons": list(made.reason_codes),
        "trace": list(made.trace or ()),
        "grade": made.grade,
        "limit_minor": made.limit_minor,
        "price_bps": made.price_bps,
        "step_up": made.step_up,
        # which version had to stand in is no part of what it ruled
        "degraded": [flag for flag in made.degraded if flag != FALLBACK],
    }
    return [
        Difference(made.decision_id, name, kept[name], value)
        for name, value in again.items()
        if kept[name] != value
    ]


def scored_otherwise(made: StoredDecision, score: float) -> list[Difference]:
    """Where a score is not the one that was kept, within the tolerance."""
    # negated, so that a score that is not a number differs from every other
    if made.score is not None and not abs(score - made.score) <= SCORE_TOLERANCE:
        return [Difference(made.decision_id, "score", made.score, score)]
    return []


def _flags(made: StoredDecision) -> list[str]:
    """What the request lacked, as the policy was told."""
    found = (made.facts or {}).get("degraded")
    return list(found) if isinstance(found, list | tuple) else []
