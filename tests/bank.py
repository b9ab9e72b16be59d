"""The bank under test: a real PostgreSQL, and each service a process of its own, met over HTTP."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import httpx

from deploy.postgres import Server, ServiceCredentials, destroy, provision, start
from shared.contracts.topics import SERVICES
from shared.kit.auth import Authenticator, KeyRing, write_keys
from shared.kit.migrate import DATABASES, migrate

ROOT = Path(__file__).resolve().parents[1]
STAFF = "s-tester"
READY_WITHIN_S = 60.0

#: Whom each service calls; they are started before it.
PEERS = {
    "identity": (),
    "ledger": (),
    "risk": ("identity",),
    "profiles": (),
    "advisor": (),
    "payments": ("ledger", "risk"),
    "gateway": ("identity", "ledger", "payments", "risk", "profiles", "advisor"),
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Bank:
    """Started once a test session; services begin when a test first asks for them."""

    folder: Path
    server: Server
    credentials: dict[str, ServiceCredentials]
    ports: dict[str, int] = field(default_factory=dict)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    extra_settings: dict[str, dict[str, str]] = field(default_factory=dict)

    # -- processes ------------------------------------------------------------------------

    def url(self, service: str) -> str:
        return f"http://127.0.0.1:{self.ports[service]}"

    def log(self, service: str) -> Path:
        return self.folder / "logs" / f"{service}.jsonl"

    def messages(self) -> Path:
        """The customers' phones: identity writes one-time codes here."""
        return self.folder / "messages.jsonl"

    def settings(self, service: str) -> dict[str, str]:
        """The environment of one service's process."""
        environment = {
            name: value
            for name, value in os.environ.items()
            if name in {"PATH", "HOME", "LANG", "TZ", "TMPDIR"} or name.startswith("OPENBLAS")
        }
        environment |= {
            "DATABASE_URL": self.credentials[service].dsn,
            "BUS_URL": self.credentials["bus"].dsn,
            "KEYS_DIR": str(self.folder / "keys"),
            "PEERS": json.dumps({peer: self.url(peer) for peer in PEERS[service]}),
            "PORT": str(self.ports[service]),
            "LOG_FILE": str(self.log(service)),
            "MESSAGES_FILE": str(self.messages()),
            "PUBLIC_URL": self.url(service),
            "PYTHONPATH": str(ROOT),
        }
        if service == "gateway":
            # receivers of webhooks are tests' own, on this machine
            environment["WEBHOOKS_TO_LOOPBACK"] = "true"
        if service == "risk":
            # a busy machine must not send to review what a test expects approved
            environment["DECISION_DEADLINE_MS"] = "10000"
        return environment | self.extra_settings.get(service, {})

    def start(self, service: str) -> str:
        """Start the service, and first those that it calls; its base URL."""
        running = self.processes.get(service)
        if running is not None and running.poll() is None:
            return self.url(service)
        for peer in PEERS[service]:
            self.start(peer)
        self.ports.setdefault(service, free_port())
        module = "gateway.main" if service == "gateway" else f"services.{service}.main"
        with (self.folder / f"{service}.out").open("ab") as out:
            self.processes[service] = subprocess.Popen(
                [sys.executable, "-m", module],
                cwd=ROOT,
                env=self.settings(service),
                stdout=out,
                stderr=out,
            )
        self.wait_ready(service)
        return self.url(service)

    def wait_ready(self, service: str) -> None:
        until = time.monotonic() + READY_WITHIN_S
        while time.monotonic() < until:
            process = self.processes[service]
            if process.poll() is not None:
                said = (self.folder / f"{service}.out").read_text()[-3000:]
                raise AssertionError(f"{service} ended with {process.returncode}:\n{said}")
            with contextlib.suppress(httpx.HTTPError):
                answer = httpx.get(f"{self.url(service)}/readyz", timeout=2, verify=False)
                if answer.status_code == 200:
                    return
            time.sleep(0.05)
        said = (self.folder / f"{service}.out").read_text()[-3000:]
        raise AssertionError(f"{service} is not ready:\n{said}")

    def kill(self, service: str) -> None:
        """SIGKILL: no chance to finish anything."""
        process = self.processes.pop(service, None)
        if process is not None:
            process.send_signal(signal.SIGKILL)
            process.wait()

    def stop_services(self) -> None:
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes.clear()

    # -- calls ----------------------------------------------------------------------------

    def authenticator(self, service: str) -> Authenticator:
        return Authenticator(KeyRing(service=service, keys_dir=self.folder / "keys"))

    def token(
        self,
        target: str,
        *,
        caller: str,
        customer_id: str | None = None,
        partner_id: str | None = None,
    ) -> str:
        """A token as the service `caller` would sign it for a call to `target`."""
        return self.authenticator(caller).token(
            audience=target, customer_id=customer_id, partner_id=partner_id
        )

    def staff_token(self, *, roles: tuple[str, ...] = ("operator",), staff_id: str = STAFF) -> str:
        return self.authenticator("identity").staff_token(staff_id=staff_id, roles=list(roles))

    def client(
        self,
        target: str,
        *,
        caller: str | None = None,
        customer_id: str | None = None,
        partner_id: str | None = None,
        roles: tuple[str, ...] | None = None,
    ) -> httpx.AsyncClient:
        """A client of a running service: as another service, as staff with `roles`, or as nobody.

        Use it with `async with`.
        """
        self.start(target)
        headers = {}
        if caller is not None:
            token = self.token(
                target, caller=caller, customer_id=customer_id, partner_id=partner_id
            )
            headers = {"authorization": f"Bearer {token}"}
        elif roles is not None:
            headers = {"authorization": f"Bearer {self.staff_token(roles=roles)}"}
        limits = httpx.Limits(max_connections=100)
        # Plain HTTP: reading the CA bundle would take 0.1 s a client.
        return httpx.AsyncClient(
            base_url=self.url(target), headers=headers, timeout=30, limits=limits, verify=False
        )

    # -- databases ------------------------------------------------------------------------

    async def connect(self, database: str, *, owner: bool = True) -> "asyncpg.Connection":
        """Plain SQL on a service's database, as its owner or as its run-time role."""
        found = self.credentials[database]
        url = found.owner_dsn if owner else found.dsn
        return await asyncpg.connect(url.replace("postgresql+asyncpg://", "postgresql://"))

    async def events(self, topic: str, *, key: str | None = None) -> list[dict]:
        """The envelopes that the bus has of a topic, oldest first."""
        connection = await self.connect("bus")
        try:
            rows = await connection.fetch(
                "SELECT value FROM log WHERE topic = $1 AND ($2::text IS NULL OR key = $2)"
                " ORDER BY partition, log_offset",
                topic,
                key,
            )
        finally:
            await connection.close()
        return [json.loads(row["value"]) for row in rows]


