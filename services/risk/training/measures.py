"""Measures of a classifier. `truth` is boolean, `scores` are probabilities, both of length n."""

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    precision_recall_curve,
    roc_auc_score,
)


def roc_auc(truth: NDArray[np.bool_], scores: NDArray[np.float64]) -> float:
    return float(roc_auc_score(truth, scores))


def average_precision(truth: NDArray[np.bool_], scores: NDArray[np.float64]) -> float:
    return float(average_precision_score(truth, scores))


def brier(truth: NDArray[np.bool_], scores: NDArray[np.float64]) -> float:
    """The mean squared distance between probability and truth."""
    return float(brier_score_loss(truth, scores))


def precision_recall(
    truth: NDArray[np.bool_], scores: NDArray[np.float64], *, threshold: float
) -> tuple[float, float]:
    """Of those at or above the threshold how many are fraud; of the fraud how much is there."""
    chosen = scores >= threshold
    hits = int((chosen & truth).sum())
    return hits / max(int(chosen.sum()), 1), hits / max(int(truth.sum()), 1)


def threshold_for(
    truth: NDArray[np.bool_], scores: NDArray[np.float64], *, precision: float
) -> float:
    """The lowest threshold from which on the precision is at least `precision`, rounded up.

    1.0 if no threshold reaches it: then the model alone never has that outcome.
    """
    precisions, _, thresholds = precision_recall_curve(truth, scores)
    below = np.flatnonzero(precisions[:-1] < precision)
    place = int(below[-1]) + 1 if len(below) else 0
    if place >= len(thresholds):
        return 1.0
    return float(min(np.ceil(thresholds[place] * 1e6) / 1e6, 1.0))
