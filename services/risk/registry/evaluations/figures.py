"""Measures of a candidate beside the champion, out of the scores of an evaluation. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from services.risk.engine import thresholds_of
from services.risk.evaluation import Interval, NotMeasurable, auc, auc_difference, measured
from services.risk.evaluation.discrimination import ks, steps
from services.risk.evaluation.intervals import resampled
from services.risk.policies.back_tests.domain import Tally
from services.risk.registry.domain import LEAST_OF_CLASS, Measures
from services.risk.scorecards import Scorer
from services.risk.watch import drift
from services.risk.watch.references import Reference

Scores = NDArray[np.float64]

#: Labelled decisions that the bootstrap draws from, the newest, and how often it draws.
MOST_LABELLED: Final = 20_000
ROUNDS: Final = 200
#: Of the histogram of scores, whose bins grow: most payments score near nothing.
EDGES: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
#: Points of a ROC curve that a page draws.
POINTS: Final = 60


def figures_of(
    scores: Scores,
    theirs: Scores,
    labels: NDArray[np.int8],
    *,
    candidate: Scorer,
    champion: Scorer | None,
    reference: Reference | None,
    tally: Tally,
) -> tuple[Measures, dict[str, Any]]:
    """What the gates look at, and what the page shows. Arrays as of `Comparison.arrays`."""
    psi, psi_of = _psi(scores, theirs, candidate, champion, reference)
    both = (labels >= 0) & np.isfinite(scores)
    if champion is not None:
        both &= np.isfinite(theirs)
    rows = np.flatnonzero(both)[:MOST_LABELLED]
    truth = labels[rows] == 1
    bad = int(truth.sum())
    found: dict[str, Any] = {
        "histogram": {
            "edges": list(EDGES),
            "candidate": _counts(scores),
            "champion": None if champion is None else _counts(theirs),
        },
        "labels": {"bad": bad, "good": len(truth) - bad},
        "candidate": _measures(truth, scores[rows]),
        "champion": None if champion is None else _measures(truth, theirs[rows]),
    }
    by = _by(truth, scores[rows], None if champion is None else theirs[rows])
    found["differences"] = {name: list(one) for name, one in by.items()}
    measures = Measures(
        has_champion=champion is not None,
        decisions=tally.decisions,
        bad=bad,
        good=len(truth) - bad,
        psi=psi,
        psi_of=psi_of,
        auc_by=by.get("auc"),
        ks_by=by.get("ks"),
        failed=tally.failed,
        changed=tally.changed,
    )
    return measures, found


def _psi(
    scores: Scores,
    theirs: Scores,
    candidate: Scorer,
    champion: Scorer | None,
    reference: Reference | None,
) -> tuple[float | None, str | None]:
    """Against the scores that training left behind; else against the champion's.

    Two sound models of one scale part near nothing, where nothing is decided. So beside the
    champion only the bands count that the thresholds of each make of its own scores.
    """
    if not len(scores):
        return None, None
    if reference is not None:
        places = np.searchsorted(reference.score.edges, scores, side="right")
        counts = np.bincount(places, minlength=len(reference.score.edges) + 1)
        return drift.psi(reference.score.counts, [0, *map(int, counts)]), "of_training"
    if champion is None:
        return None, None
    return drift.psi(_bands(champion, theirs), _bands(candidate, scores)), "of_champion"


def _bands(model: Scorer, scores: Scores) -> list[int]:
    """How many scores are missing, lie well below its threshold for review, below, above."""
    found = thresholds_of(model)
    review, decline = found["review_from"] or 0.0, found["decline_from"] or 1.0
    known = scores[np.isfinite(scores)]
    places = np.searchsorted([review / 4, review, max(review, decline)], known, side="right")
    counts = np.bincount(places, minlength=4)
    return [len(scores) - len(known), *map(int, counts)]


def _counts(scores: Scores) -> list[int]:
    known = scores[np.isfinite(scores)]
    places = np.searchsorted(EDGES, known, side="right")
    return [int(count) for count in np.bincount(places, minlength=len(EDGES) + 1)]


def _measures(truth: NDArray[np.bool_], scores: Scores) -> dict[str, Any] | None:
    """AUC, KS, average precision and Brier score with their intervals; None without classes."""
    try:
        found = measured(truth, scores, rounds=ROUNDS)
        curve = steps(truth, scores)
    except NotMeasurable:
        return None
    named: Mapping[str, Interval] = {
        "auc": found.auc,
        "ks": found.ks,
        "average_precision": found.average_precision,
        "brier": found.brier,
    }
    places = np.unique(np.linspace(0, len(curve.bad) - 1, POINTS).astype(int))
    false = curve.good[places] / curve.good[-1]
    true = curve.bad[places] / curve.bad[-1]
    return {name: [one.value, one.low, one.high] for name, one in named.items()} | {
        "roc": [[0.0, 0.0], *zip(_short(false), _short(true), strict=True)]
    }


def _short(values: NDArray[np.float64]) -> list[float]:
    return [round(float(value), 4) for value in values]


def _by(
    truth: NDArray[np.bool_], scores: Scores, theirs: Scores | None
) -> dict[str, tuple[float, float, float]]:
    """AUC and KS of the candidate less those of the champion, paired; less chance without one."""
    bad = int(truth.sum())
    if min(bad, len(truth) - bad) < LEAST_OF_CLASS:
        return {}
    if theirs is None:
        area = auc(truth, scores)
        over = (area.value - 0.5, area.low - 0.5, area.high - 0.5)
    else:
        area = auc_difference(truth, scores, theirs)
        over = (area.value, area.low, area.high)

    def parted(rows: NDArray[np.intp]) -> dict[str, float]:
        ours = ks(truth[rows], scores[rows])
        return {"ks": ours if theirs is None else ours - ks(truth[rows], theirs[rows])}

    found = resampled(truth, parted, rounds=ROUNDS)["ks"]
    return {"auc": over, "ks": (found.value, found.low, found.high)}


def intervals(of: Mapping[str, Any] | None, names: Sequence[str]) -> list[Sequence[float] | None]:
    """Of measures as they were kept, value, low and high by name."""
    return [None if of is None else of.get(name) for name in names]
