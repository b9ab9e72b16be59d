"""Repeated stratified folds: all that looks at labels happens inside each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.risk.evaluation import Interval, roc_auc
from services.risk.training.woe import Column, Floats, Truth

FOLDS, REPEATS = 10, 5
#: The 97.5% quantile of Student's t with 49, 8 and 4 degrees of freedom (50, 9 and 5 values).
T_AT = {50: 2.0096, 9: 2.3060, 5: 2.7764}

#: Fits on some rows and scores others: (columns, truth, columns of others) -> their scores.
Method = Callable[[Mapping[str, Column], Truth, Mapping[str, Column]], Floats]


@dataclass(frozen=True, slots=True)
class Validated:
    """`auc` is the mean over the folds; `scores` are those of each row in the first repeat."""

    auc: Interval
    folds: NDArray[np.float64]
    scores: Floats


def assigned(truth: Truth, *, seed: int, count: int = FOLDS) -> NDArray[np.int64]:
    """The fold of each row, 0 to count - 1, each with its share of the bad."""
    draw = np.random.default_rng(seed)
    found = np.empty(len(truth), dtype=np.int64)
    start = 0
    for label in (False, True):
        rows = draw.permutation(np.flatnonzero(truth == label))
        found[rows] = (start + np.arange(len(rows))) % count
        start += len(rows)
    return found


def validated(
    columns: Mapping[str, Column], truth: Truth, method: Method, *, repeats: int = REPEATS
) -> Validated:
    """The method over `repeats` times ten folds, with seeds 0, 1, …

    The folds' training rows overlap, so that their areas are less independent than they look: the
    interval has the variance times (1/folds + test/train rows) of Nadeau and Bengio, Machine
    Learning 52 (2003).
    """
    areas, scores = [], np.empty(len(truth))
    for seed in range(repeats):
        fold = assigned(truth, seed=seed)
        for place in range(FOLDS):
            test = fold == place
            known = {name: values[~test] for name, values in columns.items()}
            asked = {name: values[test] for name, values in columns.items()}
            found = method(known, truth[~test], asked)
            areas.append(roc_auc(truth[test], found))
            if seed == 0:
                scores[test] = found
    folds = np.array(areas)
    spread = np.sqrt(folds.var(ddof=1) * (1 / len(folds) + 1 / (FOLDS - 1)))
    half = float(T_AT[len(folds)] * spread) if len(folds) in T_AT else float(2.01 * spread)
    mean = float(folds.mean())
    return Validated(Interval(mean, mean - half, mean + half), folds, scores)


def mean_of(values: NDArray[np.float64]) -> Interval:
    """The mean of nine values that are taken for independent, with Student's interval."""
    mean = float(values.mean())
    half = float(T_AT[len(values)] * values.std(ddof=1) / np.sqrt(len(values)))
    return Interval(mean, mean - half, mean + half)
