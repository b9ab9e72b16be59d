"""Processes of an earlier run of the same bank, known from `bank.json`."""

import contextlib
from pathlib import Path

import psutil

from deploy.local.files import read_json

#: A process is the one that was noted only if it began at the same time: numbers are used again.
SAME_START_S = 2.0


def end_leftovers(run_dir: Path, *, wait_s: float) -> int:
    """Wait for the processes of an earlier run, end what is left; return how many there were."""
    left = _left(run_dir)
    _, alive = psutil.wait_procs(left, timeout=wait_s)
    for process in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, timeout=5)
    return len(left)


def _left(run_dir: Path) -> list[psutil.Process]:
    found = []
    for program in (read_json(run_dir / "bank.json") or {}).get("programs", []):
        try:
            process = psutil.Process(int(program["pid"]))
            if abs(process.create_time() - float(program["started_at"])) < SAME_START_S:
                found.append(process)
        except (psutil.Error, KeyError, TypeError, ValueError):
            continue
    return found
