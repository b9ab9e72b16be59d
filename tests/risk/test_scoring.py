"""The fraud model as it is served: checked at load, alone, on one thread."""

import json
import math
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.risk import scoring
from services.risk.features import FRAUD_INPUTS, HOUR_MS, Windows
from services.risk.scoring import FraudModel, ModelRefused, load, manifest_sha256
from services.risk.windows import DAY_MS, SeenPayment

ARTIFACTS = Path(scoring.__file__).parent / "artifacts"
MIDNIGHT_MS = 1_767_196_800_000  # in the bank's own time, UTC+8


@pytest.fixture(scope="module")
def model() -> FraudModel:
    return load(ARTIFACTS)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the committed model, to be spoiled."""
    return Path(shutil.copytree(ARTIFACTS, tmp_path / "artifacts"))


def rewrite(folder: Path, *, keep_hash: bool = False, **changes: Any) -> None:
    """Changes the manifest, as its author would: with a hash that agrees."""
    path = folder / "fraud.json"
    fields = json.loads(path.read_bytes()) | changes
    if not keep_hash:
        fields["manifest_sha256"] = manifest_sha256(fields)
    path.write_text(json.dumps(fields))


class TestCommittedModel:
    def test_takes_the_features_that_the_windows_give(self, model: FraudModel) -> None:
        assert tuple(feature.name for feature in model.manifest.features) == FRAUD_INPUTS

    def test_is_small_and_separates_out_of_time(self, model: FraudModel) -> None:
        assert (ARTIFACTS / "fraud.onnx").stat().st_size <= 500_000
        assert model.manifest.metrics["auc"] > 0.95
        assert model.manifest.metrics["average_precision"] > 0.6
        assert model.manifest.metrics["parity_worst"] <= 1e-5
        assert model.manifest.metrics["parity_rows"] >= 10_000

    def test_names_each_feature_in_both_languages(self, model: FraudModel) -> None:
        for feature in model.manifest.features:
            assert feature.en.isascii()
            assert any("\u4e00" <= letter <= "\u9fff" for letter in feature.zh)

    @pytest.mark.parametrize("hour", range(0, 24, 3))
    @pytest.mark.parametrize("value_minor", [1, 1_250, 10_000, 100_000, 500_000])
    def test_lets_a_new_customer_of_a_new_bank_pay(
        self, model: FraudModel, hour: int, value_minor: int
    ) -> None:
        windows = Windows()
        for i in range(10):
            at_ms = MIDNIGHT_MS + hour * HOUR_MS + i * 500
            payment = SeenPayment(f"p{i}", "c1", "a1", "shop", value_minor, at_ms)
            assert model.score(windows.measure(payment)) < model.manifest.thresholds.review

    def test_stops_a_takeover_at_night(self, model: FraudModel) -> None:
        windows = Windows()
        for day in range(30):
            at_ms = MIDNIGHT_MS + day * DAY_MS + 12 * HOUR_MS
            windows.observe(SeenPayment(f"p{day}", "c1", "a1", f"shop{day % 3}", 6_000, at_ms))
        start_ms = MIDNIGHT_MS + 30 * DAY_MS + 3 * HOUR_MS
        thefts = [
            SeenPayment(f"t{i}", "c1", "a1", "mule", 150_000, start_ms + i * 120_000)
            for i in range(4)
        ]
        scores = [model.score(windows.measure(theft)) for theft in thefts]
        assert max(scores) >= model.manifest.thresholds.decline

    @given(
        values=st.lists(
            st.floats(width=32, allow_nan=True, allow_infinity=True),
            min_size=len(FRAUD_INPUTS),
            max_size=len(FRAUD_INPUTS),
        )
    )
    def test_gives_a_probability_for_any_input(
        self, model: FraudModel, values: list[float]
    ) -> None:
        assert 0 <= model.score_vector(values) <= 1

    def test_refuses_to_score_without_one_of_its_features(self, model: FraudModel) -> None:
        features = dict.fromkeys(FRAUD_INPUTS, math.nan)
        del features["payee_new"]
        with pytest.raises(KeyError):
            model.score(features)


class TestLoad:
    def test_accepts_a_true_copy(self, folder: Path) -> None:
        assert load(folder).label == "fraud-2026.2"

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
    @given(place=st.integers(0, 10**6), bit=st.integers(0, 7))
    def test_refuses_a_model_with_one_flipped_bit(self, folder: Path, place: int, bit: int) -> None:
        content = bytearray((ARTIFACTS / "fraud.onnx").read_bytes())
        content[place % len(content)] ^= 1 << bit
        (folder / "fraud.onnx").write_bytes(content)
        with pytest.raises(ModelRefused, match="SHA-256"):
            load(folder)

    def test_refuses_another_model_under_the_same_manifest(self, folder: Path) -> None:
        """The golden vectors hold even where both hashes were made to agree."""
        vectors = json.loads((folder / "fraud.json").read_bytes())["golden"]
        vectors[3]["score"] += 2e-6
        rewrite(folder, golden=vectors)
        with pytest.raises(ModelRefused, match="golden vector"):
            load(folder)

    def test_refuses_a_golden_vector_that_is_not_a_number(self, folder: Path) -> None:
        vectors = json.loads((folder / "fraud.json").read_bytes())["golden"]
        vectors[0]["score"] = math.nan
        rewrite(folder, golden=vectors)
        with pytest.raises(ModelRefused):
            load(folder)

    def test_refuses_a_manifest_that_was_altered(self, folder: Path) -> None:
        rewrite(folder, keep_hash=True, thresholds={"review": 0.99, "decline": 1.0})
        with pytest.raises(ModelRefused, match="altered"):
            load(folder)

    def test_refuses_thresholds_out_of_order(self, folder: Path) -> None:
        rewrite(folder, thresholds={"review": 0.9, "decline": 0.1})
        with pytest.raises(ModelRefused, match="not a manifest"):
            load(folder)

    def test_refuses_a_file_that_is_no_model(self, folder: Path) -> None:
        (folder / "fraud.onnx").write_bytes(b"")
        rewrite(folder, sha256="e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        with pytest.raises(ModelRefused, match="does not run"):
            load(folder)

    @pytest.mark.parametrize("name", ["fraud.onnx", "fraud.json"])
    def test_refuses_when_a_file_is_missing(self, folder: Path, name: str) -> None:
        (folder / name).unlink()
        with pytest.raises(ModelRefused, match=rf"{name} cannot be read"):
            load(folder)

    def test_refuses_a_manifest_that_is_no_json(self, folder: Path) -> None:
        (folder / "fraud.json").write_bytes(b"\xff{")
        with pytest.raises(ModelRefused, match="not a manifest"):
            load(folder)


class TestServing:
    def test_never_imports_a_training_library(self) -> None:
        program = (
            "import sys, services.risk.main, services.risk.scoring as scoring\n"
            "from pathlib import Path\n"
            f"scoring.load(Path({str(ARTIFACTS)!r}))\n"
            # numba looks for scipy itself and takes nothing of it
            "banned = ('sklearn', 'skl2onnx', 'scipy.s', 'pandas', 'services.risk.training')\n"
            "print([name for name in sys.modules if name.startswith(banned)])\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=True,
            cwd=ARTIFACTS.parents[2],
        )
        assert done.stdout.strip() == "[]"

    def test_scores_a_row_alone_as_in_a_batch(self, model: FraudModel) -> None:
        rows = np.random.default_rng(5).normal(2, 3, (500, len(FRAUD_INPUTS)))
        batch = rows.astype(np.float32)
        [scores] = model._session.run(["probabilities"], {"features": batch})
        alone = [model.score_vector([float(value) for value in row]) for row in batch]
        assert alone == [float(score) for score in scores[:, 1]]
