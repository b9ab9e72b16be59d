"""How far the scores of one model lie from those of another, or from what they were."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.risk.watch.drift import psi

BINS: Final = 10


def score_psi(expected: NDArray[np.float64], found: NDArray[np.float64]) -> float:
    """The population stability index over tenths of `expected`; below 0.10 little has changed.

    Arrays of any two lengths; what is not a number has a bin of its own.
    """
    known = expected[np.isfinite(expected)]
    levels = np.linspace(0, 1, BINS + 1)[1:-1]
    edges = np.unique(np.quantile(known, levels)) if len(known) else np.empty(0)
    return psi(_counts(expected, edges), _counts(found, edges))


def _counts(values: NDArray[np.float64], edges: NDArray[np.float64]) -> list[int]:
    known = values[np.isfinite(values)]
    places = np.searchsorted(edges, known, side="left")
    counts = np.bincount(places, minlength=len(edges) + 1)
    return [len(values) - len(known), *map(int, counts)]
