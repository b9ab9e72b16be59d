"""Measures against scikit-learn's, intervals against what they promise."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from services.risk import evaluation as ev


def drawn(
    seed: int, *, rows: int = 600, rate: float = 0.3, apart: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    truth = draw.random(rows) < rate
    truth[:2] = [True, False]
    logit = draw.normal(size=rows) + apart * truth - 1
    return truth, 1 / (1 + np.exp(-logit))


class TestMeasures:
    @settings(max_examples=40, deadline=None)
    @given(
        st.lists(
            st.tuples(st.booleans(), st.sampled_from([0.0, 0.1, 0.25, 0.3, 0.7, 1.0])),
            min_size=2,
            max_size=40,
        ).filter(lambda rows: len({label for label, _ in rows}) == 2)
    )
    def test_agree_with_scikit_learn_where_scores_are_alike(self, rows):
        truth = np.array([label for label, _ in rows])
        scores = np.array([score for _, score in rows])
        false, true, _ = metrics.roc_curve(truth, scores, drop_intermediate=False)
        assert ev.roc_auc(truth, scores) == pytest.approx(metrics.roc_auc_score(truth, scores))
        assert ev.ks(truth, scores) == pytest.approx(np.abs(true - false).max())
        assert ev.average_precision(truth, scores) == pytest.approx(
            metrics.average_precision_score(truth, scores)
        )
        assert ev.brier(truth, scores) == pytest.approx(metrics.brier_score_loss(truth, scores))

    @settings(max_examples=40, deadline=None)
    @given(st.integers(0, 10_000), st.sampled_from([0.3, 0.5, 0.8, 0.95, 1.0]))
    def test_find_the_lowest_threshold_from_which_on_a_precision_holds(self, seed, precision):
        truth, scores = drawn(seed, rows=60)
        found = ev.threshold_for(truth, scores, precision=precision)
        reaches = [one for one in sorted(scores) if ev_precision(truth, scores, one) >= precision]
        whole = [
            one
            for one in reaches
            if all(
                ev_precision(truth, scores, other) >= precision for other in scores[scores >= one]
            )
        ]
        assert found == pytest.approx(min(whole, default=1.0), abs=1e-6)
        assert found >= min(whole, default=1.0)

    @pytest.mark.parametrize(
        ("truth", "scores", "cause"),
        [
            ([True, True], [0.1, 0.2], "one class"),
            ([True, False], [0.1, np.nan], "not a number"),
            ([True, False], [0.1, np.inf], "not a number"),
            ([True, False], [0.1], "belong together"),
            ([], [], "one class"),
        ],
    )
    def test_say_why_they_cannot_be(self, truth, scores, cause):
        with pytest.raises(ev.NotMeasurable, match=cause):
            ev.measured(np.array(truth, dtype=bool), np.array(scores, dtype=float))


def ev_precision(truth: np.ndarray, scores: np.ndarray, threshold: float) -> float:
    return ev.precision_recall(truth, scores, threshold=threshold)[0]


class TestInterval:
    def test_of_an_area_holds_the_true_one_95_times_of_100(self):
        # of two normal distributions that lie a standard deviation apart: Phi(1 / sqrt(2))
        true_area, held = 0.7602499, []
        for seed in range(400):
            found = ev.auc(*drawn(seed, rows=300))
            held.append(found.low <= true_area <= found.high)
        assert 0.92 <= np.mean(held) <= 0.98

    def test_of_a_difference_is_narrower_than_those_of_both(self):
        truth, scores = drawn(1, rows=3_000)
        other = np.clip(scores + np.random.default_rng(2).normal(0, 0.02, len(scores)), 0, 1)
        by = ev.auc_difference(truth, scores, other)
        alone = ev.auc(truth, scores)
        assert by.value == pytest.approx(ev.roc_auc(truth, scores) - ev.roc_auc(truth, other))
        assert by.high - by.low < (alone.high - alone.low) / 4
        same = ev.auc_difference(truth, scores, scores)
        assert (same.value, same.low, same.high) == (0, 0, 0)

    def test_of_a_perfect_model_is_not_a_point(self):
        truth = np.array([True] * 10 + [False] * 90)
        found = ev.auc(truth, truth.astype(float))
        assert found.value == found.high == 1
        assert 0.6 < found.low < 0.8

    def test_is_the_same_with_the_same_seed_and_holds_the_value(self):
        truth, scores = drawn(3)
        one, again = (ev.measured(truth, scores, seed=5) for _ in range(2))
        assert one == again
        assert one != ev.measured(truth, scores, seed=6)
        for found in (one.auc, one.ks, one.average_precision, one.brier):
            assert found.low < found.value < found.high

    def test_of_a_median_holds_the_true_one(self):
        draw = np.random.default_rng(4)
        held = 0
        for _ in range(300):
            found = ev.middle_of(draw.exponential(size=80))
            held += found.low <= np.log(2) <= found.high
        assert held / 300 > 0.92


class TestCalibration:
    def test_finds_what_was_stretched_and_shifted(self):
        draw = np.random.default_rng(5)
        logit = draw.normal(-1, 1, 20_000)
        truth = draw.random(20_000) < 1 / (1 + np.exp(-logit))
        told = 1 / (1 + np.exp(-(2 * logit + 1)))  # twice too sure, and too high
        found = ev.calibration(truth, told)
        assert found.slope.low < 0.5 < found.slope.high
        assert found.intercept.low < -0.5 < found.intercept.high
        honest = ev.calibration(truth, 1 / (1 + np.exp(-logit)))
        assert honest.slope.low < 1 < honest.slope.high
        assert honest.error < 0.02 < found.error
        assert sum(one.rows for one in found.bins) == 20_000

    def test_has_no_line_where_bad_and_good_are_parted(self):
        truth = np.array([True] * 50 + [False] * 50)
        found = ev.calibration(truth, np.where(truth, 0.9, 0.1))
        assert found.slope is None
        assert [one.found.value for one in found.bins] == [0, 1]


class TestStability:
    def test_rises_with_the_distance_and_sees_what_went_missing(self):
        _, scores = drawn(6, rows=5_000)
        assert ev.score_psi(scores, scores) == pytest.approx(0)
        moved = [ev.score_psi(scores, np.clip(scores + by, 0, 1)) for by in (0.02, 0.1, 0.3)]
        assert moved == sorted(moved)
        assert moved[0] < 0.1 < 0.25 < moved[2]
        gone = scores.copy()
        gone[:1_000] = np.nan
        assert ev.score_psi(scores, gone) > 0.25


class TestDecisions:
    def test_that_change_are_counted_in_pairs(self):
        before = np.array(["approve", "approve", "decline", "review"])
        after = np.array(["approve", "decline", "approve", "review"])
        cells = ev.swap_sets(
            before,
            after,
            truth=np.array([False, True, False, True]),
            amounts=np.array([100, 250, 40, 7]),
        )
        told = {(one.before, one.after): (one.rows, one.bad, one.amount) for one in cells}
        assert len(told) == 9
        assert told["approve", "decline"] == (1, 1, 250)
        assert told["decline", "approve"] == (1, 0, 40)
        assert sum(rows for rows, _, _ in told.values()) == 4

    def test_at_equal_approval_show_which_model_is_better(self):
        truth, scores = drawn(7, rows=6_000, apart=2)
        worse = drawn(7, rows=6_000, apart=0)[1]
        found = ev.equal_approval(truth, worse, scores, share=0.7, gain=1, loss=4)
        assert found.swapped_in == found.swapped_out
        assert found.difference.high < 0 < found.profit_difference.low
        saved = found.swapped_out_bad - found.swapped_in_bad
        assert saved > 0
        # each bad one that is avoided saves its loss and brings in a good one
        assert found.profit_difference.value == pytest.approx(saved * (4 + 1))

    def test_between_equal_scores_does_not_hang_on_the_order_of_rows(self):
        truth = np.array([False] * 500 + [True] * 500)
        kept = ev.approved_share(np.full(1_000, 0.4), 0.5)
        assert kept.sum() == 500
        assert 0.4 < ev.bad_rate(truth, kept).value < 0.6

    def test_bring_what_the_good_pay_less_what_the_bad_cost(self):
        truth = np.array([False, False, True, True])
        kept = np.array([True, True, True, False])
        assert ev.profit(truth, kept, gain=10, loss=25) == -5
        amounts = np.array([1.0, 2.0, 3.0, 4.0])
        assert ev.profit(truth, kept, gain=amounts, loss=2 * amounts) == -3


class TestFairness:
    def test_sees_a_group_that_is_declined_though_it_is_as_good(self):
        draw = np.random.default_rng(8)
        group = np.where(draw.random(8_000) < 0.3, "south", "north")
        truth = draw.random(8_000) < 0.2
        scores = np.clip(0.2 + 0.3 * truth + 0.15 * (group == "south"), 0, 1)
        scores = np.clip(scores + draw.normal(0, 0.1, 8_000), 0, 1)
        north, south = ev.fairness(truth, scores, scores < 0.35, group)
        assert (north.name, north.is_reference, north.approval_ratio) == ("north", True, None)
        assert south.approval_ratio.high < 0.8
        assert south.opportunity_gap.low > 0.3
        assert south.auc.value == pytest.approx(north.auc.value, abs=0.05)
        assert south.expected_rate > south.bad_rate.high

    def test_counts_a_small_group_and_judges_it_not(self):
        draw = np.random.default_rng(9)
        group = np.array(["many"] * 400 + ["few"] * 12)
        truth = draw.random(412) < 0.3
        few = ev.fairness(truth, draw.random(412), draw.random(412) < 0.5, group)[1]
        assert (few.rows, few.approval_ratio, few.opportunity_gap, few.auc) == (
            12,
            None,
            None,
            None,
        )
