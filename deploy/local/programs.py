"""The programs of the local bank: which process runs what, on which port, and whom it calls."""

from dataclasses import dataclass
from typing import Literal

Role = Literal["all", "api", "worker"]

#: Where the ports of workers begin that run apart from their APIs.
WORKER_OFFSET = 20


@dataclass(frozen=True, slots=True)
class Service:
    """A service of the bank: its port is the bank's plus `offset`."""

    name: str
    module: str
    offset: int
    #: The services that it calls.
    peers: tuple[str, ...] = ()


SERVICES: tuple[Service, ...] = (
    Service("identity", "services.identity.main", 1),
    Service("ledger", "services.ledger.main", 2),
    Service("payments", "services.payments.main", 3, ("ledger", "risk")),
    Service("risk", "services.risk.main", 4, ("identity",)),
    Service("profiles", "services.profiles.main", 5),
    Service("advisor", "services.advisor.main", 6),
    Service(
        "gateway",
        "gateway.main",
        0,
        ("identity", "ledger", "payments", "risk", "profiles", "advisor"),
    ),
)
BY_NAME = {service.name: service for service in SERVICES}
CONSOLE_MODULE = "deploy.console"
CONSOLE_OFFSET = 9
#: The outside world that the bank asks, simulated: no part of the bank.
BUREAU = "bureau"
BUREAU_MODULE = "deploy.bureau"
BUREAU_OFFSET = 8
#: Where the bank's own Kafka listens; its controller takes the port above.
BROKER_OFFSET = 10


@dataclass(frozen=True, slots=True)
class Program:
    """One process to run. `name` is the log's; a worker apart has one of its own."""

    name: str
    module: str
    service: str
    role: Role
    port: int


def programs_of(*, port: int, split: bool) -> list[Program]:
    """Every process of the bank, the landing page last; before it the simulated outside."""
    found: list[Program] = []
    for service in SERVICES:
        roles: tuple[Role, ...] = ("api", "worker") if split else ("all",)
        for role in roles:
            worker = role == "worker"
            found.append(
                Program(
                    name=f"{service.name}-worker" if worker else service.name,
                    module=service.module,
                    service=service.name,
                    role=role,
                    port=port + service.offset + (WORKER_OFFSET if worker else 0),
                )
            )
    found.append(Program(BUREAU, BUREAU_MODULE, BUREAU, "all", port + BUREAU_OFFSET))
    found.append(Program("console", CONSOLE_MODULE, "console", "all", port + CONSOLE_OFFSET))
    return found


def url_of(name: str, *, port: int) -> str:
    """The address of a service, by the bank's port.

    The number, not `localhost`: that may name an address that nobody listens to.
    """
    return f"http://127.0.0.1:{port + BY_NAME[name].offset}"
