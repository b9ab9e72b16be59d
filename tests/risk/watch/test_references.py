"""The reference beside a model is used only where it is what training wrote for that model."""

import json
import logging
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from services.risk.settings import RiskSettings
from services.risk.watch import jobs, references
from services.risk.watch.references import Distribution, ReferenceRefused
from shared.kit.app import Context
from tests.risk.test_training import ARTIFACTS

NAME = "fraud.reference.json"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("fraud.onnx", NAME):
        shutil.copy(ARTIFACTS / name, tmp_path)
    return tmp_path


def changed(folder: Path, change: Any) -> None:
    fields = json.loads((folder / NAME).read_bytes())
    change(fields)
    (folder / NAME).write_text(json.dumps(fields))


class TestReference:
    def test_is_refused_where_it_was_altered(self, folder: Path):
        def one_more(fields: dict[str, Any]) -> None:
            fields["score"]["counts"][1] += 1

        changed(folder, one_more)
        with pytest.raises(ReferenceRefused, match="altered"):
            references.load(folder)

    def test_is_refused_for_another_model(self, folder: Path):
        with (folder / "fraud.onnx").open("ab") as model:
            model.write(b"x")
        with pytest.raises(ReferenceRefused, match="another model"):
            references.load(folder)

    @pytest.mark.parametrize("content", ["", "[]", "{}", '{"name": "fraud"}'])
    def test_is_refused_where_it_is_none(self, folder: Path, content: str):
        (folder / NAME).write_text(content)
        with pytest.raises(ReferenceRefused, match="no reference"):
            references.load(folder)

    def test_is_refused_where_it_is_missing(self, folder: Path):
        (folder / NAME).unlink()
        with pytest.raises(ReferenceRefused, match="cannot be read"):
            references.load(folder)

    def test_is_read_again_when_it_changes_and_its_lack_told_once(
        self, folder: Path, caplog: pytest.LogCaptureFixture
    ):
        settings = RiskSettings.model_construct(artifacts_dir=folder)
        context = cast("Context", SimpleNamespace(settings=settings, resources={}))
        aside = folder / "aside"
        (folder / NAME).rename(aside)
        with caplog.at_level(logging.ERROR):
            assert jobs.reference_of(context) is None
            assert jobs.reference_of(context) is None
        assert [record.msg for record in caplog.records] == ["watch.reference_refused"]
        aside.rename(folder / NAME)
        found = jobs.reference_of(context)
        assert found is not None
        assert found.model == "fraud-2026.2"


class TestDistribution:
    @pytest.mark.parametrize(
        ("value", "place"), [(None, 0), (-5.0, 1), (1.0, 2), (1.5, 2), (2.0, 3), (9.0, 3)]
    )
    def test_has_a_bin_for_every_value(self, value: float | None, place: int):
        assert Distribution(edges=[1.0, 2.0], counts=[0, 0, 0, 0]).bin_of(value) == place

    @pytest.mark.parametrize("counts", [[1, 2], [1, 2, 3, 4, 5], [1, -2, 3, 4]])
    def test_is_none_with_other_counts(self, counts: list[int]):
        with pytest.raises(ValueError, match=r"count|greater"):
            Distribution(edges=[1.0, 2.0], counts=counts)

    def test_is_none_with_edges_that_do_not_rise(self):
        with pytest.raises(ValueError, match="rise"):
            Distribution(edges=[2.0, 1.0], counts=[1, 2, 3, 4])
