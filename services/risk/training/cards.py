"""A fitted scorecard in whole points, as `services.risk.scorecards` serves it."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from services.risk.scorecards import DOUBLE, Characteristic, scored_by
from services.risk.training import papers
from services.risk.training.woe import Fitted

_FACTOR = DOUBLE / math.log(2)


def points_of(fitted: Fitted, reasons: Mapping[str, str]) -> tuple[int, list[Characteristic]]:
    """Base points and characteristics: 20 points double the odds, more points are more risk."""
    found = []
    for bins, weight in zip(fitted.bins, fitted.weights, strict=True):
        *points, missing = (round(float(weight * woe * _FACTOR)) for woe in bins.woe)
        if len(set(points)) == 1:
            continue  # nothing is left of it in whole points
        found.append(
            Characteristic(
                name=bins.name,
                edges=list(bins.edges),
                points=points,
                missing=missing,
                reason=reasons.get(bins.name),
            )
        )
    return round(fitted.intercept * _FACTOR), found


def scores_of(
    base: int, characteristics: Sequence[Characteristic], columns: Mapping[str, NDArray[np.float64]]
) -> NDArray[np.float64]:
    """The score of each row of the columns, as serving has it for one row."""
    total = np.asarray(float(base))
    for one in characteristics:
        values = columns[one.name]
        places = np.searchsorted(np.asarray(one.edges), values, side="right")
        places[np.isnan(values)] = len(one.points)
        total = total + np.asarray([*one.points, one.missing])[places]
    return np.asarray(1 / (1 + np.exp(-total / _FACTOR)))


def golden_of(
    base: int,
    characteristics: Sequence[Characteristic],
    columns: Mapping[str, NDArray[np.float64]],
    scores: NDArray[np.float64],
) -> list[dict[str, object]]:
    """Golden vectors over the whole range of scores, by the function that serves."""
    names = [one.name for one in characteristics]
    rows = np.column_stack([columns[name] for name in names])
    found = []
    for label, row in papers.golden_rows(rows, scores):
        named = dict(zip(names, map(float, row), strict=True))
        found.append(papers.golden(label, row, scored_by(base, characteristics, named).score))
    return found
