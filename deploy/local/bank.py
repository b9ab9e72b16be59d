"""One local bank from its start to its end."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from deploy import kafka, postgres
from deploy.local.book import check_book
from deploy.local.bus import choose_bus, close_bus, destroy_bus, mend_bus, open_bus
from deploy.local.databases import open_databases
from deploy.local.environments import environment_of
from deploy.local.files import private_file, private_folder
from deploy.local.keys import prepare_keys
from deploy.local.leftovers import end_leftovers
from deploy.local.lock import only_one
from deploy.local.memory import bank_memory_mb
from deploy.local.options import ROOT, LocalError, Options
from deploy.local.outside import prepare_outside
from deploy.local.ports import check_ports
from deploy.local.programs import programs_of, url_of
from deploy.local.readiness import wait_until_ready
from deploy.local.staff import prepare_staff
from deploy.local.state import write_state
from deploy.local.supervisor import Supervisor

LEFTOVER_WAIT_S = 12.0


@dataclass(slots=True)
class Bank:
    """A bank that runs. `ready_s` is from its start until every process was ready."""

    options: Options
    say: Callable[[str], None]
    supervisor: Supervisor
    started: float
    postgres_pid: int = 0
    ready_s: float = 0.0
    state: str = "starting"
    warden_pid: int = field(default=0)

    def write_state(self) -> None:
        write_state(
            self.options,
            state=self.state,
            runner_pid=os.getpid(),
            postgres_pid=self.postgres_pid,
            running=self.supervisor.snapshot(),
        )

    def memory_mb(self) -> float:
        """Of all processes, this one, PostgreSQL's and the bank's own broker among them."""
        running = self.supervisor.snapshot()
        pids = [one.process.pid for one in running if one.process is not None]
        broker = kafka.alive(self.options.run_dir)
        if broker is not None:
            pids.append(broker.pid)
        return bank_memory_mb([os.getpid(), self.postgres_pid, *pids])


@contextmanager
def running_bank(options: Options, *, say: Callable[[str], None]) -> Iterator[Bank]:
    """Start the bank of the run folder; at the end, end all that was started.

    Raises LocalError: it runs already, a port is in use, a part does not start.
    """
    started = time.monotonic()
    words = (
        f"process {os.getpid()}, {url_of('gateway', port=options.port)}; end it with Ctrl-C there"
    )
    with only_one(options.run_dir, words=words):
        programs = programs_of(port=options.port, split=options.split)
        end_leftovers(options.run_dir, wait_s=LEFTOVER_WAIT_S)
        check_book(options)
        bus = choose_bus(options)
        check_ports(programs)
        logs = private_folder(options.run_dir / "logs")
        bank: Bank | None = None

        def changed() -> None:
            if bank is not None:
                bank.write_state()

        supervisor = Supervisor(
            logs=logs,
            say=say,
            changed=changed,
            foundations=(
                lambda: bank is not None and _mend_database(bank),
                lambda: bank is not None and _mend_bus(bank),
            ),
        )
        bank = Bank(options=options, say=say, supervisor=supervisor, started=started)
        warden = _start_warden(options.run_dir, supervisor.lifeline)
        try:
            open_bus(options.run_dir, bus, say=say)
            _start(bank)
            yield bank
        finally:
            _stop(bank, warden)


def _start(bank: Bank) -> None:
    options = bank.options
    fresh = not (options.run_dir / "secrets" / "postgres.json").exists()
    bank.say("creating the database" if fresh else "starting the database")
    prepare_keys(options.run_dir)
    prepare_outside(options.run_dir)
    server, credentials = open_databases(options.run_dir)
    bank.postgres_pid = server.pid
    programs = programs_of(port=options.port, split=options.split)
    bank.say(f"starting {len(programs)} processes")
    bank.supervisor.start(
        {
            program.name: (
                program,
                environment_of(program, options=options, credentials=credentials),
            )
            for program in programs
        }
    )
    prepare_staff(options.run_dir, identity_url=credentials["identity"].dsn)
    wait_until_ready(programs, check=bank.supervisor.check_starting)
    bank.ready_s = time.monotonic() - bank.started
    bank.state = "ready"
    bank.write_state()


def _mend_database(bank: Bank) -> bool:
    """Start the database again where it died under the running bank; True where it did."""
    if bank.state != "ready" or postgres.running(bank.options.run_dir) is not None:
        return False
    bank.say("the database died; it is started again")
    bank.postgres_pid = postgres.start(bank.options.run_dir).pid
    return True


def _mend_bus(bank: Bank) -> bool:
    return bank.state == "ready" and mend_bus(bank.options.run_dir, say=bank.say)


def _stop(bank: Bank, warden: subprocess.Popen[bytes]) -> None:
    # From here on an impatient second Ctrl-C must not leave anything behind.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    bank.say("stopping")
    bank.supervisor.stop()
    close_bus(bank.options.run_dir)
    try:
        server = postgres.running(bank.options.run_dir)
        if server is not None:
            postgres.stop(server)
    except postgres.PostgresError as error:
        bank.say(str(error))
    bank.state = "stopped"
    bank.write_state()
    warden.kill()
    warden.wait()


def _start_warden(run_dir: Path, lifeline: int) -> subprocess.Popen[bytes]:
    """A small process that takes the bank down when this one is killed."""
    with private_file(run_dir / "logs" / "warden.out") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "deploy.local.warden", str(lifeline), str(run_dir)],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=(lifeline,),
            start_new_session=True,
        )


def reset_bank(run_dir: Path, *, say: Callable[[str], None] = print) -> bool:
    """Remove the bank of the run folder; False where there is none. Raises LocalError."""
    if not run_dir.is_dir():
        return False
    with only_one(run_dir, words="being removed"):
        end_leftovers(run_dir, wait_s=LEFTOVER_WAIT_S)
        destroy_bus(run_dir, say=say)
        try:
            postgres.destroy(run_dir)
        except postgres.PostgresError as error:
            raise LocalError(str(error)) from error
        _remove_files(run_dir)
    return True


def _remove_files(run_dir: Path) -> None:
    """What a bank leaves, by name: RUN_DIR may be a folder that holds other things too."""
    for folder in ("book", "keys", "logs", "partners", "secrets", "snapshots"):
        shutil.rmtree(run_dir / folder, ignore_errors=True)
    for pattern in ("*.json", "*.jsonl", "*.csv", "*.html"):
        for file in run_dir.glob(pattern):
            file.unlink()
