"""How far two distributions lie apart, and how sure a share is: formulas over counts. Pure.

A distribution is a sequence of counts over the same bins. The first bin holds missing values:
where a feature goes missing more often than it did, both measures see it.
"""

from collections.abc import Sequence
from itertools import accumulate
from math import log, sqrt

#: What is added to each bin, so that an empty one does not make the index infinite.
HALF_A_COUNT = 0.5
#: One in a thousand: how often chance alone may pass the bounds of `psi_by_chance` and
#: `ks_by_chance`. There are some thirty features and a round every half minute.
CHANCE = 0.001
_Z_OF_CHANCE = 3.0902323061678132
#: 95 of 100 intervals hold the true share.
_Z = 1.959963984540054


def psi(expected: Sequence[int], found: Sequence[int]) -> float:
    """The population stability index, sum of (f - e) ln(f / e) over the shares of the bins.

    Source: N. Siddiqi, Credit Risk Scorecards, Wiley 2006, chapter 9 (system stability report),
    from whom also comes: below 0.10 no change, from 0.25 on a major one. It is the symmetric
    divergence of Jeffreys (1946). Each bin has `HALF_A_COUNT` added.
    """
    bins = len(expected)
    before, now = (sum(counts) + bins * HALF_A_COUNT for counts in (expected, found))
    total = 0.0
    for one, other in zip(expected, found, strict=True):
        was, is_now = (one + HALF_A_COUNT) / before, (other + HALF_A_COUNT) / now
        total += (is_now - was) * log(is_now / was)
    return total


def psi_by_chance(expected: Sequence[int], found: Sequence[int]) -> float:
    """What the index exceeds in one of 1,000 pairs of samples of one and the same distribution.

    The index is then about chi-squared with B - 1 degrees of freedom, times 1/n + 1/m: B.
    Yurdakul, Statistical Properties of Population Stability Index, Western Michigan University
    2018. The quantile is that of E. Wilson and M. Hilferty, PNAS 17 (1931).
    """
    n, m = sum(expected), sum(found)
    used = sum(1 for pair in zip(expected, found, strict=True) if any(pair))
    if n == 0 or m == 0 or used < 2:
        return 0.0
    degrees = used - 1
    part = 2 / (9 * degrees)
    return float(degrees * (1 - part + _Z_OF_CHANCE * sqrt(part)) ** 3 * (1 / n + 1 / m))


def ks(expected: Sequence[int], found: Sequence[int]) -> float:
    """The largest distance between both cumulative shares, in [0, 1].

    Source: N. Smirnov, Bulletin of Moscow University 2 (1939). Over bins it is at most the
    distance of the values themselves, since it is looked at where bins meet.
    """
    n, m = sum(expected), sum(found)
    if n == 0 or m == 0:
        return 0.0
    pairs = zip(accumulate(expected), accumulate(found), strict=True)
    return max(abs(before / n - now / m) for before, now in pairs)


def ks_by_chance(expected: Sequence[int], found: Sequence[int]) -> float:
    """What the distance exceeds in at most one of 1,000 pairs of samples of one distribution.

    Smirnov's asymptotic bound, sqrt(-ln(a / 2) / 2 * (n + m) / (n m)).
    """
    n, m = sum(expected), sum(found)
    if n == 0 or m == 0:
        return 1.0
    return sqrt(-log(CHANCE / 2) / 2 * (n + m) / (n * m))


def wilson(hits: int, seen: int) -> tuple[float, float]:
    """Between what the share that `hits` of `seen` stand for lies, with 95%.

    Source: E. Wilson, Journal of the American Statistical Association 22 (1927). Unlike the
    usual interval it is right for few observations and for shares near 0 and 1.
    """
    if seen == 0:
        return 0.0, 1.0
    share = hits / seen
    scale = 1 + _Z**2 / seen
    middle = (share + _Z**2 / (2 * seen)) / scale
    half = _Z * sqrt(share * (1 - share) / seen + _Z**2 / (4 * seen**2)) / scale
    low = 0.0 if hits == 0 else middle - half
    high = 1.0 if hits == seen else middle + half
    return low, high


def moved(before: tuple[int, int], now: tuple[int, int]) -> tuple[float, float, float]:
    """By how much a share moved, with the interval of 95% around it; each is (hits, seen).

    Source: R. Newcombe, Statistics in Medicine 17 (1998), method 10, which combines the
    intervals of Wilson. Raises ZeroDivisionError where one of both saw nothing.
    """
    was, is_now = before[0] / before[1], now[0] / now[1]
    (low_was, high_was), (low_now, high_now) = wilson(*before), wilson(*now)
    by = is_now - was
    low = by - sqrt((is_now - low_now) ** 2 + (high_was - was) ** 2)
    high = by + sqrt((high_now - is_now) ** 2 + (was - low_was) ** 2)
    return by, low, high


def quantile(edges: Sequence[float], counts: Sequence[int], share: float) -> float | None:
    """The value below which `share` of the counts lie; None where there are none.

    `counts` has one bin below the first edge and one from the last on; within a bin of growing
    width the value is interpolated geometrically. What lies beyond the last edge is that edge.
    """
    seen = sum(counts)
    if seen == 0:
        return None
    wanted, passed = share * seen, 0
    for place, count in enumerate(counts):
        if count and passed + count >= wanted:
            if place == 0:
                return edges[0]
            if place == len(edges):
                return edges[-1]
            low, high = edges[place - 1], edges[place]
            return float(low * (high / low) ** ((wanted - passed) / count))
        passed += count
    return edges[-1]


def growing(first: float, last: float, per_decade: int) -> tuple[float, ...]:
    """Edges that grow by the same factor, from `first` until at least `last`."""
    edges = [first]
    while edges[-1] < last:
        edges.append(first * 10 ** (len(edges) / per_decade))
    return tuple(edges)
