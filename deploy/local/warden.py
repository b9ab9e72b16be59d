"""Takes down what a killed runner leaves: the services' processes and PostgreSQL.

`python -m deploy.local.warden 7 /path/to/.run`: descriptor 7 ends with the runner. A clean stop
ends the warden first. Nothing heavy is imported before it is needed: it only waits, as a rule.
"""

import fcntl
import json
import os
import signal
import sys
import time
from pathlib import Path

CHILDREN_WAIT_S = 12.0
LOCK_WAIT_S = 3.0


def main() -> None:
    lifeline, run_dir = int(sys.argv[1]), Path(sys.argv[2])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while os.read(lifeline, 1):
        pass
    file = os.open(run_dir / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    if not _taken(file):
        return  # a new runner has the bank; it looks after what it finds
    os.ftruncate(file, 0)
    os.pwrite(file, b"stopping", 0)
    _take_down(run_dir)


def _taken(file: int) -> bool:
    """Take the lock. A process that is killed closes its files one by one, and the pipe may be
    closed a moment before the lock is free.
    """
    until = time.monotonic() + LOCK_WAIT_S
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                return False
            time.sleep(0.02)
        else:
            return True


def _take_down(run_dir: Path) -> None:
    from deploy import postgres
    from deploy.local.bus import close_bus
    from deploy.local.leftovers import end_leftovers

    end_leftovers(run_dir, wait_s=CHILDREN_WAIT_S)
    close_bus(run_dir)
    server = postgres.running(run_dir)
    if server is not None:
        postgres.stop(server)
    state = run_dir / "bank.json"
    if state.exists():
        bank = json.loads(state.read_text())
        state.write_text(json.dumps(bank | {"state": "killed", "at": time.time()}, indent=2))


if __name__ == "__main__":
    main()
