"""The handbook's world and what is known of a payment at its moment."""

from dataclasses import replace

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from services.risk.training.handbook import features, study
from services.risk.training.handbook.simulator import DAY_S, Payments, World, simulate

WORLD = World(customers=150, terminals=300, days=80)
DELAY_S = features.DELAY_DAYS * DAY_S


@pytest.fixture(scope="module")
def payments() -> Payments:
    return simulate(seed=5, world=WORLD)


@pytest.fixture(scope="module")
def columns(payments: Payments) -> features.Columns:
    return features.ours(payments, features.standard(payments))


class TestWorld:
    def test_is_the_same_for_a_seed_and_another_for_another(self, payments: Payments):
        again = simulate(seed=5, world=WORLD)
        assert all((getattr(again, n) == getattr(payments, n)).all() for n in Payments.__slots__)
        assert len(simulate(seed=6, world=WORLD)) != len(payments)

    def test_is_in_order_of_time_and_robbed_in_its_three_ways(self, payments: Payments):
        assert (np.diff(payments.time_s) >= 0).all()
        assert set(payments.scenario.tolist()) == {0, 1, 2, 3}
        assert (payments.scenario[payments.amount > 600] > 0).all()
        # two terminals a day for 28 days are a fifth of so few
        assert 0.02 < payments.is_fraud.mean() < 0.4


class TestFeatures:
    def test_are_what_counting_by_hand_gives(self, payments: Payments, columns: features.Columns):
        for row in np.random.default_rng(1).integers(0, len(payments), 40):
            at = payments.time_s[row]
            own = (payments.customer == payments.customer[row]) & (payments.time_s <= at)
            week = own & (payments.time_s > at - 7 * DAY_S)
            assert columns["customer_count_7d"][row] == week.sum()
            assert columns["customer_mean_7d"][row] == pytest.approx(payments.amount[week].mean())
            there = payments.terminal == payments.terminal[row]
            told = there & (payments.time_s <= at - DELAY_S)
            month = told & (payments.time_s > at - DELAY_S - 30 * DAY_S)
            assert columns["terminal_count_30d"][row] == month.sum()
            share = payments.is_fraud[month].mean() if month.any() else 0
            assert columns["terminal_risk_30d"][row] == pytest.approx(share)
            before = own & (payments.time_s > at - 30 * DAY_S) & (np.arange(len(own)) != row)
            if before.any():
                ratio = payments.amount[row] / payments.amount[before].mean()
                assert columns["amount_to_mean_30d"][row] == pytest.approx(ratio)

    def test_see_no_payment_that_comes_later(self, payments: Payments, columns: features.Columns):
        early = payments.until(50 * DAY_S)
        known = features.ours(early, features.standard(early))
        for name, values in known.items():
            np.testing.assert_allclose(values, columns[name][: len(early)], rtol=1e-7, atol=1e-7)

    def test_see_no_label_before_it_is_told(self, payments: Payments, columns: features.Columns):
        moment = 60 * DAY_S
        hidden = payments.time_s > moment - DELAY_S
        other = replace(
            payments, scenario=np.where(hidden, 2 - payments.scenario, payments.scenario)
        )
        assert (other.is_fraud != payments.is_fraud).any()
        changed = features.ours(other, features.standard(other))
        until = payments.time_s <= moment
        later = payments.time_s > moment + DELAY_S
        for name, values in changed.items():
            np.testing.assert_array_equal(values[until], columns[name][until])
        assert (changed["terminal_risk_7d"][later] != columns["terminal_risk_7d"][later]).any()


class TestStudy:
    def test_fits_on_what_is_told_and_tests_on_who_is_not_known(self, payments: Payments):
        day, truth, customer = payments.day, payments.is_fraud, payments.customer
        fitted = study.labelled(day, first_day=50, days=30)
        assert (day[fitted].min(), day[fitted].max()) == (13, 42)
        rows = study.rows_of_test(day, truth, customer, first_day=50)
        assert set(day[rows].tolist()) <= set(range(50, 57))
        for row in rows[:: len(rows) // 50]:
            told = truth & (day >= 36) & (day < day[row] - 7) & (customer == customer[row])
            assert not told.any()
        left_out = np.setdiff1d(np.flatnonzero((day >= 50) & (day < 57)), rows)
        assert len(left_out)

    def test_scores_the_same_payments_with_both(self):
        world = World(customers=300, terminals=500, days=60)
        with threadpool_limits(limits=1):
            [week] = study.weeks(1, world=world, days=(50,))
        assert len(week.truth) == len(week.forest) == len(week.ours)
        # whom either scores above all else was robbed
        assert week.truth[np.argsort(week.ours)[-10:]].mean() > 3 * week.truth.mean()
