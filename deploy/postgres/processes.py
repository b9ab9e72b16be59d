"""Which processes of a data folder are alive, told apart from whoever has their numbers now."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from deploy.postgres.errors import PostgresError
from deploy.postgres.places import Place

ORPHANS_WAIT_S = 5.0
KILL_WAIT_S = 30.0
START_TIME_TOLERANCE_S = 60
"""How far a clock may have been set since the server noted its own start."""

POLL_S = 0.02


@dataclass(frozen=True)
class Postmaster:
    """A live server process, as its `postmaster.pid` describes it."""

    pid: int
    port: int | None
    socket_dir: Path | None
    ready: bool


def postmaster(data_dir: Path) -> Postmaster | None:
    """The live server of this data folder; None if there is none, whatever a stale file says."""
    lines = _pid_file_lines(data_dir)
    pid = _pid(lines)
    if pid is None or not _is_postmaster(pid, data_dir=data_dir, lines=lines):
        return None
    return Postmaster(
        pid=pid,
        port=int(lines[3]) if len(lines) > 3 and lines[3].isdigit() else None,
        socket_dir=Path(lines[4]) if len(lines) > 4 and lines[4] else None,
        ready=len(lines) > 7 and lines[7] == "ready",
    )


def clear_remains(place: Place, *, socket_dir: Path) -> None:
    """Remove what a killed server or a machine that lost power left in the way of a start.

    PostgreSQL replaces a stale lock file itself, but not an empty one, and not one whose number
    belongs to a living process of the same user or to a killed server that nobody has reaped yet.
    Server processes that outlived their killed parent still hold its shared memory: they get a
    moment to notice, then they are killed too.
    Call this only under the lock and when `postmaster` found nothing.
    """
    file = place.data_dir / "postmaster.pid"
    if file.exists():
        _end_orphans(place.cluster_name)
        pid = _pid(_pid_file_lines(place.data_dir))
        if pid is None or psutil.pid_exists(pid):
            file.unlink(missing_ok=True)
    for remains in socket_dir.glob(".s.PGSQL.*"):
        remains.unlink(missing_ok=True)


def wait_until_ready(data_dir: Path, *, timeout_s: float) -> Postmaster | None:
    """The server once it takes connections; None if it ends first."""
    deadline = time.monotonic() + timeout_s
    while (found := postmaster(data_dir)) is not None:
        if found.ready:
            return found
        if time.monotonic() > deadline:
            raise PostgresError(f"PostgreSQL (process {found.pid}) is not ready in {timeout_s} s")
        time.sleep(POLL_S)
    return None


def shut_down(data_dir: Path, *, timeout_s: float) -> bool:
    """End the server: fast and clean, or at once if it does not come down within the time.

    True after a clean shutdown (or if nothing ran); False if the next start has to recover.
    """
    for sent, wait_s in ((signal.SIGINT, timeout_s), (signal.SIGQUIT, 10.0)):
        found = postmaster(data_dir)
        if found is None:
            return True
        os.kill(found.pid, sent)
        deadline = time.monotonic() + wait_s
        while postmaster(data_dir) is not None:
            if time.monotonic() > deadline:
                break
            time.sleep(POLL_S)
        else:
            return sent is signal.SIGINT
    raise PostgresError(f"PostgreSQL of {data_dir} does not end")


def _pid_file_lines(data_dir: Path) -> list[str]:
    try:
        text = (data_dir / "postmaster.pid").read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return []
    return [line.strip() for line in text.splitlines()]


def _pid(lines: list[str]) -> int | None:
    return int(lines[0]) if lines and lines[0].isdigit() else None


def _is_postmaster(pid: int, *, data_dir: Path, lines: list[str]) -> bool:
    """Whether this process is the server of this folder.

    By the folder on its command line; or, if the folder was moved under a live server, by being a
    PostgreSQL that started when the file says. A number reused after a crash is neither.
    """
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        command = process.cmdline()
        if not command or Path(command[0]).name != "postgres":
            return False
        if str(data_dir) in command:
            return True
        if len(lines) < 3 or not lines[2].isdigit():
            return False
        return abs(process.create_time() - int(lines[2])) < START_TIME_TOLERANCE_S
    except psutil.NoSuchProcess:
        return False


def _orphans(cluster_name: str) -> list[psutil.Process]:
    title = f"postgres: {cluster_name}: "
    found = []
    for process in psutil.process_iter():
        try:
            if " ".join(process.cmdline()).startswith(title):
                found.append(process)
        except psutil.Error:  # gone meanwhile, or not ours to look at
            continue
    return found


def _end_orphans(cluster_name: str) -> None:
    patience = time.monotonic() + ORPHANS_WAIT_S
    deadline = patience + KILL_WAIT_S
    while orphans := _orphans(cluster_name):
        if time.monotonic() > deadline:
            raise PostgresError(f"process {orphans[0].pid} of the former server does not end")
        if time.monotonic() > patience:
            for process in orphans:
                process.kill()
        time.sleep(POLL_S)
