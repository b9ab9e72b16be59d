"""Which rows are fitted and which are looked at: by class, and equal rows always together."""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.intp]


#: With fewer distinct rows than this part, equal ones are no copies but what a table of few columns
#: has, and to keep them together would leave whole kinds of rows out of a fit.
DISTINCT: Final = 0.5


def groups_of(rows: NDArray[np.float32]) -> NDArray[np.int64]:
    """A number for each distinct row of an (n, inputs) array; missing values are alike.

    Where few rows are distinct, each row has a number of its own.
    """
    plain = np.ascontiguousarray(np.where(np.isnan(rows), np.float32(-3.1e38), rows) + 0.0)
    whole = plain.view(np.dtype((np.void, plain.dtype.itemsize * plain.shape[1]))).ravel()
    distinct, found = np.unique(whole, return_inverse=True)
    if len(distinct) < DISTINCT * len(rows):
        return np.arange(len(rows))
    return np.asarray(found, dtype=np.int64)


def folds_of(
    truth: NDArray[np.bool_], groups: NDArray[np.int64], *, count: int, seed: int
) -> NDArray[np.int64]:
    """The fold of each row, 0 to count - 1.

    Equal rows are never fitted in one fold and looked at in another: a model that remembers would
    seem to foresee. Groups with as many rows and as many bad ones are dealt out in turn.
    """
    sizes = np.bincount(groups)
    bad = np.bincount(groups, weights=truth, minlength=len(sizes)).astype(np.int64)
    draw = np.random.default_rng(seed)
    fold_of_group = np.empty(len(sizes), dtype=np.int64)
    first = 0
    kinds, kind = np.unique(np.column_stack([sizes, bad]), axis=0, return_inverse=True)
    for place in range(len(kinds) - 1, -1, -1):
        members = draw.permutation(np.flatnonzero(kind.ravel() == place))
        fold_of_group[members] = (np.arange(len(members)) + first) % count
        first = (first + len(members)) % count
    return fold_of_group[groups]


def parted(folds: NDArray[np.int64]) -> Iterator[tuple[Rows, Rows]]:
    """The rows to fit and the rows to look at, for each fold."""
    for fold in range(int(folds.max()) + 1):
        yield np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
