"""The formulas against scipy and numpy, and what has to hold of them on any counts."""

import math
from itertools import accumulate, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from services.risk.watch import drift
from services.risk.watch.domain import LATENCY_EDGES_US

COUNTS = st.lists(st.tuples(st.integers(0, 5_000), st.integers(0, 5_000)), min_size=2, max_size=20)


def columns(pairs: list[tuple[int, int]]) -> tuple[list[int], list[int]]:
    return [one for one, _ in pairs], [other for _, other in pairs]


def values(counts: list[int]) -> list[int]:
    return [place for place, count in enumerate(counts) for _ in range(count)]


class TestPsi:
    @given(COUNTS)
    @settings(max_examples=60)
    def test_is_the_sum_of_both_relative_entropies(self, pairs: list[tuple[int, int]]):
        expected, found = columns(pairs)
        before = np.asarray(expected) + drift.HALF_A_COUNT
        now = np.asarray(found) + drift.HALF_A_COUNT
        reference = stats.entropy(now, before) + stats.entropy(before, now)
        assert drift.psi(expected, found) == pytest.approx(reference, abs=1e-12)

    @given(COUNTS)
    @settings(max_examples=60)
    def test_is_symmetric_never_below_zero_and_zero_of_the_same(self, pairs):
        expected, found = columns(pairs)
        assert drift.psi(expected, found) == pytest.approx(drift.psi(found, expected))
        assert drift.psi(expected, found) >= 0
        assert drift.psi(found, found) == 0

    def test_of_a_worked_example(self):
        """By hand: 50/50 becomes 70/30."""
        expected, found = [50_000, 50_000], [70_000, 30_000]
        by_hand = 0.2 * math.log(0.7 / 0.5) - 0.2 * math.log(0.3 / 0.5)
        assert drift.psi(expected, found) == pytest.approx(by_hand, abs=1e-4)

    @pytest.mark.parametrize("bins", [2, 5, 13, 15])
    def test_by_chance_is_near_the_quantile_of_chi_squared(self, bins: int):
        n, m = 400 * bins, 1_000 * bins
        found = drift.psi_by_chance([n // bins] * bins, [m // bins] * bins)
        exact = stats.chi2.ppf(1 - drift.CHANCE, bins - 1) * (1 / n + 1 / m)
        assert found == pytest.approx(exact, rel=0.02 if bins > 2 else 0.1)

    def test_passes_what_chance_gives_about_once_in_a_thousand(self):
        draw = np.random.default_rng(11)
        shares = draw.dirichlet([2] * 12)
        passed = 0
        for _ in range(2_000):
            one, other = draw.multinomial(3_000, shares), draw.multinomial(900, shares)
            passed += drift.psi(one, other) > drift.psi_by_chance(one, other)
        assert passed <= 8


class TestKs:
    @given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=2, max_size=12))
    @settings(max_examples=60)
    def test_is_that_of_the_values_where_each_has_a_bin(self, pairs):
        expected, found = columns(pairs)
        if not sum(expected) or not sum(found):
            assert drift.ks(expected, found) == 0
            return
        reference = stats.ks_2samp(values(expected), values(found), method="asymp").statistic
        assert drift.ks(expected, found) == pytest.approx(reference, abs=1e-12)

    @given(COUNTS)
    @settings(max_examples=40)
    def test_never_grows_where_bins_are_joined(self, pairs):
        expected, found = columns(pairs)
        joined = [[sum(counts[:2]), *counts[2:]] for counts in (expected, found)]
        assert drift.ks(*joined) <= drift.ks(expected, found) + 1e-12

    def test_by_chance_is_smirnov_s_bound(self):
        n, m = 900, 500
        bound = drift.ks_by_chance([n], [m])
        assert stats.kstwobign.sf(bound * math.sqrt(n * m / (n + m))) == pytest.approx(
            drift.CHANCE, rel=1e-3
        )


class TestShare:
    @given(st.integers(0, 3_000), st.integers(1, 3_000))
    @settings(max_examples=80)
    def test_has_the_interval_of_scipy(self, hits: int, seen: int):
        hits = min(hits, seen)
        low, high = drift.wilson(hits, seen)
        reference = stats.binomtest(hits, seen).proportion_ci(0.95, method="wilson")
        assert (low, high) == pytest.approx((reference.low, reference.high), abs=1e-12)

    def test_of_nothing_is_anything(self):
        assert drift.wilson(0, 0) == (0.0, 1.0)

    @given(st.integers(0, 400), st.integers(1, 400), st.integers(0, 400), st.integers(1, 400))
    @settings(max_examples=60)
    def test_moved_lies_within_its_interval(self, a: int, n: int, b: int, m: int):
        by, low, high = drift.moved((min(a, n), n), (min(b, m), m))
        assert -1 <= low <= by <= high <= 1

    def test_moved_is_newcombe_s_own_example(self):
        """Statistics in Medicine 17, table II, method 10: 56/70 and 48/80."""
        by, low, high = drift.moved((48, 80), (56, 70))
        assert (by, low, high) == pytest.approx((0.2, 0.0524, 0.3339), abs=1e-4)


class TestQuantile:
    @given(st.lists(st.floats(10, 1e6), min_size=1, max_size=300), st.floats(0.01, 0.99))
    @settings(max_examples=60)
    def test_lies_in_the_bin_of_the_true_one(self, found: list[float], share: float):
        edges = np.asarray(LATENCY_EDGES_US)
        places = np.searchsorted(edges, found, side="right")
        counts = [int(count) for count in np.bincount(places, minlength=len(edges) + 1)]
        exact = float(np.quantile(found, share, method="inverted_cdf"))
        place = int(np.searchsorted(edges, exact, side="right"))
        told = drift.quantile(LATENCY_EDGES_US, counts, share)
        assert told is not None
        low, high = edges[max(0, place - 1)], edges[min(place, len(edges) - 1)]
        assert low * (1 - 1e-9) <= told <= high * (1 + 1e-9)

    def test_of_nothing_is_none(self):
        assert drift.quantile(LATENCY_EDGES_US, [0] * (len(LATENCY_EDGES_US) + 1), 0.5) is None

    def test_edges_grow_by_one_factor(self):
        edges = drift.growing(10, 1e4, 4)
        steps = [high / low for low, high in pairwise(edges)]
        assert steps == pytest.approx([10 ** (1 / 4)] * len(steps))
        assert edges[-1] >= 1e4
        assert list(accumulate(edges, max)) == list(edges)
