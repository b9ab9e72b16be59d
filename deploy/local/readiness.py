"""Waits until every process says that it is ready."""

import http.client
import time
from collections.abc import Callable, Sequence

from deploy.local.options import LocalError
from deploy.local.ports import HOST
from deploy.local.programs import Program

LONGEST_S = 120.0
ASK_EVERY_S = 0.1
ANSWER_TIMEOUT_S = 3.0


def wait_until_ready(programs: Sequence[Program], *, check: Callable[[], None]) -> None:
    """Return when all are ready. `check` may raise what makes waiting pointless.

    Raises LocalError that names those that are not ready after two minutes.
    """
    waiting = list(programs)
    until = time.monotonic() + LONGEST_S
    while True:
        waiting = [program for program in waiting if not is_ready(program.port)]
        if not waiting:
            return
        check()
        if time.monotonic() > until:
            names = ", ".join(program.name for program in waiting)
            raise LocalError(f"not ready after {LONGEST_S:.0f} s: {names}; see the logs")
        time.sleep(ASK_EVERY_S)


def is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=ANSWER_TIMEOUT_S)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
