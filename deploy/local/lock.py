"""One run folder has one bank: an exclusive lock that ends with the process that holds it."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.local.options import LocalError

#: A bank whose runner was killed is taken down by its warden, which a new start waits for.
STOPPING_WAIT_S = 90.0
STOPPING = "stopping"


@contextmanager
def only_one(run_dir: Path, *, words: str) -> Iterator[None]:
    """Hold the lock of `run_dir`; `words` tell others who holds it.

    Raises LocalError where another process does.
    """
    run_dir.mkdir(parents=True, exist_ok=True)
    file = os.open(run_dir / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        holder = take(file, words=words)
        until = time.monotonic() + STOPPING_WAIT_S
        while holder == STOPPING and time.monotonic() < until:
            time.sleep(0.1)
            holder = take(file, words=words)
        if holder is not None:
            raise LocalError(f"this bank runs already: {holder}")
        yield
    finally:
        os.close(file)


def take(file: int, *, words: str) -> str | None:
    """Take the lock and return None, or return the words of who has it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return os.pread(file, 200, 0).decode(errors="replace").strip() or "another process"
    os.ftruncate(file, 0)
    os.pwrite(file, words.encode(), 0)
    return None
