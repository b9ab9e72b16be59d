"""Whom chaos kills, and how: SIGKILL, which lets nobody finish anything."""

import contextlib
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deploy import kafka, postgres
from deploy.local.bank import Bank
from deploy.local.bus import OWN, bus_of

#: The landing page only reads, and no payment asks the simulated outside: their death proves
#: nothing here.
SPARED = {"console", "bureau"}
BROKER = "kafka"


@dataclass(frozen=True, slots=True)
class Victim:
    """A process by its role's name; `pid` finds the one that plays it now, or None."""

    name: str
    pid: Callable[[], int | None]

    def kill(self) -> bool:
        """False where nobody plays the role at this moment."""
        found = self.pid()
        if found is None:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(found, signal.SIGKILL)
            return True
        return False


def victims_of(bank: Bank) -> list[Victim]:
    """Every API, every worker (relay and consumers), the database, and the bank's own broker."""
    names = [
        one.program.name for one in bank.supervisor.snapshot() if one.program.service not in SPARED
    ]
    found = [Victim(name, _program(bank, name)) for name in names]
    run_dir = bank.options.run_dir
    found.append(Victim("postgres", _postmaster(run_dir)))
    if bus_of(run_dir).kind == OWN:
        found.append(Victim(BROKER, _broker(run_dir)))
    return found


def _program(bank: Bank, name: str) -> Callable[[], int | None]:
    def pid() -> int | None:
        for one in bank.supervisor.snapshot():
            if one.program.name == name and one.process is not None:
                return one.process.pid
        return None

    return pid


def _postmaster(run_dir: Path) -> Callable[[], int | None]:
    def pid() -> int | None:
        server = postgres.running(run_dir)
        return None if server is None else server.pid

    return pid


def _broker(run_dir: Path) -> Callable[[], int | None]:
    """It may die while it starts, too."""

    def pid() -> int | None:
        broker = kafka.alive(run_dir)
        return None if broker is None else broker.pid

    return pid
