"""What a person may ask of the local bank: environment variables, as `make demo` hands them on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deploy.kafka.clients import NAMES, SERVERS

ROOT = Path(__file__).resolve().parents[2]
#: The gateway's own port and those above it (`deploy.local.programs`) must exist.
HIGHEST_PORT = 65_535 - 40
DEFAULT_CUSTOMERS = 200
MAX_CUSTOMERS = 20_000


class LocalError(Exception):
    """The bank cannot run as asked; the text is one clear line."""


@dataclass(frozen=True, slots=True)
class Options:
    run_dir: Path
    port: int
    #: A folder with a bank's book; None for a synthetic one.
    book: Path | None
    #: What the synthetic book is made from.
    seed: int
    customers: int
    #: End after the play, with its result.
    once: bool
    #: Run API and worker of each service in processes of their own.
    split: bool
    #: `postgres` or `kafka`; None for the one that the bank has, at first `postgres`.
    bus: str | None = None
    #: The settings of a Kafka that is there already; without them the bank starts its own.
    kafka: Mapping[str, str] = field(default_factory=dict)
    #: Settings of the gateway alone, by their names: what `make sandbox` adds.
    gateway: Mapping[str, str] = field(default_factory=dict)


def read_options(environment: Mapping[str, str]) -> Options:
    """Raises LocalError that names the setting at fault."""
    roles = environment.get("ROLES") or "all"
    if roles not in {"all", "split"}:
        raise LocalError(f"ROLES={roles} is neither all nor split")
    once = environment.get("ONCE") or "0"
    if once not in {"0", "1"}:
        raise LocalError(f"ONCE={once} is neither 0 nor 1")
    return Options(
        run_dir=run_dir_of(environment),
        port=_number(environment, "PORT", default=8080, low=1_024, high=HIGHEST_PORT),
        book=_book(environment.get("BOOK") or ""),
        seed=_number(environment, "SEED", default=1, low=0, high=2**31 - 1),
        customers=_number(
            environment, "CUSTOMERS", default=DEFAULT_CUSTOMERS, low=10, high=MAX_CUSTOMERS
        ),
        once=once == "1",
        split=roles == "split",
        bus=_bus(environment),
        kafka=_kafka(environment),
    )


def run_dir_of(environment: Mapping[str, str]) -> Path:
    """Where the bank of this checkout leaves what people and tools need."""
    return (ROOT / (environment.get("RUN_DIR") or ".run")).resolve()


def _bus(environment: Mapping[str, str]) -> str | None:
    bus = environment.get("BUS") or None
    if bus not in {None, "postgres", "kafka"}:
        raise LocalError(f"BUS={bus} is neither postgres nor kafka")
    return bus


def _kafka(environment: Mapping[str, str]) -> dict[str, str]:
    if not environment.get(SERVERS):
        return {}
    return {name: environment[name] for name in (SERVERS, *NAMES) if environment.get(name)}


def _book(value: str) -> Path | None:
    if not value:
        return None
    folder = (ROOT / value).resolve()
    if not folder.is_dir():
        raise LocalError(f"BOOK={value}: there is no such folder")
    return folder


def _number(environment: Mapping[str, str], name: str, *, default: int, low: int, high: int) -> int:
    value = environment.get(name) or str(default)
    if not value.isascii() or not value.isdigit() or not low <= int(value) <= high:
        raise LocalError(f"{name}={value} is not a number from {low} to {high}")
    return int(value)
