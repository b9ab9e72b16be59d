"""Whom chaos kills, and how: SIGKILL, which lets nobody finish anything."""

import contextlib
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deploy import postgres
from deploy.local.bank import Bank

#: The landing page only reads; its death proves nothing.
SPARED = {"console"}


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
    """Every API, every worker (relay and consumers), and the database."""
    names = [
        one.program.name for one in bank.supervisor.snapshot() if one.program.service not in SPARED
    ]
    found = [Victim(name, _program(bank, name)) for name in names]
    return [*found, Victim("postgres", _postmaster(bank.options.run_dir))]


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
