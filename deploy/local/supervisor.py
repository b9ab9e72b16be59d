"""Starts the bank's processes, starts again what dies, and ends them all."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import psutil

from deploy.local.files import private_file
from deploy.local.options import ROOT, LocalError
from deploy.local.programs import Program

LOOK_EVERY_S = 0.2
FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 30.0
#: After this long a process has proved itself, and its next death counts as the first.
PROVED_S = 60.0
#: A process that ends so often before the bank is ready will not come up.
TRIES_BEFORE_READY = 3
#: The services give requests under way five seconds.
STOP_WAIT_S = 12.0


@dataclass(slots=True)
class Running:
    """One program and the process that runs it now, or the time of its next try."""

    program: Program
    environment: Mapping[str, str]
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    deaths: int = 0
    next_try: float = 0.0
    restarts: int = field(default=0)


class Supervisor:
    """Keeps the programs running from `start` to `stop`. `say` tells a person what happens."""

    def __init__(
        self,
        *,
        logs: Path,
        say: Callable[[str], None],
        changed: Callable[[], None],
        foundations: Sequence[Callable[[], bool]] = (),
    ) -> None:
        """Each of `foundations` is asked again and again to start one thing that the programs
        stand on, where it died; True where it did. It may raise: then it is asked again. Each has
        a thread of its own, so that what takes long to start keeps nothing else waiting.
        """
        self._logs = logs
        self._say = say
        self._told = changed
        self._telling = threading.Lock()
        self._running: dict[str, Running] = {}
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._watchers = [
            threading.Thread(target=self._watch, name="supervisor", daemon=True),
            *(
                threading.Thread(target=self._mend, args=[mend], name="foundation", daemon=True)
                for mend in foundations
            ),
        ]
        # Only this process can write: the children see the end of it, however we end.
        self._lifeline, self._hold = os.pipe()

    @property
    def lifeline(self) -> int:
        """The descriptor that ends with this process, to be passed to children."""
        return self._lifeline

    def start(self, programs: Mapping[str, tuple[Program, Mapping[str, str]]]) -> None:
        """Start every program (with its environment) and begin to watch."""
        with self._lock:
            for name, (program, environment) in programs.items():
                self._running[name] = Running(program, environment)
                self._launch(self._running[name])
        self._changed()
        for watcher in self._watchers:
            watcher.start()

    def _changed(self) -> None:
        """Watchers are several; whoever is told hears one after the other."""
        with self._telling:
            self._told()

    def snapshot(self) -> list[Running]:
        with self._lock:
            return list(self._running.values())

    def check_starting(self) -> None:
        """Raises LocalError where a program that never worked ends again and again."""
        for running in self.snapshot():
            if running.deaths >= TRIES_BEFORE_READY:
                name = running.program.name
                raise LocalError(
                    f"{name} does not start: {self._last_words(name)} (see {self._logs / name}.out)"
                )

    def stop(self) -> None:
        """End every process: first asked, then forced."""
        self._ended.set()
        for watcher in self._watchers:
            if watcher.is_alive():
                watcher.join()
        with self._lock:
            live = [r.process for r in self._running.values() if r.process is not None]
            for process in live:
                _signal_group(process, signal.SIGTERM)
            until = time.monotonic() + STOP_WAIT_S
            for process in live:
                try:
                    process.wait(max(0.1, until - time.monotonic()))
                except subprocess.TimeoutExpired:
                    _signal_group(process, signal.SIGKILL)
                    process.wait()

    def _watch(self) -> None:
        while not self._ended.wait(LOOK_EVERY_S):
            with self._lock:
                changed = [self._look_at(running) for running in self._running.values()]
            if any(changed):
                self._changed()

    def _mend(self, mend: Callable[[], bool]) -> None:
        while not self._ended.wait(LOOK_EVERY_S):
            try:
                if mend():
                    self._changed()
            except Exception as error:
                # Whatever it was, the bank is not served by a watcher that has ended.
                self._say(f"cannot start again what the bank stands on: {error}")
                self._ended.wait(FIRST_WAIT_S)

    def _look_at(self, running: Running) -> bool:
        now = time.monotonic()
        process = running.process
        if process is None:
            if now < running.next_try:
                return False
            running.restarts += 1
            self._launch(running)
            self._say(f"{running.program.name} is started again")
            return True
        code = process.poll()
        if code is None:
            return False
        _signal_group(process, signal.SIGKILL)
        if time.time() - running.started_at > PROVED_S:
            running.deaths = 0
        wait_s = min(FIRST_WAIT_S * 2**running.deaths, LONGEST_WAIT_S)
        running.deaths += 1
        running.process = None
        running.next_try = now + wait_s
        cause = f"by signal {-code}" if code < 0 else f"with {code}"
        self._say(f"{running.program.name} ended {cause}; next try in {wait_s:g} s")
        return False

    def _launch(self, running: Running) -> None:
        program = running.program
        command = [sys.executable, "-m", "deploy.local.child", str(self._lifeline), program.module]
        with self._output(program.name) as output:
            running.process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=dict(running.environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=(self._lifeline,),
                start_new_session=True,  # a Ctrl-C in the terminal is for the runner alone
            )
        # As the system tells it, so that a later run can tell this process from another.
        running.started_at = psutil.Process(running.process.pid).create_time()

    def _output(self, name: str) -> BinaryIO:
        """What a program prints beside its log: kept for the case that it does not start."""
        return private_file(self._logs / f"{name}.out")

    def _last_words(self, name: str) -> str:
        try:
            lines = (self._logs / f"{name}.out").read_text(errors="replace").splitlines()
        except OSError:
            lines = []
        return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")


def _signal_group(process: subprocess.Popen[bytes], number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
