"""The model lab from a file to models that serve: what it finds, and what it refuses."""

import csv
import json
import random
from pathlib import Path

import numpy as np
import pytest

from services.risk import scorecards, scoring
from services.risk.scoring import ModelRefused
from services.risk.training.lab import reading
from services.risk.training.lab import run as lab
from services.risk.training.lab.__main__ import main
from services.risk.training.lab.columns import understood
from services.risk.training.lab.folds import folds_of, groups_of
from services.risk.training.lab.labels import label_of
from services.risk.training.lab.leaks import without_leaks

ROWS = 420
NAMES = ("scorecard", "logistic", "additive", "boosted")


def table() -> list[dict[str, object]]:
    """Two honest columns, and about everything that goes wrong with a table."""
    draw = random.Random(3)
    rows: list[dict[str, object]] = []
    for number in range(ROWS - 10):
        bad = draw.random() < 0.3
        rating = round(draw.gauss(1.0 * bad, 1), 3)
        rows.append(
            {
                "客户编号": 70_000 + 3 * number,
                "opened on": f"2024-{draw.randint(1, 12):02d}-{draw.randint(13, 28):02d}",
                "income": f"{int(draw.lognormvariate(8, 0.6)):,}",
                "age": -999 if draw.random() < 0.05 else draw.randint(18, 70),
                "country": "CN",
                "region": draw.choice(["north", "south", "east", ""]),
                "remark": f"the client asked again for more time {number}",
                "closed": f"2025-0{draw.randint(1, 9)}-11" if bad else "",
                "rating": rating,
                "rating in percent": round(rating * 100, 1),
                # after the outcome, and wrong in one case of 33
                "reminders": int(bad) if draw.random() < 0.97 else int(not bad),
                "result": "bad" if bad else "good",
            }
        )
    return rows + rows[:10]


