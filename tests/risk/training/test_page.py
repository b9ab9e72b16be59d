"""The page of the models: its figures meet the bars, and it is about the models that are here."""

import json
from pathlib import Path
from typing import Any

import pytest

from services.risk import scoring
from services.risk.training.report import studies
from services.risk.training.report.page import page

ARTIFACTS = Path(scoring.__file__).parent / "artifacts"
DOCS = Path(scoring.__file__).parents[2] / "docs"
FIGURES: dict[str, Any] = json.loads((DOCS / "models" / "figures.json").read_text())
FILES = sorted(
    str(path.relative_to(ARTIFACTS))
    for path in ARTIFACTS.glob("**/*.json")
    if not path.stem.endswith(".reference") and path.parent.name != "former"
)


class TestPage:
    def test_is_written_from_its_figures(self):
        assert (DOCS / "models.md").read_text() == page(FIGURES)

    def test_is_about_each_model_that_is_here(self):
        assert sorted(FIGURES["models"]) == FILES
        for file in FILES:
            fields = json.loads((ARTIFACTS / file).read_bytes())
            told = FIGURES["models"][file]
            assert told["sha256"] == fields.get("sha256", fields["manifest_sha256"])
            assert told["sha256"] in (DOCS / "models.md").read_text()
            assert told["is_reproduced"]

    def test_has_its_plots(self):
        text = (DOCS / "models.md").read_text()
        plots = {path.name for path in (DOCS / "models").glob("*.svg")}
        assert {one["plot"] + ".svg" for one in FIGURES["models"].values()} <= plots
        assert {"german.svg", "handbook.svg"} <= plots
        assert all(f"models/{name}" in text for name in plots)

    def test_says_that_german_credit_is_over_its_bar(self):
        value, low, high = FIGURES["german"]["scorecard"]
        assert studies.GERMAN_BAR <= value < studies.GERMAN_SUSPECT
        assert low < value < high

    def test_says_that_the_handbook_s_forest_is_beaten_each_week(self):
        found = FIGURES["handbook"]
        weeks = found["weeks"]
        assert len({(week["seed"], week["first_day"]) for week in weeks}) == 9
        assert found["our_ap"][0] >= studies.HANDBOOK_BAR
        assert found["difference"][0] >= studies.HANDBOOK_LEAD
        assert found["difference"][1] > 0
        mean = sum(week["our_ap"] - week["forest_ap"] for week in weeks) / 9
        assert found["difference"][0] == pytest.approx(mean, abs=2e-4)

    @pytest.mark.parametrize("file", FILES)
    def test_tells_of_models_that_part_and_promise_what_comes(self, file: str):
        told = FIGURES["models"][file]
        fallback = told["role"] == "fallback"
        assert told["auc"][1] > 0.75
        # the stopgap of rules alone is no probability
        assert fallback or told["calibration"]["error"] < 0.03
        assert fallback or 0.7 < told["calibration"]["slope"][0] < 1.3
