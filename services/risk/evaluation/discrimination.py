"""How well scores part the bad from the good, whatever their scale."""

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.risk.evaluation.intervals import Interval, NotMeasurable, Z
from services.risk.watch.drift import wilson

Truth = NDArray[np.bool_]
Scores = NDArray[np.float64]

#: A variance of this or less is rounding: every bad row lies above every good one.
_NO_VARIANCE: Final = 1e-18


class Steps(NamedTuple):
    """One entry for each distinct score, from the highest down: how many at or above it."""

    thresholds: Scores
    bad: NDArray[np.int64]
    good: NDArray[np.int64]


def checked(truth: Truth, scores: Scores) -> None:
    """NotMeasurable unless there are both classes and a number for every row."""
    if truth.shape != scores.shape or truth.ndim != 1:
        raise NotMeasurable(
            f"{truth.shape} labels and {scores.shape} scores do not belong together"
        )
    if not np.isfinite(scores).all():
        raise NotMeasurable("a score is not a number")
    if truth.all() or not truth.any():
        raise NotMeasurable("all rows are of one class")


def steps(truth: Truth, scores: Scores) -> Steps:
    """The thresholds that there are; NotMeasurable as `checked`."""
    checked(truth, scores)
    order = np.argsort(-scores, kind="stable")
    ordered, bad = scores[order], truth[order]
    ends = np.flatnonzero(np.append(np.diff(ordered) != 0, True))
    hits = np.cumsum(bad, dtype=np.int64)[ends]
    return Steps(ordered[ends], hits, ends + 1 - hits)


def roc_auc(truth: Truth, scores: Scores) -> float:
    """The chance that a bad row scores above a good one, half where both score alike."""
    bad, _ = _placements(truth, scores)
    return float(bad.mean())


def auc(truth: Truth, scores: Scores) -> Interval:
    """The area under the ROC curve with DeLong's interval, taken on the log of the odds.

    Source: E. DeLong, D. DeLong and D. Clarke-Pearson, Biometrics 44 (1988); by mid-ranks as X. Sun
    and W. Xu, IEEE Signal Processing Letters 21 (2014). The logit keeps the ends within 0 and 1. An
    area of 0 or 1 has no variance there: then as many pairs as the smaller class has rows count.
    """
    bad, good = _placements(truth, scores)
    value = float(bad.mean())
    variance = _variance(bad) / len(bad) + _variance(good) / len(good)
    if variance <= _NO_VARIANCE or not 0 < value < 1:
        least = min(len(bad), len(good))
        return Interval(value, *wilson(round(value * least), least))
    centre = math.log(value / (1 - value))
    half = Z * math.sqrt(variance) / (value * (1 - value))
    return Interval(value, _logistic(centre - half), _logistic(centre + half))


def auc_difference(truth: Truth, scores: Scores, other: Scores) -> Interval:
    """By how much the area of `scores` exceeds that of `other` over the same rows, paired.

    Source: as `auc`. Two models that see the same rows err together, and the interval of their
    difference is far narrower than the two intervals would make it seem.
    """
    bad, good = _placements(truth, scores)
    other_bad, other_good = _placements(truth, other)
    by = float(bad.mean() - other_bad.mean())
    variance = _variance(bad - other_bad) / len(bad) + _variance(good - other_good) / len(good)
    half = Z * math.sqrt(variance)
    return Interval(by, by - half, by + half)


def ks(truth: Truth, scores: Scores) -> float:
    """The largest distance between the cumulative shares of bad and good (Smirnov, 1939)."""
    return ks_of(steps(truth, scores))


def ks_of(found: Steps) -> float:
    return float(np.abs(found.bad / found.bad[-1] - found.good / found.good[-1]).max())


def average_precision(truth: Truth, scores: Scores) -> float:
    """The area under precision over recall by steps, without interpolation."""
    return average_precision_of(steps(truth, scores))


def average_precision_of(found: Steps) -> float:
    _, bad, good = found
    return float(np.sum(np.diff(bad, prepend=0) / bad[-1] * bad / (bad + good)))


def precision_recall(truth: Truth, scores: Scores, *, threshold: float) -> tuple[float, float]:
    """Of those at or above the threshold how many are bad; of the bad how many are there."""
    chosen = scores >= threshold
    hits = int((chosen & truth).sum())
    return hits / max(int(chosen.sum()), 1), hits / max(int(truth.sum()), 1)


def threshold_for(truth: Truth, scores: Scores, *, precision: float) -> float:
    """The lowest threshold from which on the precision is at least `precision`, rounded up.

    1.0 if no threshold reaches it: then the model alone never has that outcome.
    """
    thresholds, bad, good = steps(truth, scores)
    below = np.flatnonzero(bad / (bad + good) < precision)
    if not len(below):
        return _rounded_up(float(thresholds[-1]))
    return _rounded_up(float(thresholds[below[0] - 1])) if below[0] else 1.0


def _rounded_up(threshold: float) -> float:
    return float(min(np.ceil(threshold * 1e6) / 1e6, 1.0))


def _placements(truth: Truth, scores: Scores) -> tuple[Scores, Scores]:
    """For each bad row the share of good below it, for each good row the share of bad above it."""
    checked(truth, scores)
    bad, good = scores[truth], scores[~truth]
    ranks = _mid_ranks(scores)
    over = (ranks[truth] - _mid_ranks(bad)) / len(good)
    under = 1 - (ranks[~truth] - _mid_ranks(good)) / len(bad)
    return over, under


def _mid_ranks(values: Scores) -> Scores:
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2
    return np.asarray(ranks[place], dtype=np.float64)


def _variance(values: Scores) -> float:
    return float(values.var(ddof=1)) if len(values) > 1 else 0.0


def _logistic(value: float) -> float:
    return 1 / (1 + math.exp(-value))
