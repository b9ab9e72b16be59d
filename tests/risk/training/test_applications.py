"""Simulated applicants and the models that are fitted on them."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

from services.risk import scorecards, scoring
from services.risk.applications.features import names_of
from services.risk.training import additive
from services.risk.training.applications import account_world, credit_world, fitting
from services.risk.training.export import parity_rows, run_alone
from services.risk.windows import DAY_MS

ARTIFACTS = Path(scoring.__file__).parent / "artifacts"
ROLES = [(product, role) for product in fitting.PRODUCTS for role in ("champion", "challenger")]


class TestCreditWorld:
    def test_knows_nothing_of_what_becomes_of_anybody(self, monkeypatch: pytest.MonkeyPatch):
        """Outcomes have a generator of their own: without them every feature is the same."""
        made = credit_world.simulate("loan", seed=1, count=400)
        assert 0.02 < made.bad.mean() < 0.15
        nobody = np.zeros(400, dtype=np.bool_)
        monkeypatch.setattr(credit_world, "outcomes", lambda *_, **__: nobody)
        other = credit_world.simulate("loan", seed=1, count=400)
        np.testing.assert_array_equal(made.features, other.features)
        assert not other.bad.any()

    def test_has_each_feature_that_serving_has_by_name(self):
        for product in ("loan", "card"):
            made = credit_world.simulate(product, seed=2, count=300)
            assert made.names == names_of(product)
            missing = np.isnan(made.features).mean(axis=0)
            told = dict(zip(made.names, missing, strict=True))
            assert all(told[name] < 0.3 for name in fitting.inputs_of(product))
            assert told["bureau.overdue_90d"] > 0

    def test_fits_only_on_what_was_over_before_the_test_began(self):
        parts = fitting.parts(credit_world.simulate("loan", seed=3, count=3_000))
        assert parts.fitted.month.max() < 12 <= parts.valid.month.min()
        # a year until a default shows
        assert parts.valid.month.max() + 12 < parts.test.month.min()


class TestAccountWorld:
    def test_sees_no_application_that_comes_later(self):
        stream = account_world.stream(seed=4, a_day=12, days=60)
        whole = account_world.measured(stream)
        part = account_world.measured(stream[: len(stream) // 2])
        np.testing.assert_array_equal(whole.features[: len(part)], part.features)

    def test_hears_of_malice_only_once_it_is_told(self):
        stream = account_world.stream(seed=4, a_day=40, days=90)
        kinds = {one.kind for one in stream}
        assert kinds == {"honest", *account_world.MALICE}
        moment = stream[-1].at_ms - account_world.TOLD_AFTER_DAYS * DAY_MS
        unheard = [replace(one, kind="honest") if one.at_ms > moment else one for one in stream]
        assert unheard != stream
        found, other = account_world.measured(stream), account_world.measured(unheard)
        np.testing.assert_array_equal(found.features, other.features)

    @pytest.mark.parametrize(("days", "distance"), [(29, math.nan), (31, 2.0)])
    def test_sees_known_malice_on_the_same_device(self, days: int, distance: float):
        [first, *_] = account_world.stream(seed=4, a_day=12, days=2)
        bad = replace(first, kind="mule", device="shared")
        after = replace(bad, customer="c-after", kind="honest", phone="other")
        after = replace(after, at_ms=bad.at_ms + days * DAY_MS)
        found = account_world.measured([bad, after])
        place = found.names.index("ring_fraud_distance")
        np.testing.assert_array_equal(found.features[:, place], [math.nan, distance])


class TestTraining:
    @pytest.mark.parametrize("product", ["loan", "account_opening"])
    def test_writes_the_same_bytes_twice(self, product: str):
        one, two = (fitting.train(product, seed=9, scale=0.06) for _ in range(2))
        assert one == two
        assert sorted(one) == sorted(
            f"{product}/{path.name}" for path in (ARTIFACTS / product).iterdir()
        )

    def test_has_shares_that_add_up_to_the_score_and_fits_the_file(self):
        made = credit_world.simulate("loan", seed=5, count=1_500)
        names = fitting.inputs_of("loan")
        columns = made.columns()
        rows = np.column_stack([columns[name] for name in names]).astype(np.float32)
        directions = [fitting.DIRECTIONS.get(name, 0) for name in names]
        model = additive.fit(rows, made.bad, directions=directions, rounds=60)
        onnx = additive.to_onnx(model, name="loan")
        asked = parity_rows(rows, seed=1)
        assert np.abs(run_alone(onnx, asked) - model.score(asked)).max() <= 1e-6
        session = ort.InferenceSession(onnx, providers=["CPUExecutionProvider"])
        probabilities, shares = session.run(None, {scoring.INPUT_NAME: rows})
        odds = np.log(probabilities[:, 1] / probabilities[:, 0]) - shares.sum(axis=1)
        assert np.ptp(odds) < 1e-4
        # a share moves with its own input and with no other
        other = rows.copy()
        other[:, 0] = 3
        moved = session.run(None, {scoring.INPUT_NAME: other})[1] != shares
        assert moved[:, 0].any()
        assert not moved[:, 1:].any()


class TestArtifacts:
    @pytest.mark.parametrize(("product", "role"), ROLES)
    def test_are_sound_and_lean_on_no_age(self, product: str, role: str):
        folder = ARTIFACTS / product
        fields = json.loads((folder / f"{role}.json").read_bytes())
        assert (fields["product"], bool(fields["owner"])) == (product, True)
        assert fields["data"]["bad"] > 300
        if (folder / f"{role}.onnx").exists():
            inputs = [one.name for one in scoring.load(folder, name=role).manifest.features]
            assert fields["metrics"]["parity_worst"] <= 1e-5
            assert fields["metrics"]["parity_rows"] >= 10_000
        else:
            inputs = list(scorecards.load(folder, name=role).inputs)
        assert set(inputs) <= set(names_of(product)) - {"age"}  # type: ignore[arg-type]

    @pytest.mark.parametrize("product", ["loan", "card"])
    def test_give_worse_points_for_what_is_worse(self, product: str):
        card = scorecards.load(ARTIFACTS / product, name="champion").card
        for one in card.characteristics:
            sign = fitting.DIRECTIONS.get(one.name)
            steps = np.diff(one.points) * (sign or 1)
            assert (steps >= 0).all() or (sign is None and (steps <= 0).all())
            assert one.reason in fitting.CREDIT_REASONS.values()

    def test_tell_a_farm_from_a_family(self):
        model = scoring.load(ARTIFACTS / "account_opening", name="champion")
        calm = {
            "customer_count_30d": 1.0,
            "device_count_24h": 1.0,
            "device_customers_30d": 1.0,
            "face_match": 0.97,
            "ring_size": 1.0,
            "telecom.months_on_network": 60.0,
            "telecom.name_matches": 1.0,
        }
        family = calm | {"device_customers_30d": 2.0, "ring_size": 2.0}
        farm = calm | {
            "device_count_24h": 9.0,
            "device_customers_30d": 14.0,
            "face_match": 0.84,
            "ring_size": 8.0,
            "telecom.months_on_network": 1.0,
            "telecom.name_matches": 0.0,
        }
        unknown = calm | dict.fromkeys(
            ("telecom.months_on_network", "telecom.name_matches", "device_count_24h"), math.nan
        )
        assert model.score(calm) < model.score(family) < model.thresholds.review
        assert model.score(unknown) < model.thresholds.review
        assert model.score(farm) >= model.thresholds.decline
