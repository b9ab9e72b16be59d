"""Any role may die under load: nothing that a partner was told of is lost or done twice."""

import json
import os
import random
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from deploy import kafka
from deploy.kafka.jars import install
from tests.bank import PEERS, ROOT
from tests.broker import JARS

#: A bank takes the ports from its own to so many above.
PORTS = 45
#: Below those that the system gives to connections, which come and go.
LOWEST, HIGHEST = 20_000, 32_000


def with_jars(folder: Path) -> Path:
    """A run folder with the broker's jars in it, which are brought once for all tests."""
    lib = install(JARS, say=print)
    (folder / "run/kafka").mkdir(parents=True)
    (folder / "run/kafka" / lib.name).symlink_to(lib)
    return folder / "run"


def free_ports() -> int:
    """The first of as many free ports in a row as a bank takes."""
    while True:
        first = random.randrange(LOWEST, HIGHEST)
        if all(_is_free(port) for port in range(first, first + PORTS)):
            return first


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def chaos(report: Path, *arguments: str, bus: str) -> dict[str, Any]:
    """What a storm that ended well has left."""
    done = subprocess.run(
        [sys.executable, "-m", "deploy.chaos", "--report", str(report), *arguments],
        cwd=ROOT,
        env=os.environ | {"BUS": bus},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    found = json.loads(report.read_text())
    assert found["wrong"] == []
    assert found["payments"] > 0
    assert found["under_way"] > 0, "each died in the middle of requests"
    return found


class TestBank:
    def test_survives_the_death_of_each_role_in_turn(self, tmp_path: Path):
        """With Java the bank talks over a broker of its own, which dies in its turn as well."""
        report, bus = tmp_path / "chaos.json", "postgres"
        where: list[str] = []
        if kafka.missing() is None:
            bus, where = "kafka", ["--run", str(with_jars(tmp_path)), "--port", str(free_ports())]
        found = chaos(report, *where, bus=bus)
        roles = {role for service in PEERS for role in (service, f"{service}-worker")}
        assert set(found["killed"]) >= roles | {"postgres"} | ({bus} - {"postgres"})
