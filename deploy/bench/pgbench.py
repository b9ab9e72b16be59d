"""The reference of everything that posts: pgbench on the same server, in the same minutes."""

import re
import subprocess

from deploy import postgres
from deploy.postgres import Server

SCALE = 10
CLIENTS = 64


def _run(server: Server, *arguments: str) -> str:
    dsn = postgres.superuser_dsn(server)
    password = dsn.partition("://")[2].partition("@")[0].partition(":")[2]
    done = subprocess.run(
        [
            str(server.bin_dir / "pgbench"),
            *("-h", str(server.socket_dir), "-p", str(server.port), "-U", "postgres"),
            *arguments,
            "postgres",
        ],
        env={"PGPASSWORD": password, "LD_LIBRARY_PATH": str(server.bin_dir.parent / "lib")},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def prepare(server: Server) -> None:
    """Make pgbench's own tables, a million accounts of them."""
    _run(server, "-i", "-q", "-s", str(SCALE))


def transactions_per_second(server: Server, *, seconds: int) -> float:
    """`pgbench -N -M prepared -c 64`: an update, a select and an insert a transaction."""
    said = _run(
        server, "-N", "-M", "prepared", "-n", "-c", str(CLIENTS), "-j", "2", "-T", str(seconds)
    )
    found = re.search(r"tps = ([0-9.]+)", said)
    if found is None:
        raise ValueError("pgbench told no rate")
    return float(found[1])
