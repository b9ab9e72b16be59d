"""Bins, points and their exact reasons; German credit as the yardstick."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.risk import scorecards, scoring
from services.risk.policies.reasons import REASONS
from services.risk.training import german, papers
from services.risk.training.folds import assigned, validated
from services.risk.training.report.studies import GERMAN_BAR, GERMAN_SUSPECT
from services.risk.training.woe import Binning, binned, fit

ARTIFACTS = Path(scoring.__file__).parent / "artifacts"
LOAN = scorecards.load(ARTIFACTS / "loan", name="champion")


class TestBins:
    @settings(max_examples=25, deadline=None)
    @given(seed=st.integers(0, 10**6), sign=st.sampled_from([-1, 0, 1]), gaps=st.booleans())
    def test_rise_or_fall_and_hold_enough_rows(self, seed: int, sign: int, gaps: bool):
        draw = np.random.default_rng(seed)
        values = draw.normal(size=600).round(draw.integers(0, 3))
        truth = draw.random(600) < 1 / (1 + np.exp(1 - values * draw.choice([-1, 1])))
        if gaps:
            values[draw.random(600) < 0.1] = math.nan
        how = Binning(directions={"x": sign})
        found = binned("x", values, truth, how)
        steps = np.diff(found.woe[:-1])
        assert (steps >= 0).all() or (steps <= 0).all()
        assert not sign or (steps * sign >= 0).all()
        assert len(found.woe) - 1 <= how.most
        if len(found.edges):
            assert found.rows[:-1].min() >= how.least_share * 600
        places = found.places(values)
        assert (np.bincount(places, minlength=len(found.woe)) == found.rows).all()
        assert (places[np.isnan(values)] == len(found.woe) - 1).all()

    def test_of_words_hold_each_word_once_and_take_an_unknown_one_for_missing(self):
        draw = np.random.default_rng(3)
        words = draw.choice(["a", "b", "c", "d"], 800)
        truth = draw.random(800) < np.where(np.isin(words, ["b", "d"]), 0.5, 0.1)
        found = binned("w", words, truth, Binning(least_z=4))
        assert sorted(word for group in found.groups for word in group) == ["a", "b", "c", "d"]
        assert [set(group) for group in found.groups] == [{"a", "c"}, {"b", "d"}]
        assert found.of(np.array(["z"]))[0] == pytest.approx(0)

    def test_that_are_turned_around_by_others_are_left_out(self):
        draw = np.random.default_rng(4)
        risk = draw.normal(size=3_000)
        noise = draw.normal(size=3_000)
        truth = draw.random(3_000) < 1 / (1 + np.exp(2 - 2 * risk))
        columns = {"risk": risk, "more": risk + noise, "noise": noise}
        fitted = fit(columns, truth, least_information=0.0)
        assert fitted.weights.min() > 0
        assert fitted.bins[0].name == "risk"


class TestGermanCredit:
    def test_reaches_the_bar_over_five_times_ten_folds(self):
        table = german.read()
        assert (len(table.truth), int(table.truth.sum()), len(table.columns)) == (1_000, 300, 20)
        found = validated(table.columns, table.truth, german.scorecard)
        assert len(found.folds) == 50
        assert GERMAN_BAR <= found.auc.value < GERMAN_SUSPECT
        assert found.auc.low < found.auc.value < found.auc.high

    def test_learns_nothing_from_labels_that_mean_nothing(self):
        """Bins that saw the test's labels would find something here too."""
        table = german.read()
        shuffled = np.random.default_rng(11).permutation(table.truth)
        found = validated(table.columns, shuffled, german.scorecard, repeats=1)
        assert abs(found.auc.value - 0.5) < 0.08

    def test_has_folds_with_each_its_share_of_the_bad(self):
        truth = german.read().truth
        fold = assigned(truth, seed=1)
        assert set(np.bincount(fold).tolist()) == {100}
        assert set(np.bincount(fold[truth]).tolist()) == {30}


class TestReasons:
    @settings(max_examples=40, deadline=None)
    @given(st.data())
    def test_are_what_each_characteristic_really_costs(self, data: st.DataObject):
        features = {
            one.name: data.draw(
                st.sampled_from([math.nan, *one.edges, (one.edges or [0])[0] - 1, 1e9])
            )
            for one in LOAN.card.characteristics
        }
        lost = LOAN.lost(features)
        score = LOAN.scored(features).score
        for one in lost:
            [own] = [each for each in LOAN.card.characteristics if each.name == one.name]
            best = own.points.index(min(own.points))
            value = own.edges[best - 1] if best else own.edges[0] - 1
            better = LOAN.scored(features | {one.name: value}).score
            odds = math.log(score / (1 - score)) - math.log(better / (1 - better))
            assert odds * scorecards.DOUBLE / math.log(2) == pytest.approx(one.points)
        assert [one.points for one in lost] == sorted((one.points for one in lost), reverse=True)
        codes = LOAN.reasons(features)
        assert codes == list(dict.fromkeys(one.reason for one in lost))[:4]
        assert set(codes) <= set(REASONS)

    def test_of_the_best_applicant_are_none(self):
        best = {}
        for one in LOAN.card.characteristics:
            place = one.points.index(min(one.points))
            best[one.name] = one.edges[place - 1] if place else one.edges[0] - 1
        assert LOAN.lost(best) == []
        assert LOAN.reasons(best) == []


class TestThreshold:
    @settings(max_examples=30, deadline=None)
    @given(seed=st.integers(0, 10**6), precision=st.sampled_from([0.3, 0.6, 0.9]))
    def test_promises_less_than_was_found(self, seed: int, precision: float):
        draw = np.random.default_rng(seed)
        scores = draw.random(2_000)
        truth = draw.random(2_000) < scores**3
        found = papers.threshold_kept(truth, scores, precision=precision)
        chosen = truth[scores >= found]
        assert found == 1.0 or chosen.mean() > precision

    def test_is_one_where_too_few_rows_say_so(self):
        scores = np.array([0.9, 0.9, 0.1, 0.1, 0.1])
        truth = np.array([True, True, False, False, False])
        assert papers.threshold_kept(truth, scores, precision=0.9) == 1.0
