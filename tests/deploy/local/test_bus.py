"""A bank chooses its bus once, since its events lie there."""

import json
from pathlib import Path
from typing import Any

import pytest

from deploy.local.bus import NAMED, OWN, POSTGRES, bus_environment, bus_of, choose_bus, open_bus
from deploy.local.options import LocalError, read_options

GIVEN = {"KAFKA_BOOTSTRAP_SERVERS": "one:9092,two:9092", "KAFKA_SECURITY_PROTOCOL": "SSL"}


def options(run_dir: Path, **settings: str) -> Any:
    return read_options({"RUN_DIR": str(run_dir), "PORT": "9000", **settings})


def begun(run_dir: Path, *, kind: str, **more: Any) -> Path:
    """A bank that has data, on a bus of this kind."""
    (run_dir / "secrets").mkdir(exist_ok=True)
    (run_dir / "secrets/postgres.json").write_text("{}")
    (run_dir / "secrets/bus.json").write_text(json.dumps({"kind": kind, **more}))
    return run_dir


class TestChoice:
    @pytest.mark.parametrize(
        ("settings", "kind", "port"),
        [
            ({}, POSTGRES, 0),
            (GIVEN, POSTGRES, 0),
            ({"BUS": "postgres"}, POSTGRES, 0),
            ({"BUS": "kafka"}, OWN, 9010),
            ({"BUS": "kafka"} | GIVEN, NAMED, 0),
        ],
    )
    def test_of_a_new_bank_is_free(
        self, tmp_path: Path, settings: dict[str, str], kind: str, port: int
    ):
        chosen = choose_bus(options(tmp_path, **settings))
        assert (chosen.kind, chosen.port) == (kind, port)
        assert chosen.settings == (GIVEN if kind == NAMED else {})

    @pytest.mark.parametrize("kind", [OWN, POSTGRES])
    def test_stays_where_nothing_is_asked_for(self, tmp_path: Path, kind: str):
        assert choose_bus(options(begun(tmp_path, kind=kind))).kind == kind

    def test_keeps_the_settings_that_it_was_given(self, tmp_path: Path):
        begun(tmp_path, kind=NAMED, settings=GIVEN)
        assert choose_bus(options(tmp_path)).settings == GIVEN
        moved = GIVEN | {"KAFKA_BOOTSTRAP_SERVERS": "three:9092"}
        assert choose_bus(options(tmp_path, BUS="kafka", **moved)).settings == moved

    @pytest.mark.parametrize(
        ("kind", "settings"),
        [
            (POSTGRES, {"BUS": "kafka"}),
            (OWN, {"BUS": "postgres"}),
            (OWN, {"BUS": "kafka"} | GIVEN),
            (NAMED, {"BUS": "postgres"}),
        ],
    )
    def test_of_another_bus_is_refused(self, tmp_path: Path, kind: str, settings: dict[str, str]):
        begun(tmp_path, kind=kind, settings=GIVEN if kind == NAMED else {})
        with pytest.raises(LocalError, match="make reset"):
            choose_bus(options(tmp_path, **settings))

    def test_that_never_came_to_data_binds_nobody(self, tmp_path: Path):
        begun(tmp_path, kind=OWN)
        (tmp_path / "secrets/postgres.json").unlink()
        assert choose_bus(options(tmp_path)).kind == POSTGRES

    def test_is_kept_for_its_owner_alone(self, tmp_path: Path):
        chosen = choose_bus(options(tmp_path, BUS="kafka", **GIVEN))
        open_bus(tmp_path, chosen, say=print)
        assert bus_of(tmp_path) == chosen
        assert (tmp_path / "secrets/bus.json").stat().st_mode & 0o077 == 0

    def test_that_does_not_exist_is_refused(self, tmp_path: Path):
        with pytest.raises(LocalError, match="BUS=rabbit"):
            options(tmp_path, BUS="rabbit")


class TestEnvironment:
    def test_of_a_process_names_the_bus_and_nothing_else(self, tmp_path: Path):
        assert bus_environment(tmp_path, url="postgresql://log") == {"BUS_URL": "postgresql://log"}
        begun(tmp_path, kind=NAMED, settings=GIVEN)
        assert bus_environment(tmp_path, url="postgresql://log") == {"BUS": "kafka", **GIVEN}
        begun(tmp_path, kind=OWN, port=9010)
        assert bus_environment(tmp_path, url="postgresql://log") == {
            "BUS": "kafka",
            "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9010",
        }
