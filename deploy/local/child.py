"""Runs a module as a program that ends when its runner does, however that ends.

`python -m deploy.local.child 7 services.ledger.main`: descriptor 7 is a pipe that only the runner
can write to. When the runner is gone, even by `kill -9`, the system closes it.
"""

import os
import runpy
import signal
import sys
import threading
import time

GRACE_S = 10.0


def main() -> None:
    lifeline, module = int(sys.argv[1]), sys.argv[2]
    threading.Thread(target=_end_with_runner, args=(lifeline,), daemon=True).start()
    sys.argv = [module]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _end_with_runner(lifeline: int) -> None:
    while os.read(lifeline, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_S)
    os._exit(1)


if __name__ == "__main__":
    main()