def written(path: Path, rows: list[dict[str, object]], **how: str) -> Path:
    with path.open("w", newline="", encoding=how.get("encoding", "utf-8")) as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=how.get("delimiter", ","))
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that a run has left."""
    folder = tmp_path_factory.mktemp("lab")
    data = written(folder / "table.csv", table(), encoding="gb18030", delimiter=";")
    assert main(["--data", str(data), "--label", "result", "--out", str(folder / "out")]) == 0
    return folder / "out"


class TestRun:
    def test_finds_what_is_wrong_and_leaves_out_what_leaks(self, out: Path):
        report = json.loads((out / "report.json").read_text())
        found = {(one["code"], one["column"]) for one in report["findings"]}
        assert found >= {
            ("encoding", ""), ("delimiter", ""), ("id", "客户编号"), ("date", "opened on"),
            ("separators", "income"), ("sentinel", "age"), ("constant", "country"),
            ("missing", "region"), ("free_text", "remark"), ("leak", "closed"),
            ("leak", "reminders"), ("copy", "rating in percent"), ("duplicate_rows", ""),
            ("label_values", "result"),
        }  # fmt: skip
        manifest = json.loads((out / "boosted.json").read_text())
        assert {one["name"].split("_")[0] for one in manifest["features"]} == {
            "opened on", "income", "age", "region", "rating",
        }  # fmt: skip
        assert report["label"] == {"column": "result", "bad": "bad", "good": "good"}

    def test_measures_every_model_and_none_is_too_good(self, out: Path):
        report = json.loads((out / "report.json").read_text())
        assert [one["name"] for one in report["models"]] == list(NAMES)
        for one in report["models"]:
            assert 0.6 < one["auc"] < 0.9, one["name"]
            assert one["auc_low"] < one["auc"] < one["auc_high"]
            assert 0 < one["ks"] < 1
            assert 0 < one["brier"] < 0.25
            assert one["fit_s"] > 0
            assert one["score_us"] > 0
            assert set(one["fairness"]) == {"age"}

    @pytest.mark.parametrize("name", NAMES)
    def test_leaves_models_that_serve_loads_and_a_flipped_bit_spoils(
        self, out: Path, name: str, tmp_path: Path
    ):
        model = scoring.load(out, name=name)
        assert model.manifest.data is not None
        assert model.manifest.data.rows == ROWS
        content = bytearray((out / f"{name}.onnx").read_bytes())
        content[len(content) // 2] ^= 8
        (tmp_path / f"{name}.onnx").write_bytes(content)
        (tmp_path / f"{name}.json").write_bytes((out / f"{name}.json").read_bytes())
        with pytest.raises(ModelRefused, match="SHA-256"):
            scoring.load(tmp_path, name=name)

    def test_writes_the_scorecard_as_points_that_score_as_its_file(self, out: Path):
        card = scorecards.load(out, name="scorecard.card")
        model = scoring.load(out, name="scorecard")
        draw = np.random.default_rng(1)
        for _ in range(200):
            row = {
                one.name: float(
                    np.float32(draw.choice([np.nan, draw.normal(0, 2), draw.integers(5)]))
                )
                for one in model.manifest.features
            }
            assert card.scored(row).score == pytest.approx(
                model.score_vector([row[one.name] for one in model.manifest.features]), abs=1e-6
            )

    def test_tells_the_codes_of_words(self, out: Path):
        manifest = json.loads((out / "logistic.json").read_text())
        [region] = [one for one in manifest["features"] if one["name"] == "region"]
        assert sorted(region["codes"]) == ["east", "north", "south"]
        assert sorted(region["codes"].values()) == [0, 1, 2]

    def test_writes_the_same_bytes_again(
        self, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(lab, "FAMILIES", lab.FAMILIES[:3:2])
        data = written(tmp_path / "table.csv", table())
        main(["--data", str(data), "--label", "RESULT", "--out", str(tmp_path / "again")])
        for name in ("scorecard", "additive"):
            again = (tmp_path / "again" / f"{name}.onnx").read_bytes()
            assert again == (out / f"{name}.onnx").read_bytes(), name


class TestRefusal:
    """One line that says what is wrong, and no traceback."""

    @pytest.mark.parametrize(
        ("content", "label", "cause"),
        [
            (b"", "y", "is empty"),
            (b"a,y\n", "y", "no rows below its header"),
            (b"a,b\n1,2\n", "y", "no column y; it has a, b"),
            (b"a,y\n" + b"1,0\n2,1\n" * 20, "y", "too few rows"),
            (b"a,y\n" + b"1,0\n" * 300, "y", "1 value ('0'); exactly two are expected"),
            (b"a,y\n" + b"1,0\n2,1\n3,2\n" * 100, "y", "3 values"),
            (b"a,y,y\n" + b"1,0,0\n2,1,1\n" * 200, "y", "more than one column y"),
            (b"a\n1\n2\n" * 50, "a", "one column alone"),
            (b"a,y\n" + b"1,0,7\n2,1,4\n" * 200, "y", "no table"),
            (b"a,y\n" + b"5,0\n5,1\n" * 200, "y", "no column is left"),
            (b"PK\x03\x04" + b"\0" * 100, "y", "save the sheet as CSV"),
            (b"a,y\n\0\x01,2\n", "y", "not text"),
        ],
    )
    def test_names_the_cause(
        self, content: bytes, label: str, cause: str, tmp_path: Path, capsys: pytest.CaptureFixture
    ):
        path = tmp_path / "table.csv"
        path.write_bytes(content)
        code = main(["--data", str(path), "--label", label, "--out", str(tmp_path / "out")])
        said = capsys.readouterr().err
        assert code == 2
        assert cause in said
        assert said.count("\n") == 1
        assert not (tmp_path / "out").exists()

    def test_asks_for_what_is_missing(self, tmp_path: Path, capsys: pytest.CaptureFixture):
        assert main(["--label", "y"]) == 2
        assert "DATA and OUT missing" in capsys.readouterr().err
        gone = str(tmp_path / "gone.csv")
        assert main(["--data", gone, "--label", "y", "--out", str(tmp_path)]) == 2
        assert "cannot be read" in capsys.readouterr().err

    def test_knows_no_other_bad_value(self, tmp_path: Path, capsys: pytest.CaptureFixture):
        path = written(tmp_path / "t.csv", table())
        asked = ["--data", str(path), "--label", "result", "--out", str(tmp_path / "o")]
        assert main([*asked, "--positive", "ugly"]) == 2
        assert "no value ugly; it has bad and good" in capsys.readouterr().err


def found_in(path: Path) -> dict[str, str]:
    """The columns that are suspected, with the code of the suspicion."""
    read = reading.read(path)
    label = label_of(read, "y", positive=None)
    columns = understood(read, label)
    rows = np.column_stack([one.values for column in columns for one in column.inputs])
    folds = folds_of(label.truth, groups_of(rows), count=3, seed=1)
    without_leaks(read, columns, label.truth, folds, keep=())
    return {one.column: one.code for one in read.findings if one.code in {"leak", "strong"}}


class TestLeaks:
    def test_a_strong_column_is_a_leak_only_where_the_others_can_tell(self, tmp_path: Path):
        draw = np.random.default_rng(4)
        truth = draw.random(1_200) < 0.3
        honest = {f"x{i}": draw.normal(0.6 * truth, 1) for i in range(5)}
        useless = {f"u{i}": draw.normal(size=1_200) for i in range(2)}
        strong = draw.normal(2.2 * truth, 1)  # alone an AUC of 0.94
        for name, others in (("honest", honest), ("useless", useless)):
            rows = [
                {"y": int(bad), "strong": f"{strong[i]:.4f}"}
                | {key: f"{values[i]:.4f}" for key, values in others.items()}
                for i, bad in enumerate(truth)
            ]
            written(tmp_path / f"{name}.csv", rows)
        assert found_in(tmp_path / "honest.csv") == {"strong": "leak"}
        assert found_in(tmp_path / "useless.csv") == {"strong": "strong"}


class TestFolds:
    def test_keep_equal_rows_together_and_classes_apart_alike(self):
        draw = np.random.default_rng(2)
        rows = draw.integers(0, 60, (900, 2)).astype(np.float32)
        rows[draw.random(rows.shape) < 0.1] = np.nan
        truth = draw.random(900) < 0.2
        groups = groups_of(rows)
        folds = folds_of(truth, groups, count=5, seed=3)
        assert all(len(set(folds[groups == one])) == 1 for one in np.unique(groups))
        sizes = np.bincount(folds)
        assert sizes.min() > 0.6 * sizes.max()
        rates = [truth[folds == fold].mean() for fold in range(5)]
        assert max(rates) < 2 * min(rates)

    def test_take_equal_rows_apart_where_a_table_has_few_kinds_of_them(self):
        rows = np.random.default_rng(2).integers(0, 2, (500, 3)).astype(np.float32)
        assert len(np.unique(groups_of(rows))) == 500
