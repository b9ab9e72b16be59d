"""The table of features: one definition from which name, meaning and page follow."""

import json
from pathlib import Path

from services.risk import scoring
from services.risk.features import FEATURE_NAMES, FEATURES, FRAUD_INPUTS
from services.risk.features.definitions import FIELDS, MEASURES
from services.risk.features.page import PAGE, rendered

MANIFEST = Path(scoring.__file__).parent / "artifacts" / "fraud.json"


class TestFeatures:
    def test_have_one_name_and_a_meaning_in_both_languages_each(self) -> None:
        assert len(set(FEATURE_NAMES)) == len(FEATURE_NAMES)
        for feature in FEATURES:
            assert feature.en.strip()
            assert feature.zh.strip()
            assert "{" not in feature.en + feature.zh

    def test_measure_each_entity_by_each_kind(self) -> None:
        for entity in FIELDS:
            kinds = {row.kind for row in MEASURES if row.entity == entity}
            assert {"count", "sum", "mean", "distinct", "since", "age"} <= kinds

    def test_give_the_committed_model_its_inputs_in_its_order(self) -> None:
        taken = [feature["name"] for feature in json.loads(MANIFEST.read_bytes())["features"]]
        assert taken == list(FRAUD_INPUTS)
        assert set(FRAUD_INPUTS) <= set(FEATURE_NAMES)

    def test_are_documented_as_the_table_says(self) -> None:
        assert PAGE.read_text() == rendered()
