"""Bins of a characteristic with a weight of evidence each, and the points that come of them.

Fine bins of equal size are pooled until the bad rate only rises or only falls (pool adjacent
violators; Barlow and others, 1972), then neighbours that are too small or too alike are joined.
So a reason that is given for a decline can be told in one sentence: more is worse, or less is.
Levels without an order are put in the order of their bad rate and joined the same way.

The weight of evidence of a bin is the log of its share of the bad over its share of the good
(Siddiqi, Credit Risk Scorecards, 2006): above 0 is worse than usual.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

Floats = NDArray[np.float64]
Truth = NDArray[np.bool_]
#: A column of numbers, NaN where one is missing, or of words.
Column = NDArray[np.float64] | NDArray[np.str_]

FINE = 20
#: Significant digits of an edge among many values: people read it.
DIGITS = 3


@dataclass(frozen=True, slots=True)
class Binning:
    """How bins are made. `least_share` of the rows is in each; neighbours whose bad rates differ
    with less than `least_z` standard errors are one. As if `usual` rows of the usual mixture had
    come to each bin: few rows say little.
    """

    most: int = 6
    least_share: float = 0.05
    least_z: float = 1.0
    usual: float = 10.0
    #: Of a characteristic whose risk may only rise (1) or fall (-1) with its value.
    directions: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Bins:
    """`woe` of each bin from the lowest edge up, and of a missing value last.

    Of words `groups` names those of each bin instead; an unknown word counts as missing.
    """

    name: str
    edges: tuple[float, ...]
    groups: tuple[tuple[str, ...], ...]
    woe: Floats
    rows: NDArray[np.int64]
    bad: NDArray[np.int64]

    def places(self, values: Column) -> NDArray[np.intp]:
        """The bin of each value."""
        if self.groups:
            known = {word: place for place, group in enumerate(self.groups) for word in group}
            return np.array([known.get(word, len(self.groups)) for word in values], dtype=np.intp)
        numbers = values.astype(np.float64)
        found = np.searchsorted(np.asarray(self.edges), numbers, side="right")
        return np.where(np.isnan(numbers), len(self.edges) + 1, found).astype(np.intp)

    def of(self, values: Column) -> Floats:
        """The weight of evidence of each value."""
        return self.woe[self.places(values)]

    @property
    def information(self) -> float:
        """The information value: below 0.02 a characteristic tells next to nothing."""
        good = self.rows - self.bad
        share = self.bad / self.bad.sum() - good / good.sum()
        return float((share * self.woe).sum())


def binned(name: str, values: Column, truth: Truth, how: Binning) -> Bins:
    """The bins of one characteristic over n rows."""
    if values.dtype.kind == "U":
        return _of_words(name, values, truth, how)
    numbers = values.astype(np.float64)
    known = ~np.isnan(numbers)
    if not known.any():
        return _with_woe(Bins(name, (), (), *_NOTHING), numbers, truth, how)
    edges = _fine_edges(numbers[known])
    places = np.searchsorted(edges, numbers[known], side="right")
    rows = np.bincount(places, minlength=len(edges) + 1)
    bad = np.bincount(places[truth[known]], minlength=len(edges) + 1)
    sign = how.directions.get(name, 0)
    starts = _joined(rows, bad, how, least=how.least_share * len(truth), sign=sign)
    kept = [float(edges[start - 1]) for start in starts[1:]]
    while True:
        found = _with_woe(Bins(name, tuple(kept), (), *_NOTHING), numbers, truth, how)
        turned = _turned(found)
        if turned is None:
            return found
        del kept[turned]


def _turned(found: Bins) -> int | None:
    """The edge at which the evidence turns back: the usual rows weigh most on the smallest bin."""
    steps = np.diff(found.woe[:-1])
    if not len(steps):
        return None
    way = 1 if found.woe[-2] >= found.woe[0] else -1
    against = np.flatnonzero(steps * way < 0)
    return int(against[0]) if len(against) else None


def _of_words(name: str, values: Column, truth: Truth, how: Binning) -> Bins:
    words, places = np.unique(values, return_inverse=True)
    rows = np.bincount(places)
    bad = np.bincount(places[truth], minlength=len(words))
    usual = float(truth.mean())
    order = np.argsort((bad + how.usual * usual) / (rows + how.usual), kind="stable")
    starts = _joined(rows[order], bad[order], how, least=how.least_share * len(truth), sign=1)
    ends = [*starts[1:], len(words)]
    groups = tuple(
        tuple(str(words[place]) for place in order[start:end])
        for start, end in zip(starts, ends, strict=True)
    )
    return _with_woe(Bins(name, (), groups, *_NOTHING), values, truth, how)


_NOTHING = (np.empty(0), np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))


def _with_woe(bins: Bins, values: Column, truth: Truth, how: Binning) -> Bins:
    """The bins with the evidence that the rows have of them."""
    count = (len(bins.groups) or len(bins.edges) + 1) + 1
    places = bins.places(values)
    rows = np.bincount(places, minlength=count)
    bad = np.bincount(places[truth], minlength=count)
    share = float(truth.mean())
    some_bad, some_good = bad + how.usual * share, rows - bad + how.usual * (1 - share)
    woe = np.log(some_bad / some_good) - np.log(truth.sum() / (~truth).sum())
    return Bins(bins.name, bins.edges, bins.groups, woe, rows, bad)


def _fine_edges(values: Floats) -> Floats:
    """Of few values each apart from the next; of many, rounded quantiles."""
    distinct = np.unique(values)
    if len(distinct) > FINE:
        starts = np.quantile(values, np.arange(1, FINE) / FINE, method="higher")
        return np.unique([float(f"{start:.{DIGITS}g}") for start in starts])
    pairs = zip(distinct[:-1].tolist(), distinct[1:].tolist(), strict=True)
    return np.array([_between(low, high) for low, high in pairs])


def _between(low: float, high: float) -> float:
    """The middle in as few digits as still part the two: people read it."""
    middle = (low + high) / 2
    for digits in range(2, 10):
        short = float(f"{middle:.{digits}g}")
        if low < short <= high:
            return short
    return middle


def _joined(
    rows: NDArray[np.int64],
    bad: NDArray[np.int64],
    how: Binning,
    *,
    least: float,
    sign: int,
) -> list[int]:
    """The first fine bin of each bin, after pooling and joining."""
    ways = [bad] * (sign >= 0) + [rows - bad] * (sign <= 0)
    pools = [_pooled(rows, events) for events in ways]
    starts = max(pools, key=lambda found: _spread(rows, bad, found))
    while len(starts) > 1:
        sums, bads = _sums(rows, starts), _sums(bad, starts)
        small = np.minimum(sums[:-1], sums[1:]) < least
        alike = _distance(sums, bads)
        alike[small] -= 1_000  # too few rows to be told apart at all: these first
        place = int(np.argmin(alike))
        if alike[place] >= how.least_z and len(starts) <= how.most:
            break
        del starts[place + 1]
    return starts


def _pooled(rows: NDArray[np.int64], bad: NDArray[np.int64]) -> list[int]:
    """Starts of the pools in which the bad rate never falls."""
    pools: list[tuple[int, int, int]] = []
    for pool in zip(range(len(rows)), rows.tolist(), bad.tolist(), strict=True):
        start, seen, went = pool
        while pools and pools[-1][2] * seen >= went * pools[-1][1]:
            start, more_seen, more_went = pools.pop()
            seen += more_seen
            went += more_went
        pools.append((start, seen, went))
    return [start for start, _, _ in pools]


def _sums(values: NDArray[np.int64], starts: Sequence[int]) -> Floats:
    return np.add.reduceat(values, list(starts)).astype(np.float64)


def _spread(rows: NDArray[np.int64], bad: NDArray[np.int64], starts: Sequence[int]) -> float:
    """How far the bins' bad rates lie from the whole's, weighted by rows."""
    sums, bads = _sums(rows, starts), _sums(bad, starts)
    rate = bads.sum() / sums.sum()
    return float((sums * (bads / np.maximum(sums, 1) - rate) ** 2).sum())


def _distance(sums: Floats, bads: Floats) -> Floats:
    """Of each pair of neighbours, the difference of their bad rates in standard errors."""
    rate = (bads[:-1] + bads[1:]) / (sums[:-1] + sums[1:])
    error = np.sqrt(np.maximum(rate * (1 - rate), 1e-12) * (1 / sums[:-1] + 1 / sums[1:]))
    return np.asarray(np.abs(bads[1:] / sums[1:] - bads[:-1] / sums[:-1]) / error)


@dataclass(frozen=True, slots=True)
class Fitted:
    """Log odds of going bad: `intercept` and, for each characteristic, `weights` times evidence."""

    bins: tuple[Bins, ...]
    weights: Floats
    intercept: float

    def log_odds(self, columns: Mapping[str, Column]) -> Floats:
        """Of each row of the columns."""
        parts = [
            weight * one.of(columns[one.name])
            for one, weight in zip(self.bins, self.weights, strict=True)
        ]
        return np.asarray(self.intercept + np.sum(parts, axis=0), dtype=np.float64)

    def score(self, columns: Mapping[str, Column]) -> Floats:
        """The probability of going bad."""
        return np.asarray(1 / (1 + np.exp(-self.log_odds(columns))))


def fit(
    columns: Mapping[str, Column],
    truth: Truth,
    *,
    how: Binning | None = None,
    least_information: float = 0.02,
    strength: float = 1.0,
) -> Fitted:
    """A logistic regression over the evidence, with a penalty of 1/`strength` on its weights.

    A characteristic that tells next to nothing is left out, and so is one whose evidence the
    others turn around: its points would contradict its bins.
    """
    how = how or Binning()
    bins = [binned(name, values, truth, how) for name, values in columns.items()]
    bins = [one for one in bins if len(one.woe) > 2 and one.information >= least_information]
    while True:
        evidence = np.column_stack([one.of(columns[one.name]) for one in bins])
        # two threads change the last bits of a sum, and wait for each other longer than they work
        with threadpool_limits(limits=1):
            model = LogisticRegression(C=strength, max_iter=1_000, tol=1e-8).fit(evidence, truth)
        weights = model.coef_[0]
        if weights.min() > 0:
            return Fitted(tuple(bins), weights, float(model.intercept_[0]))
        bins.pop(int(np.argmin(weights)))
