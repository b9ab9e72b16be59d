"""Prepare, start, find, stop and destroy the broker of one run folder.

All of it lies in `<run_dir>/kafka`: the jars, `server.properties`, the data, what it says
(`broker.out`), and `broker.json`, which tells who it is.
"""

import base64
import contextlib
import json
import os
import shutil
import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import psutil

from deploy.kafka.jars import KafkaError, install, jars_folder
from deploy.kafka.properties import HOST, write_properties

DEFAULT_PORT = 9092
START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 20.0
POLL_S = 0.05
MAX_OUTPUT_BYTES = 10_000_000
#: A process is the one that was noted only if it began at the same time: numbers are used again.
SAME_START_S = 2.0
#: Brokers that this process started. They outlive it; it only has to know when one is gone.
_STARTED: list[subprocess.Popen[bytes]] = []
NO_SETTINGS: Mapping[str, str] = MappingProxyType({})
JVM = (
    "-Xms128m",
    "-Xmx384m",
    "-XX:+UseSerialGC",  # the smallest; a laptop's broker has no heap to speak of
    "-XX:TieredStopAtLevel=1",  # two thirds of the time to start; the clients are the slow side
    "-Djava.awt.headless=true",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSS",
)


@dataclass(frozen=True, slots=True)
class Broker:
    """A broker whose process lives. `for_bank`: a bank started it, and takes it down again."""

    run_dir: Path
    port: int
    pid: int
    for_bank: bool

    @property
    def bootstrap(self) -> str:
        return f"{HOST}:{self.port}"


def home_of(run_dir: Path) -> Path:
    return run_dir / "kafka"


def prepare(
    run_dir: Path,
    *,
    port: int,
    say: Callable[[str], None],
    settings: Mapping[str, str] = NO_SETTINGS,
    jars: Path | None = None,
) -> None:
    """Bring the jars, write the settings, and format the data where there is none.

    `jars` is the folder that keeps them, by default the broker's own. Raises KafkaError.
    """
    home = home_of(run_dir)
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    lib = install(jars or home, say=say)
    data = home / "data"
    properties = home / "server.properties"
    write_properties(properties, data=data, port=port, more=settings)
    if (data / "meta.properties").exists():
        return
    cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
    # An id that begins with a hyphen would be read as an option.
    cluster_id = cluster_id.replace("-", "x", 1) if cluster_id.startswith("-") else cluster_id
    tool = ["java", *JVM, "-cp", f"{lib}/*", "kafka.tools.StorageTool", "format"]
    tool += ["--cluster-id", cluster_id, "--config", str(properties)]
    done = subprocess.run(tool, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        said = (done.stdout + done.stderr).strip().splitlines() or ["no reason given"]
        raise KafkaError(f"the broker's data cannot be formatted: {said[-1]}")


def command(run_dir: Path, *, jars: Path | None = None) -> list[str]:
    """The program of a prepared broker."""
    home = home_of(run_dir)
    lib = jars_folder(jars or home)
    return ["java", *JVM, "-cp", f"{lib}/*", "kafka.Kafka", str(home / "server.properties")]


def start(
    run_dir: Path,
    *,
    port: int = DEFAULT_PORT,
    say: Callable[[str], None] = print,
    settings: Mapping[str, str] = NO_SETTINGS,
    jars: Path | None = None,
    for_bank: bool = False,
) -> Broker:
    """Start the broker of `run_dir` in the background; return when it listens.

    One that runs already is returned as it is. Raises KafkaError.
    """
    found = alive(run_dir)
    if found is not None:
        wait_until_listening(run_dir, port=found.port, lives=lambda: alive(run_dir) is not None)
        return found
    for one in (port, port + 1):
        if _listens(one):
            raise KafkaError(f"port {one} is in use by another program")
    prepare(run_dir, port=port, say=say, settings=settings, jars=jars)
    with _output(run_dir) as output:
        process = subprocess.Popen(
            command(run_dir, jars=jars),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    _STARTED.append(process)
    broker = Broker(run_dir=run_dir, port=port, pid=process.pid, for_bank=for_bank)
    _note(broker)
    wait_until_listening(run_dir, port=port, lives=lambda: process.poll() is None)
    return broker


def _note(broker: Broker) -> None:
    """Write who the broker is, as `alive` reads it."""
    content = {
        "pid": broker.pid,
        "port": broker.port,
        "for_bank": broker.for_bank,
        "started_at": psutil.Process(broker.pid).create_time(),
    }
    file = home_of(broker.run_dir) / "broker.json"
    draft = file.with_name(f".broker.{os.getpid()}")
    draft.write_text(json.dumps(content) + "\n", encoding="utf-8")
    draft.replace(file)


def wait_until_listening(run_dir: Path, *, port: int, lives: Callable[[], bool]) -> None:
    """Return once the broker takes connections. Raises KafkaError where it ends or takes long."""
    until = time.monotonic() + START_TIMEOUT_S
    while not _listens(port):
        if not lives() or time.monotonic() > until:
            raise KafkaError(f"the broker does not start: {_last_words(run_dir)}")
        time.sleep(POLL_S)


def alive(run_dir: Path) -> Broker | None:
    """The broker that `broker.json` names, if its process lives, whether it listens yet or not."""
    try:
        content = json.loads((home_of(run_dir) / "broker.json").read_text(encoding="utf-8"))
        process = psutil.Process(int(content["pid"]))
        same = abs(process.create_time() - float(content["started_at"])) < SAME_START_S
        if not same or process.status() == psutil.STATUS_ZOMBIE:
            return None
        return Broker(run_dir, int(content["port"]), process.pid, bool(content["for_bank"]))
    except (OSError, ValueError, KeyError, TypeError, psutil.Error):
        return None


def running(run_dir: Path) -> Broker | None:
    """The broker of `run_dir` if it takes connections now, else None."""
    found = alive(run_dir)
    return found if found is not None and _listens(found.port) else None


def stop(run_dir: Path) -> bool:
    """End the broker of `run_dir`, by force where it does not come down; False if none ran."""
    found = alive(run_dir)
    if found is None:
        return False
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(found.pid)
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(STOP_TIMEOUT_S)
    (home_of(run_dir) / "broker.json").unlink(missing_ok=True)
    return True


def destroy(run_dir: Path) -> None:
    """Stop the broker of `run_dir` and remove its data; the jars stay for the next one."""
    stop(run_dir)
    home = home_of(run_dir)
    shutil.rmtree(home / "data", ignore_errors=True)
    for name in ("server.properties", "broker.out"):
        (home / name).unlink(missing_ok=True)


def _listens(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((HOST, port)) == 0


@contextlib.contextmanager
def _output(run_dir: Path) -> Iterator[int]:
    """Where a broker's words go: begun anew where they have become many."""
    file = home_of(run_dir) / "broker.out"
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    if file.exists() and file.stat().st_size > MAX_OUTPUT_BYTES:
        flags |= os.O_TRUNC
    descriptor = os.open(file, flags, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _last_words(run_dir: Path) -> str:
    """The broker's first complaint, since what follows it is only its end."""
    try:
        text = (home_of(run_dir) / "broker.out").read_text(errors="replace")
    except OSError:
        text = ""
    lines = [line.strip() for line in text.splitlines() if " ERROR " in line or "Error" in line]
    return lines[-1][:300] if lines else "it said nothing"
