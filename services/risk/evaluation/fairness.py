"""Whether groups of people are approved alike, and those who are good alike."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.risk.evaluation.discrimination import auc
from services.risk.evaluation.intervals import Interval, NotMeasurable, Z, share_of
from services.risk.watch.drift import moved

#: A ratio below this counts as adverse impact: US Uniform Guidelines, 29 CFR 1607.4 (D), 1978.
FOUR_FIFTHS: Final = 0.8
#: A smaller group is counted and not compared: its figures say nothing.
LEAST: Final = 30


@dataclass(frozen=True, slots=True)
class Group:
    """`approval_ratio` is the group's approval over the reference's, and `opportunity_gap` how much
    less of its good rows is approved; None for the reference and for small groups. `expected_rate`
    is what the model promised, beside the `bad_rate` that came.
    """

    name: str
    rows: int
    is_reference: bool
    bad_rate: Interval
    expected_rate: float
    approval: Interval
    approval_ratio: Interval | None
    good_approved: Interval | None
    opportunity_gap: Interval | None
    auc: Interval | None


def fairness(
    truth: NDArray[np.bool_],
    scores: NDArray[np.float64],
    approved: NDArray[np.bool_],
    groups: NDArray[np.str_],
) -> list[Group]:
    """One entry for each name in `groups` by size; the largest is the reference.

    Equal opportunity: M. Hardt, E. Price and N. Srebro, NeurIPS 2016. The interval of a ratio: D.
    Katz and others, Biometrics 34 (1978); of a difference: Newcombe's tenth method.
    """
    names, counts = np.unique(groups, return_counts=True)
    if not len(names):
        raise NotMeasurable("there are no rows")
    ordered = [str(names[i]) for i in np.argsort(-counts, kind="stable")]
    reference = groups == ordered[0]
    return [
        _group(truth, scores, approved, groups == name, reference, name=name) for name in ordered
    ]


def _group(
    truth: NDArray[np.bool_],
    scores: NDArray[np.float64],
    approved: NDArray[np.bool_],
    rows: NDArray[np.bool_],
    reference: NDArray[np.bool_],
    *,
    name: str,
) -> Group:
    count, is_reference = int(rows.sum()), bool((rows == reference).all())
    told = count >= LEAST and not is_reference
    kept = (int((approved & rows).sum()), count)
    usual = (int((approved & reference).sum()), int(reference.sum()))
    good = (int((approved & rows & ~truth).sum()), int((rows & ~truth).sum()))
    usual_good = (int((approved & reference & ~truth).sum()), int((reference & ~truth).sum()))
    gap = None
    if told and good[1] and usual_good[1]:
        by, low, high = moved(usual_good, good)
        gap = Interval(-by, -high, -low)
    return Group(
        name=name,
        rows=count,
        is_reference=is_reference,
        bad_rate=share_of(int((truth & rows).sum()), count),
        expected_rate=float(scores[rows].mean()),
        approval=share_of(*kept),
        approval_ratio=_ratio(kept, usual) if told else None,
        good_approved=share_of(*good) if good[1] else None,
        opportunity_gap=gap,
        auc=_auc(truth[rows], scores[rows]) if count >= LEAST else None,
    )


def _ratio(kept: tuple[int, int], usual: tuple[int, int]) -> Interval | None:
    if not kept[0] or not usual[0]:
        return Interval(0.0, 0.0, 0.0) if usual[0] else None
    value = (kept[0] / kept[1]) / (usual[0] / usual[1])
    half = Z * math.sqrt(1 / kept[0] - 1 / kept[1] + 1 / usual[0] - 1 / usual[1])
    return Interval(value, value * math.exp(-half), value * math.exp(half))


def _auc(truth: NDArray[np.bool_], scores: NDArray[np.float64]) -> Interval | None:
    try:
        return auc(truth, scores)
    except NotMeasurable:
        return None
