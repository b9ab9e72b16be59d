"""A new data folder, and a server process on it: what only PostgreSQL's own programs can do."""

import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.postgres.accounts import private_folder, run_as
from deploy.postgres.binaries import MAJOR
from deploy.postgres.errors import PostgresError
from deploy.postgres.places import PORT, Place, make_folder, open_private, sync_folder

SUPERUSER = "postgres"
INITDB_TIMEOUT_S = 180
START_TIMEOUT_S = 300
"""Covers the recovery after a crash: at most `max_wal_size` of log is read again."""

LOG_LIMIT_BYTES = 10 * 1024 * 1024

SETTINGS = {
    # Durability is a promise of the ledger: what was answered is on the disk.
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "max_wal_size": "1GB",
    # One laptop: nine services with small pools, on few cores, within 2 GB.
    "shared_buffers": "128MB",
    "max_connections": "200",
    "max_parallel_workers_per_gather": "0",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "password_encryption": "scram-sha-256",
    # No statement, parameter or row value may reach the log: they are people's data.
    "log_statement": "none",
    "log_min_duration_statement": "-1",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_line_prefix": "%m [%p] %q%u@%d ",
}


def log_file(run_dir: Path) -> Path:
    return run_dir / "logs" / "postgres.log"


def fixed_settings(place: Place, *, socket_dir: Path) -> dict[str, str]:
    """What no caller may change: a private socket is the only way in."""
    quoted = str(socket_dir).replace('"', '""')
    return {
        "listen_addresses": "",
        "unix_socket_directories": f'"{quoted}"',
        "unix_socket_permissions": "0700",
        "port": str(PORT),
        "cluster_name": place.cluster_name,
    }


def create(
    place: Place, *, bin_dir: Path, superuser_password: str, durable: bool, lock: int
) -> None:
    """Initialise the data in a folder beside its place and rename it when it is whole.

    An interrupted attempt leaves only the folder beside, which the next one throws away; initdb
    keeps the `lock`, so that the next one waits for one that outlived a killed starter. What is
    not to be durable (`fsync` is off, in tests) need not wait for the disk here either.
    """
    scratch = place.home / "new"
    if scratch.exists():
        shutil.rmtree(scratch)
    private_folder(scratch, account=place.account)
    password_file = scratch / "password"
    password_file.touch(mode=0o600)
    password_file.write_text(superuser_password + "\n", encoding="utf-8")
    if place.account.switched:
        os.chown(password_file, place.account.uid, place.account.gid)
    command: list[str | Path] = [
        bin_dir / "initdb",
        *("--pgdata", scratch / "data"),
        f"--username={SUPERUSER}",
        f"--pwfile={password_file}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale=C",
        "--data-checksums",
        *([] if durable else ["--no-sync"]),
    ]
    _run_logged(
        place,
        command,
        timeout_s=INITDB_TIMEOUT_S,
        action="initialise the database",
        keeps=[lock],
    )
    (scratch / "data").rename(place.data_dir)
    sync_folder(place.home)
    shutil.rmtree(scratch)


def check_version(place: Place) -> None:
    found = (place.data_dir / "PG_VERSION").read_text(encoding="ascii").strip()
    if found != str(MAJOR):
        raise PostgresError(
            f"{place.data_dir} was made by PostgreSQL {found}, and this bank runs {MAJOR}; "
            "dump it with the former and restore it with this one"
        )


def launch(place: Place, *, bin_dir: Path, socket_dir: Path, settings: Mapping[str, str]) -> None:
    """Start the server in a session of its own, and return when it takes connections.

    A Ctrl-C in the terminal must not reach it: the services are to end before their database.
    """
    fixed = fixed_settings(place, socket_dir=socket_dir)
    values = {**SETTINGS, **settings, **fixed}
    options = " ".join(f"-c {shlex.quote(f'{name}={value}')}" for name, value in values.items())
    command: list[str | Path] = [
        bin_dir / "pg_ctl",
        *("start", "--silent", "--wait", f"--timeout={START_TIMEOUT_S}"),
        *("--pgdata", place.data_dir),
        *("--options", options),
    ]
    _run_logged(place, command, timeout_s=START_TIMEOUT_S + 10, action="start PostgreSQL")


def _run_logged(
    place: Place,
    command: list[str | Path],
    *,
    timeout_s: float,
    action: str,
    keeps: Sequence[int] = (),
) -> None:
    """Run a program with the server's log as its output; say the log's last cause if it fails."""
    file = log_file(place.run_dir)
    make_folder(file.parent, mode=0o755)
    if file.exists() and file.stat().st_size > LOG_LIMIT_BYTES:
        file.replace(file.with_name(f"{file.name}.1"))
    # Opened here and handed down: the dropped user may not be able to reach the folder.
    descriptor = open_private(file, flags=os.O_WRONLY | os.O_APPEND)
    try:
        start = os.fstat(descriptor).st_size
        result = run_as(
            place.account,
            command,
            cwd=place.home,
            output=descriptor,
            timeout_s=timeout_s,
            keeps=keeps,
        )
    except subprocess.TimeoutExpired:
        raise PostgresError(f"cannot {action} within {timeout_s:.0f} s; see {file}") from None
    finally:
        os.close(descriptor)
    if result.returncode != 0:
        raise PostgresError(f"cannot {action}: {_cause(file, start)} (see {file})")


def _cause(file: Path, start: int) -> str:
    with file.open(encoding="utf-8", errors="replace") as stream:
        stream.seek(start)
        lines = [line.strip() for line in stream if line.strip()]
    for mark in ("PANIC:", "FATAL:", "error:"):
        for line in reversed(lines):
            if mark in line:
                return line.split(mark, 1)[1].strip()
    return lines[-1] if lines else "it said nothing"
