"""`make demo`: the main job, and what a person finds afterwards."""

import json
import os
import signal
import socket
import stat
import time
from pathlib import Path

import httpx

from tests.journeys.demo import Demo, free_ports, gone, reset, run_module, start

READY_TIMEOUT_S = 60.0


class TestPlay:
    def test_goes_as_it_should_in_every_step(self, demo: Demo) -> None:
        journey = demo.report()["journey"]
        assert [step for step in journey if step["status"] != "ok"] == []
        assert len(journey) >= 20
        assert demo.report()["as_expected"] is True

    def test_reports_when_it_was_ready_and_what_it_takes(self, demo: Demo) -> None:
        report = demo.report()
        assert report["ready_s"] > 0
        assert 100 < report["rss_mb"] < 2_000
        assert all(step["latency_ms"] > 0 for step in report["journey"])

    def test_leaves_one_trace_through_every_service_of_a_payment(self, demo: Demo) -> None:
        trace_id = demo.report()["trace_id"]
        services = {
            file.stem
            for file in (demo.run_dir / "logs").glob("*.jsonl")
            if trace_id in file.read_text()
        }
        assert services >= {"gateway", "payments", "risk", "ledger", "profiles"}

    def test_shows_its_steps_and_where_to_look(self, demo: Demo) -> None:
        words = demo.words()
        assert "partner pays" in words
        assert f"{demo.console}/" in words
        assert "Traceback" not in words


class TestSecrets:
    def test_are_for_their_owner_alone(self, demo: Demo) -> None:
        for folder in ("keys", "secrets", "partners"):
            for path in [demo.run_dir / folder, *(demo.run_dir / folder).rglob("*")]:
                assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
        assert stat.S_IMODE((demo.run_dir / "messages.jsonl").stat().st_mode) == 0o600

    def test_of_other_services_are_not_in_a_services_folder_of_keys(self, demo: Demo) -> None:
        for folder in (path for path in (demo.run_dir / "keys").iterdir() if path.is_dir()):
            assert {file.name for file in folder.iterdir()} == {
                "public.json",
                f"{folder.name}.json",
            }
            public = json.loads((folder / "public.json").read_text())["keys"]
            assert all("d" not in key for key in public)

    def test_are_not_in_the_environment_of_a_process_that_does_not_need_them(
        self, demo: Demo
    ) -> None:
        environment = Path(f"/proc/{demo.pid_of('advisor')}/environ")
        if not environment.exists():
            # Other systems do not show it; what is handed over is the same.
            return
        names = {line.partition(b"=")[0] for line in environment.read_bytes().split(b"\0")}
        assert b"MESSAGES_FILE" not in names
        passwords = json.loads((demo.run_dir / "secrets" / "postgres.json").read_text())
        for secret in (passwords["superuser"], passwords["services"]["ledger"]["runtime"]):
            assert secret.encode() not in environment.read_bytes()


class TestStart:
    def test_of_a_second_bank_in_one_folder_is_refused_in_one_line(self, demo: Demo) -> None:
        second = run_module("deploy.local", RUN_DIR=str(demo.run_dir), PORT=str(free_ports()))
        assert second.returncode == 1
        assert second.stderr.count("\n") == 1
        assert "runs already" in second.stderr
        assert demo.gateway in second.stderr

    def test_on_a_port_in_use_names_port_and_setting_in_one_line(self, tmp_path: Path) -> None:
        port = free_ports()
        with socket.socket() as taken:
            # a connection of an earlier bank that the port still remembers is in nobody's way
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind(("127.0.0.1", port + 2))
            taken.listen()
            refused = run_module("deploy.local", RUN_DIR=str(tmp_path / "run"), PORT=str(port))
        assert refused.returncode == 1
        assert refused.stderr.count("\n") == 1
        assert f"port {port + 2} (ledger)" in refused.stderr
        assert "PORT=" in refused.stderr

    def test_with_a_wrong_setting_names_it_in_one_line(self, tmp_path: Path) -> None:
        refused = run_module("deploy.local", RUN_DIR=str(tmp_path / "run"), PORT="80x")
        assert refused.returncode == 1
        assert refused.stderr == "tongbao: PORT=80x is not a number from 1024 to 65495\n"


class TestSupervisor:
    def test_starts_again_what_was_killed(self, demo: Demo) -> None:
        killed = demo.pid_of("advisor")
        os.kill(killed, signal.SIGKILL)
        until = time.monotonic() + READY_TIMEOUT_S
        while not _is_ready(demo, killed):
            assert time.monotonic() < until, demo.words()
            time.sleep(0.1)
        assert "advisor ended by signal 9" in demo.words()


class TestRun:
    def test_continues_the_same_bank_and_leaves_no_process(self, tmp_path: Path) -> None:
        """Three runs in one folder: to the end, until Ctrl-C, until `kill -9`."""
        run_dir, port = tmp_path / "run", free_ports()
        try:
            first = start(run_dir, port=port, ONCE="1")
            assert first.process.wait(150) == 0, first.words()
            assert gone(first.pids())
            paid = first.report()["journey"]

            second = start(run_dir, port=port)
            second.wait_for_play()
            assert second.report()["as_expected"], second.report()
            assert len(second.report()["journey"]) == len(paid)
            listed = second.bank("payments", "--limit", "50").stdout.splitlines()
            assert len(listed) == 10  # five of each play
            pids = second.pids()
            assert second.stop() == 0
            assert gone(pids)
            assert second.state()["state"] == "stopped"

            third = start(run_dir, port=port)
            third.wait_until_ready()
            pids = third.pids()
            third.stop(signal.SIGKILL)
            assert gone(pids)
        finally:
            reset(run_dir)
        assert not (run_dir / "secrets").exists()


def _is_ready(demo: Demo, killed: int) -> bool:
    advisor = [one for one in demo.state()["programs"] if one["name"] == "advisor"]
    if not advisor or advisor[0]["pid"] == killed:
        return False
    try:
        return httpx.get(f"http://127.0.0.1:{advisor[0]['port']}/readyz").status_code == 200
    except httpx.HTTPError:
        return False
