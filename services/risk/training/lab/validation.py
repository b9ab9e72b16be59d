"""Nested cross-validation: what is chosen is chosen on rows that the test never sees."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from services.risk.training.lab.families import (
    Family,
    Fitted,
    Floats,
    Inputs,
    Rows,
    Setting,
    Trees,
    Truth,
    counted,
)
from services.risk.training.lab.folds import folds_of, parted

OUTER: Final = 5
INNER: Final = 3
#: With so many rows one quarter held aside tells settings apart as well as folds do.
MANY: Final = 5_000
#: A sigmoid has to better the log loss by so much, or the model's own probabilities stay.
WORTH: Final = 2e-4


@dataclass(frozen=True, slots=True)
class Data:
    """Rows that are fitted or looked at; `groups` number the rows that are alike."""

    inputs: Inputs
    rows: Rows
    truth: Truth
    groups: NDArray[np.int64]

    def of(self, places: NDArray[np.intp]) -> "Data":
        return replace(
            self, rows=self.rows[places], truth=self.truth[places], groups=self.groups[places]
        )


@dataclass(frozen=True, slots=True)
class Chosen:
    """A fitted model with its calibration: p = sigmoid(slope * log odds + intercept)."""

    fitted: Fitted
    setting: Setting
    slope: float
    intercept: float

    def score(self, rows: Rows) -> Floats:
        return sigmoid(self.slope * self.fitted.log_odds(rows) + self.intercept)


@dataclass(frozen=True, slots=True)
class Validated:
    """`scores` of each row are by a model that did not see it; `final` is fitted on all rows."""

    scores: Floats
    final: Chosen
    fit_s: float


def sigmoid(odds: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(odds, -700, 700))))


def validated(
    family: Family,
    data: Data,
    folds: NDArray[np.int64],
    *,
    seed: int,
    told: Callable[[str], None],
) -> Validated:
    """Scores every row out of fold, then fits the final model; `told` hears of each step."""
    scores = np.empty(len(data.truth))
    for number, (fitted, seen) in enumerate(parted(folds), 1):
        chosen = choose(family, data.of(fitted), seed=seed + number)
        scores[seen] = chosen.score(data.rows[seen])
        told(f"{family.name}: fold {number} of {int(folds.max()) + 1}")
    start = time.perf_counter()
    final = choose(family, data, seed=seed)
    fit_s = time.perf_counter() - start
    told(f"{family.name}: fitted on all rows")
    return Validated(scores, final, fit_s)


def choose(family: Family, data: Data, *, seed: int) -> Chosen:
    """The setting with the lowest log loss aside, fitted on all of `data`."""
    splits = list(_splits(data, seed=seed))
    aside = np.concatenate([seen for _, seen in splits])
    best: tuple[float, Setting, Floats] | None = None
    for setting in family.settings:
        for tried, odds in _tried(family, data, splits, setting):
            loss = log_loss(data.truth[aside], odds)
            if best is None or loss < best[0] - 1e-9:
                best = (loss, tried, odds)
    if best is None:
        raise ValueError("a family without settings")
    _, setting, odds = best
    slope, intercept = calibrated(data.truth[aside], odds)
    fitted = family.fit(data.inputs, data.rows, data.truth, setting)
    return Chosen(fitted, setting, slope, intercept)


def _splits(data: Data, *, seed: int) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    if len(data.truth) < MANY:
        yield from parted(folds_of(data.truth, data.groups, count=INNER, seed=seed))
        return
    yield next(parted(folds_of(data.truth, data.groups, count=4, seed=seed)))


def _tried(
    family: Family,
    data: Data,
    splits: Sequence[tuple[NDArray[np.intp], NDArray[np.intp]]],
    setting: Setting,
) -> Iterator[tuple[Setting, Floats]]:
    """The setting, and for trees each count of them, with the log odds of the rows aside."""
    if isinstance(family, Trees):
        by_count = [
            counted(
                family.fit_beside(
                    (data.rows[fit], data.truth[fit]), (data.rows[seen], data.truth[seen]), setting
                ),
                data.rows[seen],
            )
            for fit, seen in splits
        ]
        for count in sorted(set().union(*by_count)):
            # where a fold stopped before, more trees would have been of no use to it
            odds = np.concatenate([one[min(count, max(one))] for one in by_count])
            yield {**setting, "trees": float(count)}, odds
        return
    fitted = [
        family.fit(data.inputs, data.rows[fit], data.truth[fit], setting) for fit, _ in splits
    ]
    aside = [one.log_odds(data.rows[seen]) for one, (_, seen) in zip(fitted, splits, strict=True)]
    yield setting, np.concatenate(aside)


def log_loss(truth: Truth, odds: Floats) -> float:
    """The mean of -ln of the probability that was given to what came."""
    return float(np.mean(np.logaddexp(0, np.where(truth, -odds, odds))))


def calibrated(truth: Truth, odds: Floats) -> tuple[float, float]:
    """Slope and intercept of a sigmoid over the log odds, or (1, 0) where it does not help.

    Whether it helps is tried on the other half each. Source: J. Platt, Advances in Large Margin
    Classifiers, MIT Press 1999; isotonic steps would not survive the export to 32 bits.
    """
    halves = np.arange(len(truth)) % 2 == 0
    order = np.argsort(odds, kind="stable")
    first = np.empty(len(truth), dtype=np.bool_)
    first[order] = halves
    if min(int(truth[first].sum()), int(truth[~first].sum())) < 10:
        return 1.0, 0.0
    after = np.empty(len(truth))
    for half in (first, ~first):
        slope, intercept = _line(truth[half], odds[half])
        after[~half] = slope * odds[~half] + intercept
    if log_loss(truth, odds) - log_loss(truth, after) < WORTH:
        return 1.0, 0.0
    return _line(truth, odds)


def _line(truth: Truth, odds: Floats) -> tuple[float, float]:
    model = LogisticRegression(C=1e6, max_iter=1_000).fit(odds[:, None], truth)
    slope = float(model.coef_[0, 0])
    # a slope that turns the scores around has seen nothing but chance
    return (slope, float(model.intercept_[0])) if slope > 0 else (1.0, 0.0)
