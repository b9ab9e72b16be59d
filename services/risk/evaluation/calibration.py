"""Whether a probability of a tenth comes true one time in ten."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.risk.evaluation.discrimination import checked
from services.risk.evaluation.intervals import Interval, Z, share_of

BINS: Final = 10
#: A probability nearer to 0 or 1 counts as this near: its log of odds is infinite.
_NEAREST: Final = 1e-7
_ROUNDS: Final = 60
_CONVERGED: Final = 1e-9
#: Beyond this slope bad and good are parted completely, and no slope fits.
_STEEPEST: Final = 100.0


@dataclass(frozen=True, slots=True)
class Bin:
    """Rows of neighbouring scores: what the model said on average, and what came."""

    rows: int
    expected: float
    found: Interval


@dataclass(frozen=True, slots=True)
class Calibration:
    """A slope of 1 and an intercept of 0 are perfect; a slope below 1 promises too much.

    `error` is the mean distance of `bins` weighted by rows. Slope and intercept are None where bad
    and good are parted completely.
    """

    bins: Sequence[Bin]
    error: float
    slope: Interval | None
    intercept: Interval | None


def brier(truth: NDArray[np.bool_], scores: NDArray[np.float64]) -> float:
    """The mean squared distance between probability and truth (Brier, 1950)."""
    return float(np.mean((scores - truth) ** 2))


def calibration(truth: NDArray[np.bool_], scores: NDArray[np.float64]) -> Calibration:
    """Bins of about as many rows each, and the recalibrating line; NotMeasurable as `checked`.

    Source: D. Cox, Biometrika 45 (1958): the truth by logistic regression on the log of the odds.
    """
    checked(truth, scores)
    edges = np.unique(np.quantile(scores, np.linspace(0, 1, BINS + 1)[1:-1]))
    places = np.searchsorted(edges, scores, side="left")
    bins = []
    for place in np.unique(places):
        rows = places == place
        count = int(rows.sum())
        found = share_of(int(truth[rows].sum()), count)
        bins.append(Bin(count, float(scores[rows].mean()), found))
    error = sum(one.rows * abs(one.expected - one.found.value) for one in bins) / len(scores)
    slope, intercept = _line(truth, scores)
    return Calibration(bins, error, slope, intercept)


def _line(
    truth: NDArray[np.bool_], scores: NDArray[np.float64]
) -> tuple[Interval | None, Interval | None]:
    near = np.clip(scores, _NEAREST, 1 - _NEAREST)
    columns = np.stack([np.ones(len(scores)), np.log(near / (1 - near))])
    line = np.array([0.0, 1.0])
    for _ in range(_ROUNDS):
        expected = 1 / (1 + np.exp(-np.clip(line @ columns, -500, 500)))
        information = (columns * (expected * (1 - expected))) @ columns.T
        try:
            step = np.linalg.solve(information, columns @ (truth - expected))
        except np.linalg.LinAlgError:
            return None, None
        # a step that is too long overshoots where scores lie far from the truth
        line = line + step * min(1.0, 2 / max(float(np.abs(step).max()), 1e-12))
        if abs(line[1]) > _STEEPEST:
            return None, None
        if np.abs(step).max() < _CONVERGED:
            break
    else:
        return None, None
    half = Z * np.sqrt(np.diag(np.linalg.inv(information)))
    intercept, slope = (
        Interval(float(v), float(v - h), float(v + h)) for v, h in zip(line, half, strict=True)
    )
    return slope, intercept
