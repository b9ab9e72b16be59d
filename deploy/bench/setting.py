"""The bank that is measured: one of its own, started as the demo is, in a folder below `.run`."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import psutil

from deploy import postgres
from deploy.local.bank import Bank
from deploy.local.files import keys_folder
from deploy.local.programs import url_of
from deploy.postgres import Server, ServiceCredentials
from shared.kit.auth import Authenticator, KeyRing
from shared.kit.migrate import DATABASES


@dataclass(frozen=True, slots=True)
class Setting:
    """The running bank with what a benchmark needs of it."""

    bank: Bank
    server: Server
    credentials: Mapping[str, ServiceCredentials]

    @property
    def run_dir(self) -> Path:
        return self.bank.options.run_dir

    def url(self, service: str) -> str:
        return url_of(service, port=self.bank.options.port)

    def keys_dir(self, service: str) -> Path:
        return keys_folder(self.run_dir, service)

    async def connect(self, database: str) -> "asyncpg.Connection[Any]":
        """As the database's owner, for what is set up and not measured."""
        dsn = self.credentials[database].owner_dsn
        return await asyncpg.connect(dsn.replace("postgresql+asyncpg://", "postgresql://"))

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stops every process of the bank but PostgreSQL for the block, and lets it go on after."""
        running = [
            psutil.Process(one.process.pid)
            for one in self.bank.supervisor.snapshot()
            if one.process is not None
        ]
        for process in running:
            process.suspend()
        try:
            yield
        finally:
            for process in running:
                process.resume()

    def cpu_seconds(self) -> dict[str, float]:
        """CPU that each process of the bank has used so far; PostgreSQL's together."""
        used = {}
        for one in self.bank.supervisor.snapshot():
            if one.process is not None:
                used[one.program.name] = _cpu(psutil.Process(one.process.pid))
        server = psutil.Process(self.server.pid)
        used["postgres"] = _cpu(server) + sum(_cpu(child) for child in server.children())
        return used


def _cpu(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)


def setting_of(bank: Bank) -> Setting:
    """Raises PostgresError where the bank's server does not run."""
    server = postgres.start(bank.options.run_dir)
    return Setting(bank, server, postgres.provision(server, DATABASES))


def service_token(
    setting: Setting,
    *,
    caller: str,
    target: str,
    customer_id: str | None = None,
    partner_id: str | None = None,
) -> str:
    """A token as `caller` signs it; the benchmark may read every key of its own bank."""
    ring = KeyRing(service=caller, keys_dir=setting.keys_dir(caller))
    return Authenticator(ring).token(
        audience=target, customer_id=customer_id, partner_id=partner_id
    )
