"""The committed contracts are those of the code, and each is valid by its own standard."""

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from deploy.contracts import FOLDER, ROOT, differences, events


class TestContracts:
    def test_are_exported_as_the_code_is(self):
        # In a process of its own: what other tests have imported must not show in a contract.
        done = subprocess.run(
            [sys.executable, "-m", "deploy.contracts", "--check"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    def test_name_no_machine_and_no_address_of_one(self):
        for path in FOLDER.rglob("*.json"):
            text = path.read_text()
            assert str(ROOT) not in text
            assert "nowhere" not in text

    @pytest.mark.parametrize("name", sorted(events()))
    def test_take_the_example_of_each_event(self, name: str):
        schema = json.loads((FOLDER / f"events/{name}.schema.json").read_text())
        jsonschema.Draft202012Validator.check_schema(schema)
        jsonschema.validate(events()[name].example, schema)

    def test_give_every_error_one_code_and_a_status(self):
        table = json.loads((FOLDER / "errors.json").read_text())
        codes = [row["code"] for row in table]
        assert len(codes) == len(set(codes))
        assert all(400 <= row["status"] < 600 and row["title"] for row in table)

    def test_differ_when_one_is_changed(self, tmp_path: Path):
        wanted = {path: path.read_text() for path in FOLDER.rglob("*.json")}
        assert differences(wanted) == []
        changed = next(iter(wanted))
        assert differences(wanted | {changed: "{}\n"}) == [str(changed.relative_to(ROOT))]
