"""Figures with the interval in which the true one lies, 95 times of 100."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.risk.watch.drift import wilson

Z: Final = 1.959963984540054
#: Rounds of a bootstrap: an end of the interval is then off by about a tenth of its half width.
ROUNDS: Final = 200
SEED: Final = 20260101


class NotMeasurable(ValueError):
    """The data do not hold what the measure is about: one class alone, no rows, no numbers."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and where the true one lies with 95%."""

    value: float
    low: float
    high: float


def share_of(hits: int, seen: int) -> Interval:
    """A share with Wilson's interval; NotMeasurable where nothing was seen."""
    if seen == 0:
        raise NotMeasurable("a share of nothing")
    return Interval(hits / seen, *wilson(hits, seen))


def middle_of(values: NDArray[np.float64], share: float = 0.5) -> Interval:
    """The value below which `share` of the values lie, with the interval of its order statistics.

    Source: H. David and H. Nagaraja, Order Statistics, Wiley 2003, section 7.1, with the normal
    approximation of the binomial. It supposes nothing of how the values are distributed.
    """
    if not len(values):
        raise NotMeasurable("a quantile of nothing")
    ordered = np.sort(values)
    last = len(ordered) - 1
    half = Z * np.sqrt(len(ordered) * share * (1 - share))
    places = np.array([share * len(ordered) - half, share * len(ordered) + half])
    low, high = ordered[np.clip([np.floor(places[0]), np.ceil(places[1])], 0, last).astype(int)]
    return Interval(float(np.quantile(ordered, share)), float(low), float(high))


def resampled(
    truth: NDArray[np.bool_],
    statistic: Callable[[NDArray[np.intp]], Mapping[str, float]],
    *,
    seed: int = SEED,
    rounds: int = ROUNDS,
) -> dict[str, Interval]:
    """Intervals by the bootstrap, drawn from good and bad apart so that their shares stay.

    `statistic` takes the numbers of the rows that were drawn, rising, and names its figures; the
    value of each is the one over all rows. Source: B. Efron and R. Tibshirani, An Introduction to
    the Bootstrap, Chapman and Hall 1993, chapter 13 (percentiles).
    """
    classes = [np.flatnonzero(truth), np.flatnonzero(~truth)]
    whole = statistic(np.arange(len(truth)))
    draw = np.random.default_rng(seed)
    drawn: dict[str, list[float]] = {name: [] for name in whole}
    for _ in range(rounds):
        rows = np.concatenate([one[draw.integers(0, len(one), len(one))] for one in classes])
        rows.sort()
        for name, value in statistic(rows).items():
            drawn[name].append(value)
    found = {}
    for name, value in whole.items():
        low, high = np.quantile(drawn[name], [0.025, 0.975])
        # a measure that resampling biases, as KS, may leave its own value outside
        found[name] = Interval(value, float(min(low, value)), float(max(high, value)))
    return found
