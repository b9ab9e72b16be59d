"""A bank started as a person starts it: a command, watched from outside."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[2]
START_TIMEOUT_S = 150.0
STOP_TIMEOUT_S = 60.0
PORTS = 40


@dataclass
class Demo:
    """One run of `python -m deploy.local`."""

    run_dir: Path
    port: int
    process: subprocess.Popen[str]

    @property
    def gateway(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def console(self) -> str:
        return f"http://127.0.0.1:{self.port + 9}"

    def state(self) -> dict[str, Any]:
        return read(self.run_dir / "bank.json")

    def report(self) -> dict[str, Any]:
        return read(self.run_dir / "demo.json")

    def pid_of(self, name: str) -> int:
        return next(int(one["pid"]) for one in self.state()["programs"] if one["name"] == name)

    def pids(self) -> list[int]:
        """Everything that the bank consists of, PostgreSQL and the runner among it."""
        state = self.state()
        return [
            state["postgres_pid"],
            state["runner_pid"],
            *(one["pid"] for one in state["programs"]),
        ]

    def wait_for_play(self) -> None:
        """Until the play is over: then the run writes its report."""
        report = self.run_dir / "demo.json"
        until = time.monotonic() + START_TIMEOUT_S
        while not report.exists():
            assert self.process.poll() is None, self.words()
            assert time.monotonic() < until, "no report in time"
            time.sleep(0.1)

    def wait_until_ready(self) -> None:
        until = time.monotonic() + START_TIMEOUT_S
        while self.state()["state"] != "ready":
            assert self.process.poll() is None, self.words()
            assert time.monotonic() < until, "not ready in time"
            time.sleep(0.1)

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        self.process.send_signal(number)
        return self.process.wait(STOP_TIMEOUT_S)

    def words(self) -> str:
        return (self.run_dir / "words.txt").read_text()

    def bank(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """An operator's command."""
        return run_module("deploy.bank", *arguments, RUN_DIR=str(self.run_dir))


def read(file: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(file.read_text())
    return content


def run_module(module: str, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env=environment(**settings),
        capture_output=True,
        text=True,
        timeout=START_TIMEOUT_S,
        check=False,
    )


def start(run_dir: Path, *, port: int, **settings: str) -> Demo:
    """Start a bank in `run_dir`; a small synthetic one unless `settings` say otherwise."""
    run_dir.mkdir(parents=True, exist_ok=True)
    (run_dir / "demo.json").unlink(missing_ok=True)
    settings = {"CUSTOMERS": "30", "SEED": "7"} | settings
    with (run_dir / "words.txt").open("w") as words:
        process = subprocess.Popen(
            [sys.executable, "-m", "deploy.local"],
            cwd=ROOT,
            env=environment(RUN_DIR=str(run_dir), PORT=str(port), **settings),
            stdout=words,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
    return Demo(run_dir=run_dir, port=port, process=process)


def environment(**settings: str) -> dict[str, str]:
    own = ("RUN_DIR", "PORT", "BOOK", "SEED", "CUSTOMERS", "ONCE", "ROLES")
    inherited = {name: value for name, value in os.environ.items() if name not in own}
    return inherited | settings


def free_ports() -> int:
    """The first of a row of ports that nobody listens to."""
    for port in range(21_000 + os.getpid() % 97 * 100, 60_000, 50):
        if all(_is_free(port + offset) for offset in range(PORTS)):
            return port
    raise AssertionError("no ports are free")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def gone(pids: list[int]) -> bool:
    """Whether all of them end within a moment."""
    processes = []
    for pid in pids:
        try:
            processes.append(psutil.Process(pid))
        except psutil.NoSuchProcess:
            continue
    # One that has ended and waits for its parent to notice is gone as well.
    _, alive = psutil.wait_procs(processes, timeout=STOP_TIMEOUT_S)
    return all(process.status() == psutil.STATUS_ZOMBIE for process in alive)


def reset(run_dir: Path) -> None:
    """PostgreSQL's data may lie outside of the run folder, so that deleting it is not enough."""
    done = run_module("deploy.local", "reset", RUN_DIR=str(run_dir))
    assert done.returncode == 0, done.stderr
