"""The training command: the same bytes twice, and nothing without parity."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from services.risk import scoring
from services.risk.features import FRAUD_INPUTS
from services.risk.training import export, fraud
from services.risk.training.simulation import HONEST, PATTERNS, Size, simulate
from services.risk.watch import references

ROOT = Path(scoring.__file__).parents[2]
ARTIFACTS = ROOT / "services" / "risk" / "artifacts"
SMALL = Size(customers=300, days=28)


def _train(out: Path, *, hash_seed: str, threads: str) -> None:
    command = [sys.executable, "-m", "services.risk.training.fraud", "--out", str(out)]
    command += ["--customers", str(SMALL.customers), "--days", str(SMALL.days)]
    environment = os.environ | {"PYTHONHASHSEED": hash_seed, "OMP_NUM_THREADS": threads}
    subprocess.run(command, check=True, cwd=ROOT, env=environment, capture_output=True)


class TestTraining:
    def test_writes_the_same_bytes_twice(self, tmp_path: Path) -> None:
        _train(tmp_path / "one", hash_seed="1", threads="1")
        _train(tmp_path / "two", hash_seed="2", threads="2")
        for name in ("fraud.onnx", "fraud.json", "fraud.reference.json"):
            one, two = ((tmp_path / run / name).read_bytes() for run in ("one", "two"))
            assert one == two
        model = scoring.load(tmp_path / "one")
        assert model.manifest.metrics["rows_test"] > 100
        of_model = references.load(tmp_path / "one")
        assert of_model.model == model.label
        assert list(of_model.features) == sorted(FRAUD_INPUTS)

    def test_writes_nothing_where_the_export_answers_otherwise(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        true_export = export.to_onnx

        def other_model(model: export.Trained, *, width: int) -> bytes:
            draw = np.random.default_rng(1)
            rows = draw.normal(size=(2_000, width)).astype(np.float32)
            return true_export(export.fit(rows, rows[:, 0] > 1, seed=1), width=width)

        monkeypatch.setattr(fraud, "to_onnx", other_model)
        arguments = ["--out", str(tmp_path / "out"), "--customers", "120", "--days", "28"]
        assert fraud.main(arguments) == 1
        assert "scores differ" in capsys.readouterr().err
        assert not (tmp_path / "out").exists()

    def test_another_seed_gives_another_history(self) -> None:
        size = Size(customers=40, days=4)
        assert simulate(seed=1, size=size) == simulate(seed=1, size=size)
        assert simulate(seed=1, size=size) != simulate(seed=2, size=size)

    def test_simulates_every_pattern_as_a_rare_one(self) -> None:
        found = [item.pattern for item in simulate(seed=3, size=Size(customers=500, days=28))]
        assert set(found) == {HONEST, *PATTERNS}
        assert found.count(HONEST) / len(found) > 0.97


class TestParityGate:
    def test_covers_gaps_extremes_and_split_edges(self) -> None:
        real = np.random.default_rng(0).normal(size=(500, len(FRAUD_INPUTS)))
        rows = export.parity_rows(real.astype(np.float32), seed=1)
        assert len(rows) >= 10_000
        assert np.isnan(rows).any(axis=1).sum() > 1_000
        assert (np.abs(rows) > 1e30).any(axis=1).sum() > 1_000

    def test_lets_an_export_with_one_wrong_leaf_fail(self) -> None:
        draw = np.random.default_rng(2)
        rows = draw.normal(size=(4_000, 3)).astype(np.float32)
        model = export.fit(rows, rows[:, 0] + rows[:, 1] > 2, seed=1)
        onnx = export.to_onnx(model, width=3)
        assert export.check_parity(model, onnx, rows, seed=1).worst <= 1e-5
        leaf = model.classifier._predictors[0][0].nodes
        leaf["value"][leaf["is_leaf"] == 1] += 0.01
        with pytest.raises(export.ParityBroken, match="scores differ"):
            export.check_parity(model, onnx, rows, seed=1)


class TestCommittedArtifacts:
    def test_agree_with_their_hashes(self) -> None:
        fields = json.loads((ARTIFACTS / "fraud.json").read_bytes())
        onnx = (ARTIFACTS / "fraud.onnx").read_bytes()
        assert hashlib.sha256(onnx).hexdigest() == fields["sha256"]
        assert scoring.manifest_sha256(fields) == fields["manifest_sha256"]

    def test_have_the_reference_of_their_model(self) -> None:
        assert references.load(ARTIFACTS).model == scoring.load(ARTIFACTS).label

    def test_were_trained_with_the_command_s_own_defaults(self) -> None:
        trained_on = json.loads((ARTIFACTS / "fraud.json").read_bytes())["trained_on"]
        size = fraud.SIZE
        expected = f"seed {fraud.SEED}, {size.customers} customers, {size.days} days"
        assert expected in trained_on
