"""The simulated sources as a real process, and one that asks them as risk's own process does."""

import contextlib
import json
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args
from uuid import UUID

import httpx

from deploy.bureau.people import answers_of, person_of
from services.risk.sources import consents, repository
from services.risk.sources.breakers import Breaker
from services.risk.sources.clients import HttpConnector
from services.risk.sources.repository import UseRow
from services.risk.sources.service import Gathered, Sources, gathered
from shared.contracts.http.risk_sources import Purpose, Source
from shared.kit.clock import new_id
from shared.kit.database import Database
from tests.bank import ROOT, Bank, free_port

ALL: tuple[Source, ...] = get_args(Source)
SEED = 7
BANK_KEY = "the-key-of-the-bank-under-test"
#: Of a bank whose bill no call of another test can reach.
AUDITED_KEY = "the-key-of-a-bank-that-is-audited"
ADMIN_KEY = "the-key-of-who-breaks-the-sources"
#: Ahead of the clock: risk's own process deletes in the background what is past its time.
NOW = datetime.now(UTC).replace(microsecond=0) + timedelta(days=2)
PATIENCE_MS = 10_000
OPEN_S = 0.2
TLS = ssl.create_default_context()


@dataclass
class Outside:
    """`python -m deploy.bureau`, to be made slow and wrong, and to be killed."""

    folder: Path
    port: int = field(default_factory=free_port)
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "BUREAU_KEYS": json.dumps({"tongbao": BANK_KEY, "audited": AUDITED_KEY}),
            "BUREAU_ADMIN_KEY": ADMIN_KEY,
            "BUREAU_SEED": str(SEED),
            "PORT": str(self.port),
        }

    def start(self) -> None:
        with (self.folder / "bureau.out").open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "deploy.bureau"],
                cwd=ROOT,
                env=self.environment(),
                stdout=out,
                stderr=out,
            )
        until = time.monotonic() + 30
        while True:
            assert self.process.poll() is None, (self.folder / "bureau.out").read_text()
            assert time.monotonic() < until
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{self.url}/readyz", timeout=1, verify=False).status_code == 200:
                    return
            time.sleep(0.02)

    def kill(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None

    def admin(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {ADMIN_KEY}"}
        with httpx.Client(base_url=self.url, headers=headers, verify=False) as client:
            response = client.request(method, f"/admin/{path}", **options)
        assert response.is_success, response.text
        return response

    def break_(self, *sources: str, kind: str = "none", **fault: int) -> None:
        for source in sources:
            self.admin("PUT", f"faults/{source}", json={"kind": kind, **fault})

    def bill(self, bank: str = "tongbao") -> dict[str, int]:
        return dict(self.admin("GET", "bill").json()[bank])


@dataclass
class Asker:
    """What risk's process holds: connectors, breakers, its database."""

    database: Database
    sources: Sources
    customer_id: str

    async def ask(
        self,
        *needs: str,
        now: datetime = NOW,
        purpose: Purpose | None = "credit",
        decision_id: UUID | None = None,
    ) -> Gathered:
        return await gathered(
            self.sources,
            self.database,
            decision_id=decision_id or new_id(),
            customer_id=self.customer_id,
            purpose=purpose,
            needs=frozenset(needs),
            now=now,
        )

    async def say(
        self,
        source: Source,
        *,
        purpose: Purpose = "credit",
        granted: bool = True,
        at: datetime = NOW - timedelta(days=1),
        until: datetime | None = None,
    ) -> None:
        """The customer's word."""
        async with self.database.transaction() as session:
            await consents.state(
                session,
                customer_id=self.customer_id,
                source=source,
                purpose=purpose,
                granted=granted,
                until=until,
                now=at,
            )

    async def allow_all(self) -> None:
        for source in ALL:
            if source != "court":
                await self.say(source)

    async def uses(self, decision_id: UUID) -> dict[str, UseRow]:
        async with self.database.statement() as session:
            rows = await repository.uses_of(session, decision_id=decision_id)
        return {row.source: row for row in rows}

    async def kept(self) -> set[str]:
        async with self.database.statement() as session:
            found = await repository.kept_answers(session, customer_id=self.customer_id, now=NOW)
        return set(found)


def expected(source: str, customer_id: str) -> dict[str, Any]:
    """What the source says of the customer, without what the bank does not ask for."""
    found = answers_of(source, customer_id, seed=SEED)
    return {name: value for name, value in found.items() if name != "employer"}


def known_customer(unique: str) -> str:
    """A customer of whom the sources know something."""
    names = (f"c-{unique}-{i}" for i in range(100))
    return next(name for name in names if person_of(name, seed=SEED).is_known)


@contextlib.asynccontextmanager
async def asking(
    bank: Bank, outside: Outside, unique: str, *, api_key: str = BANK_KEY
) -> AsyncIterator[Asker]:
    """Somebody who asks, and on a busy machine waits longer than the bank would."""
    connectors = {
        source: HttpConnector(
            source=source, base_url=f"{outside.url}/{source}", api_key=api_key, tls=TLS
        )
        for source in ALL
    }
    database = Database(bank.credentials["risk"].dsn, pool_size=4, application="test")
    breakers = {source: Breaker(OPEN_S) for source in ALL}
    sources = Sources(connectors, breakers, 2 * PATIENCE_MS, dict.fromkeys(ALL, PATIENCE_MS))
    try:
        yield Asker(database, sources, known_customer(unique))
    finally:
        for connector in connectors.values():
            await connector.close()
        await database.close()
