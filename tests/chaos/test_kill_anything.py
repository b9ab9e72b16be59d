"""Any role may die under load: nothing that a partner was told of is lost or done twice."""

import json
import subprocess
import sys
from pathlib import Path

from tests.bank import PEERS, ROOT


class TestBank:
    def test_survives_the_death_of_each_role_in_turn(self, tmp_path: Path):
        report = tmp_path / "chaos.json"
        done = subprocess.run(
            [sys.executable, "-m", "deploy.chaos", "--report", str(report)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
        found = json.loads(report.read_text())
        roles = {role for service in PEERS for role in (service, f"{service}-worker")}
        assert set(found["killed"]) >= roles | {"postgres"}
        assert found["payments"] > 0
        assert found["wrong"] == []
