"""German credit, the yardstick of credit scoring: repeated stratified ten-fold validation.

All that looks at labels, the bins too, happens inside each fold. See `data/README.md`.
"""

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.risk.training.woe import Binning, Column, Floats, Truth, fit

FILE = Path(__file__).parent / "data" / "german_credit.csv"
LABEL = "bad"
NUMBERS = frozenset(
    {
        "duration_months",
        "amount",
        "installment_rate",
        "residence_years",
        "age",
        "credits_here",
        "dependants",
    }
)
FOLDS, REPEATS = 10, 5

#: Fits on some rows and scores others: (columns, truth, columns of others) -> their scores.
Method = Callable[[Mapping[str, Column], Truth, Mapping[str, Column]], Floats]


@dataclass(frozen=True, slots=True)
class Table:
    columns: Mapping[str, Column]
    truth: Truth


def read() -> Table:
    with FILE.open(newline="") as file:
        rows = list(csv.DictReader(file))
    columns: dict[str, Column] = {}
    for name in rows[0]:
        found = np.array([row[name] for row in rows])
        columns[name] = found.astype(np.float64) if name in NUMBERS else found
    truth = columns.pop(LABEL) == "1"
    return Table(columns, truth)


def folds(truth: Truth, *, seed: int, count: int = FOLDS) -> NDArray[np.int64]:
    """The fold of each row, 0 to count - 1, each with its share of the bad."""
    draw = np.random.default_rng(seed)
    found = np.empty(len(truth), dtype=np.int64)
    start = 0
    for label in (False, True):
        rows = draw.permutation(np.flatnonzero(truth == label))
        found[rows] = (start + np.arange(len(rows))) % count
        start += len(rows)
    return found


def scorecard(columns: Mapping[str, Column], truth: Truth, others: Mapping[str, Column]) -> Floats:
    return fit(columns, truth, how=HOW, least_information=LEAST).score(others)


#: Chosen on three repeats that the report leaves out.
HOW = Binning(most=5, least_share=0.03)
LEAST = 0.01
