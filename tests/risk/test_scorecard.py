"""The scorecard: a table of points that answers as its file promises, or is refused."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from services.risk import scorecards, scoring
from services.risk.features import Windows
from services.risk.scoring import ModelRefused
from services.risk.training import scorecard as training
from services.risk.training.fraud import measure
from services.risk.training.simulation import Size, simulate
from services.risk.windows import SeenPayment
from tests.risk.test_windows import NOON_MS

ARTIFACTS = Path(scoring.__file__).parent / "artifacts"
CARD = scorecards.load(ARTIFACTS)
FILE = "fraud.scorecard.json"


def changed(folder: Path, *, hashed: bool, **changes: Any) -> Path:
    """The committed file with changes, under a hash that agrees or the old one."""
    fields = json.loads((ARTIFACTS / FILE).read_text()) | changes
    if hashed:
        fields["manifest_sha256"] = scoring.manifest_sha256(fields)
    (folder / FILE).write_text(json.dumps(fields))
    return folder


class TestScorecard:
    def test_adds_up_its_points(self) -> None:
        features = Windows().measure(SeenPayment("p1", "c1", "a1", "shop", 1250, NOON_MS))
        points = CARD.card.base_points + sum(
            one.points_of(features[one.name]) for one in CARD.card.characteristics
        )
        odds = 2 ** (points / scorecards.DOUBLE)
        assert math.isclose(CARD.scored(features).score, odds / (1 + odds), rel_tol=1e-12)

    def test_gives_a_missing_value_its_own_bin_and_takes_an_impossible_one_for_it(self) -> None:
        features = Windows().measure(SeenPayment("p1", "c1", "a1", "shop", 1250, NOON_MS))
        gone = CARD.scored(features | {"since_last_log_s": math.nan})
        strange = CARD.scored(features | {"since_last_log_s": -3.0})
        assert (strange.score, strange.missing) == (gone.score, gone.missing)
        assert strange.out_of_range == ("since_last_log_s",)
        assert CARD.scored({}).missing == len(CARD.card.characteristics)

    @pytest.mark.parametrize(
        ("hashed", "changes"),
        [
            (False, {"base_points": 0}),
            (True, {"base_points": 0}),
            (True, {"characteristics": []}),
            (True, {"thresholds": {"review": 0.9, "decline": 0.1}}),
        ],
    )
    def test_altered_is_refused(
        self, tmp_path: Path, hashed: bool, changes: dict[str, Any]
    ) -> None:
        with pytest.raises(ModelRefused):
            scorecards.load(changed(tmp_path, hashed=hashed, **changes))

    def test_that_is_not_there_or_no_json_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ModelRefused):
            scorecards.load(tmp_path)
        (tmp_path / FILE).write_text("{")
        with pytest.raises(ModelRefused):
            scorecards.load(tmp_path)

    def test_is_told_by_its_file_to_be_worse_than_the_model(self) -> None:
        model = scoring.load(ARTIFACTS).manifest.metrics
        assert CARD.card.metrics["average_precision"] < model["average_precision"]
        assert CARD.card.metrics["auc"] > 0.95


class TestTraining:
    def test_writes_a_card_that_tells_fraud_and_may_be_loaded(self, tmp_path: Path) -> None:
        size = Size(customers=400, shops=60, days=40)
        (tmp_path / FILE).write_bytes(training.train(seed=7, size=size))
        card = scorecards.load(tmp_path)
        history = simulate(seed=8, size=size)
        table = measure(history, inputs=training.INPUTS)
        scores = [
            card.scored(dict(zip(training.INPUTS, map(float, row), strict=True))).score
            for row in table.features
        ]
        fraud = [score for score, bad in zip(scores, table.is_fraud, strict=True) if bad]
        honest = [score for score, bad in zip(scores, table.is_fraud, strict=True) if not bad]
        assert sum(fraud) / len(fraud) > 10 * sum(honest) / len(honest)
