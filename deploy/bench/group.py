"""Consumers of profiles over Kafka: a broker of the benchmark's own, and members of the group."""

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy import kafka
from deploy.bench.member import GATE, WAIT_MS
from deploy.bench.setting import Setting
from deploy.kafka.clients import SERVERS, client_options
from deploy.local.environments import environment_of
from deploy.local.files import private_file
from deploy.local.options import ROOT
from deploy.local.programs import BROKER_OFFSET, Program
from services.profiles.consumers import SUBSCRIPTIONS
from services.profiles.settings import ProfilesSettings
from shared.contracts.topics import BY_NAME
from shared.kit.bus.kafka import KafkaBus

#: The service as it runs beside its API, and its consumer alone, which waits to be released.
WORKER, MEMBER = "services.profiles.main", "deploy.bench.member"
#: Where the members listen, above the bank's own port.
MEMBER_OFFSET = 30
#: `make kafka` keeps the jars here too.
JARS = ROOT / ".run/kafka"
JOINED_WITHIN_S = 90.0
ENDED_WITHIN_S = 20.0


@contextmanager
def own_broker(setting: Setting) -> Iterator[kafka.Broker]:
    """An empty broker beside the bank. Raises KafkaError."""
    kafka.destroy(setting.run_dir)
    try:
        yield kafka.start(
            setting.run_dir,
            port=setting.bank.options.port + BROKER_OFFSET,
            jars=JARS,
            say=setting.bank.say,
            for_bank=True,  # the bank's warden takes it down where nobody else can
        )
    finally:
        kafka.destroy(setting.run_dir)


def kafka_bus(setting: Setting, broker: kafka.Broker) -> KafkaBus:
    settings = ProfilesSettings(
        database_url=setting.credentials["profiles"].dsn,
        keys_dir=setting.keys_dir("profiles"),
        bus="kafka",
        kafka_bootstrap_servers=broker.bootstrap,
    )
    return KafkaBus(settings, application="bench")


@dataclass(frozen=True, slots=True)
class Group:
    """Members that have joined. Those of `MEMBER` apply nothing before `release`."""

    broker: kafka.Broker
    number: int
    gate: Path

    def release(self) -> None:
        """Raises RuntimeError where one of them has left meanwhile."""
        with closing(_administrator(self.broker)) as admin:
            if not _is_shared(_groups(admin), self.number):
                raise RuntimeError("the group fell apart before it was released")
        self.gate.touch()


@contextmanager
def members(
    setting: Setting, broker: kafka.Broker, *, module: str, number: int, wait_ms: float = 0.0
) -> Iterator[Group]:
    """So many consumers, each a process; in the block each of them has its partitions.

    Raises TimeoutError where the group does not come together, RuntimeError where one of them
    ends before.
    """
    gate = setting.run_dir / "bench-gate"
    gate.unlink(missing_ok=True)
    told = {"BUS": "kafka", SERVERS: broker.bootstrap, GATE: str(gate), WAIT_MS: str(wait_ms)}
    with ExitStack() as stack:
        processes = [
            stack.enter_context(_member(setting, told, module=module, place=place))
            for place in range(number)
        ]
        _wait_until_joined(setting, broker, processes)
        yield Group(broker, number, gate)
    gate.unlink(missing_ok=True)


@contextmanager
def _member(
    setting: Setting, told: Mapping[str, str], *, module: str, place: int
) -> Iterator[subprocess.Popen[bytes]]:
    bank = setting.bank
    program = Program(
        name=_name(place),
        module=module,
        service="profiles",
        role="worker",
        port=bank.options.port + MEMBER_OFFSET + place,
    )
    environment = environment_of(program, options=bank.options, credentials=setting.credentials)
    environment |= told
    lifeline = bank.supervisor.lifeline
    with private_file(_output(setting, place)) as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "deploy.local.child", str(lifeline), module],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=(lifeline,),
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(ENDED_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _name(place: int) -> str:
    return f"bench-member-{place}"


def _output(setting: Setting, place: int) -> Path:
    return setting.run_dir / "logs" / f"{_name(place)}.out"


def _last_words(setting: Setting, place: int) -> str:
    lines = _output(setting, place).read_text(errors="replace").split("\n")
    return next((line for line in reversed(lines) if line.strip()), "it said nothing")


def _administrator(broker: kafka.Broker) -> Any:
    from kafka import KafkaAdminClient

    return KafkaAdminClient(**client_options({SERVERS: broker.bootstrap}))


def _wait_until_joined(
    setting: Setting, broker: kafka.Broker, processes: Sequence[subprocess.Popen[bytes]]
) -> None:
    until = time.monotonic() + JOINED_WITHIN_S
    with closing(_administrator(broker)) as admin:
        while not _is_shared(_groups(admin), len(processes)):
            for place, process in enumerate(processes):
                if process.poll() is not None:
                    raise RuntimeError(f"a consumer ended: {_last_words(setting, place)}")
            if time.monotonic() > until:
                raise TimeoutError(f"{len(processes)} consumers do not share the group in time")
            time.sleep(0.1)


def _groups(admin: Any) -> dict[str, Any]:
    from kafka.errors import CoordinatorNotAvailableError

    try:
        found: dict[str, Any] = admin.describe_groups([SUBSCRIPTIONS.group])
    except CoordinatorNotAvailableError:
        return {}  # a new broker makes room for groups when it is first asked for one
    return found


def _is_shared(groups: dict[str, Any], number: int) -> bool:
    """Whether so many members share all partitions of the topics, each with some."""
    group = groups.get(SUBSCRIPTIONS.group)
    if group is None or group["group_state"] != "Stable":
        return False
    shares = [
        sum(len(topic["partitions"]) for topic in one["member_assignment"]["assigned_partitions"])
        for one in group["members"]
    ]
    every = sum(BY_NAME[topic].partitions for topic in SUBSCRIPTIONS.topics())
    return len(shares) == number and all(shares) and sum(shares) == every