async def eventually(
    check: Callable[[], Awaitable[object]], *, within_s: float = 20.0, every_s: float = 0.05
) -> object:
    """The first true answer of `check`: for what happens after the bus has carried it.

    The time is no promise of the bank, only how long a broken one is waited for.
    """
    until = time.monotonic() + within_s
    while True:
        found = await check()
        if found:
            return found
        assert time.monotonic() < until, f"nothing came of {check} within {within_s} s"
        await asyncio.sleep(every_s)


@contextlib.contextmanager
def running_bank(folder: Path) -> Iterator[Bank]:
    """A bank with empty databases in `folder`; its processes end with the block."""
    # Processes die in these tests, the machine does not: what was written need not be synced.
    server = start(folder, settings={"max_connections": "200", "fsync": "off"})
    try:
        credentials = provision(server, DATABASES)

        async def migrate_all() -> None:
            for name in DATABASES:
                await migrate(name=name, url=credentials[name].owner_dsn)

        asyncio.run(migrate_all())
        write_keys(folder / "keys", SERVICES, serial="1")
        bank = Bank(folder=folder, server=server, credentials=credentials)
        try:
            yield bank
        finally:
            bank.stop_services()
    finally:
        # As root the data lies outside `folder`, where a temporary folder's end would not reach.
        destroy(folder)
