"""Which bus a local bank runs on: chosen at its first start, then kept with its data.

Events that were published lie on one bus, so a bank cannot change it. `secrets/bus.json` keeps
the choice: PostgreSQL, a broker of the bank's own, or one that KAFKA_BOOTSTRAP_SERVERS named.
"""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from deploy import kafka
from deploy.kafka.clients import SERVERS, client_options
from deploy.local.files import private_folder, read_json, write_json
from deploy.local.options import LocalError, Options
from deploy.local.programs import BROKER_OFFSET
from shared.contracts.topics import BY_NAME, SERVICES

OWN, NAMED, POSTGRES = "its own Kafka", "the Kafka it was given", "PostgreSQL"


@dataclass(frozen=True, slots=True)
class ChosenBus:
    """`kind` in words; `settings` are those of a Kafka that was given, as clients read them."""

    kind: str = POSTGRES
    #: Where the bank's own broker listens.
    port: int = 0
    settings: Mapping[str, str] = field(default_factory=dict)


def bus_of(run_dir: Path) -> ChosenBus:
    """The bus of the bank in `run_dir`."""
    kept = read_json(_file(run_dir))
    return ChosenBus(**kept) if kept else ChosenBus()


def choose_bus(options: Options) -> ChosenBus:
    """The bus for this start. Raises LocalError where the bank's events lie on another one."""
    kind = {None: None, "postgres": POSTGRES, "kafka": NAMED if options.kafka else OWN}[options.bus]
    known = (options.run_dir / "secrets/postgres.json").exists()
    kept = bus_of(options.run_dir).kind if known else None
    if kept is not None and kind is not None and kind != kept:
        raise LocalError(
            f"the events of this bank lie on {kept}, not on {kind}; make reset starts anew"
        )
    kind = kind or kept or POSTGRES
    if kind == NAMED:
        # Without the setting, for example at a later start, those that were given before.
        return ChosenBus(kind, settings=options.kafka or bus_of(options.run_dir).settings)
    return ChosenBus(kind, port=options.port + BROKER_OFFSET if kind == OWN else 0)


def open_bus(run_dir: Path, chosen: ChosenBus, *, say: Callable[[str], None]) -> None:
    """Start the bank's own broker, where it has one, and keep the choice. Raises LocalError."""
    if chosen.kind == OWN:
        say("starting Apache Kafka")
        try:
            kafka.start(run_dir, port=chosen.port, say=say, for_bank=True)
        except kafka.KafkaError as error:
            raise LocalError(str(error)) from error
    private_folder(run_dir / "secrets")
    write_json(_file(run_dir), asdict(chosen))


def bus_environment(run_dir: Path, *, url: str) -> dict[str, str]:
    """What a process is told of the bus; `url` names the event log's database."""
    chosen = bus_of(run_dir)
    if chosen.kind == POSTGRES:
        return {"BUS_URL": url}
    if chosen.kind == NAMED:
        return {"BUS": "kafka", **chosen.settings}
    broker = kafka.alive(run_dir)
    port = broker.port if broker else chosen.port
    return {"BUS": "kafka", SERVERS: f"127.0.0.1:{port}"}


def mend_bus(run_dir: Path, *, say: Callable[[str], None]) -> bool:
    """Start the bank's own broker again where it died; True where it did."""
    chosen = bus_of(run_dir)
    if chosen.kind != OWN or kafka.alive(run_dir) is not None:
        return False
    say("Apache Kafka died; it is started again")
    kafka.start(run_dir, port=chosen.port, say=say, for_bank=True)
    return True


def close_bus(run_dir: Path) -> None:
    """Stop the broker that a bank started; one of `make kafka` stays up."""
    broker = kafka.alive(run_dir)
    if broker is not None and broker.for_bank:
        kafka.stop(run_dir)


def destroy_bus(run_dir: Path, *, say: Callable[[str], None]) -> None:
    """Remove the bank's events, from a broker that it was given too."""
    chosen = bus_of(run_dir)
    if chosen.kind == OWN:
        kafka.destroy(run_dir)
    if chosen.kind == NAMED:
        servers = chosen.settings[SERVERS]
        say(f"removing the bank's topics from {servers}")
        try:
            _remove_topics(chosen.settings)
        except Exception as error:
            say(f"its topics stay at {servers}: {error}")


def _remove_topics(settings: Mapping[str, str]) -> None:
    from kafka import KafkaAdminClient
    from kafka.errors import KafkaError

    with contextlib.closing(KafkaAdminClient(**client_options(settings))) as admin:
        known = {topic["name"] for topic in admin.describe_topics()}
        admin.delete_topics(sorted(known & set(BY_NAME)))
        with contextlib.suppress(KafkaError):  # a group that is not there
            admin.delete_groups(list(SERVICES))


def _file(run_dir: Path) -> Path:
    return run_dir / "secrets/bus.json"
