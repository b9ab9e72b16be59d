"""Kept decisions scored and ruled again by a candidate, and by the champion beside it. Pure."""

import math
from array import array
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from services.risk.engine import MAX_MISSING, thresholds_of
from services.risk.policies.back_tests.domain import Kept, Said, Tally, said_by
from services.risk.policies.programs import Program
from services.risk.policies.reasons import FEATURES_MISSING
from services.risk.scorecards import Scorer
from services.risk.scoring import FraudModel

#: What a label says, as a number; what is unknown is no label.
BAD: Final[Mapping[str, bool]] = {"fraud": True, "honest": False}
#: Flags that came of scoring: another model has flags of its own.
_OF_SCORING: Final = frozenset(
    {
        "model_unavailable",
        "model_failed",
        "model_reload_refused",
        "model_expired",
        FEATURES_MISSING,
    }
)
_OUT_OF_RANGE: Final = "out_of_range."
_UNLABELLED: Final = -1


class Scored(NamedTuple):
    """A decision with the candidate's score and the champion's, None where it has none."""

    kept: Kept
    score: float
    before: float | None
    #: Whether the candidate lacks more of its inputs than a score may.
    lacks: bool


class Comparison:
    """What both models make of the same decisions, gathered a part at a time."""

    def __init__(self, *, candidate: Scorer, champion: Scorer | None, policy: Program) -> None:
        self.tally = Tally()
        self._candidate, self._champion = candidate, champion
        self._policy = policy
        self._champion_sha256 = None if champion is None else bytes.fromhex(champion.sha256)
        self._thresholds = thresholds_of(candidate)
        self._scores, self._theirs = array("d"), array("d")
        self._labels = array("b")

    def score(self, kept: Sequence[Kept]) -> list[Scored]:
        """What both models give for a part of the decisions, those that can be read."""
        readable = [one for one in kept if one.facts is not None]
        self.tally.unreadable += len(kept) - len(readable)
        if not readable:
            return []
        scores, missing = scored(self._candidate, readable)
        theirs = self._of_champion(readable)
        lacks = [count > MAX_MISSING for count in missing]
        return list(map(Scored, readable, scores, theirs, lacks))

    def rule(self, part: Sequence[Scored], labels: Mapping[UUID, str]) -> None:
        """Rule what was scored, by the score of each, and count what comes of it."""
        for one, score, before, lacks in part:
            was = self._said_before(one, before)
            ruling = self._policy.ruling(self._facts(one, score, lacks=lacks))
            self.tally.add(one, before=was, after=said_by(ruling))
            self._scores.append(score)
            self._theirs.append(math.nan if before is None else before)
            bad = BAD.get(labels.get(one.decision_id, ""))
            self._labels.append(_UNLABELLED if bad is None else int(bad))

    def _of_champion(self, kept: Sequence[Kept]) -> list[float | None]:
        """The champion's scores: those that it gave at the time, or gives now."""
        champion = self._champion
        if champion is None:
            return [None] * len(kept)
        anew = [one for one in kept if one.model_sha256 != self._champion_sha256]
        given = dict(zip(map(id, anew), scored(champion, anew)[0], strict=True)) if anew else {}
        return [given.get(id(one), (one.facts or {}).get("score")) for one in kept]

    def _said_before(self, one: Kept, score: float | None) -> Said:
        """What the policy in force says with the champion's score."""
        same_model = one.model_sha256 == self._champion_sha256
        if same_model and one.policy_sha256 == self._policy.sha256:
            return one.said()
        facts = dict(one.facts or {})
        if not same_model and self._champion is not None:
            facts |= {"score": score, "model": thresholds_of(self._champion)}
            facts["degraded"] = _others(facts.get("degraded"))
        return said_by(self._policy.ruling(facts))

    def _facts(self, one: Kept, score: float, *, lacks: bool) -> dict[str, Any]:
        facts = dict(one.facts or {})
        facts["score"], facts["model"] = score, self._thresholds
        degraded = facts.get("degraded")
        if degraded or lacks:
            facts["degraded"] = _others(degraded) + ([FEATURES_MISSING] if lacks else [])
        return facts

    def arrays(
        self,
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int8]]:
        """The candidate's scores, the champion's (NaN where it has none), and the labels:
        1 bad, 0 good, -1 none; the newest first.
        """
        return (
            np.frombuffer(self._scores, dtype=np.float64),
            np.frombuffer(self._theirs, dtype=np.float64),
            np.frombuffer(self._labels, dtype=np.int8),
        )


def _others(degraded: object) -> list[str]:
    """The flags that no model's scoring gave."""
    found = degraded if isinstance(degraded, list) else []
    return [
        flag for flag in found if flag not in _OF_SCORING and not flag.startswith(_OUT_OF_RANGE)
    ]


def scored(model: Scorer, kept: Sequence[Kept]) -> tuple[list[float], list[int]]:
    """The model's scores of the kept features, and how many inputs each lacked."""
    features = [(one.facts or {}).get("features") or {} for one in kept]
    if isinstance(model, FraudModel):
        scores, missing = model.scored_all(features)
        return scores.tolist(), missing.tolist()
    found = [
        model.scored({name: math.nan if it is None else it for name, it in one.items()})
        for one in features
    ]
    return [one.score for one in found], [one.missing for one in found]
