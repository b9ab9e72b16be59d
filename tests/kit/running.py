"""Starts the tiny service, whose database a test may take away, and reads what it logged."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from shared.kit.auth import Authenticator, KeyRing
from tests.bank import eventually, free_port
from tests.kit.proxy import Proxy
from tests.kit.support import ROOT, Kit

MAX_BODY = 2_000
MAX_CONCURRENCY = 8
PATIENCE_MS = 2_000


@dataclass(frozen=True)
class Tiny:
    url: str
    log_file: Path
    keys_dir: Path
    #: Between the service and its database; the bus has a way of its own.
    proxy: Proxy
    process: asyncio.subprocess.Process

    def client(self, **options: Any) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.url, timeout=20, **options)

    def authenticator(self, service: str) -> Authenticator:
        return Authenticator(KeyRing(service=service, keys_dir=self.keys_dir))

    async def logged(self, **wanted: object) -> dict[str, Any]:
        """The newest line of the log that has these fields; it may be written a little later."""

        async def find() -> dict[str, Any] | None:
            for line in reversed(self.log_file.read_text().splitlines()):
                entry = json.loads(line)
                if wanted.items() <= entry.items():
                    return entry
            return None

        found = await eventually(find)
        assert isinstance(found, dict)
        return found


@asynccontextmanager
async def running_tiny(kit: Kit, log_file: Path, **extra: str) -> AsyncIterator[Tiny]:
    """`extra` settings go over those that are here."""
    proxy = Proxy(kit.settings.database_url.get_secret_value())
    await proxy.mend()
    port = free_port()
    environment = kit.environment() | {
        "DATABASE_URL": proxy.through(kit.settings.database_url.get_secret_value()),
        "PORT": str(port),
        "LOG_FILE": str(log_file),
        "MAX_BODY_BYTES": str(MAX_BODY),
        "MAX_CONCURRENCY": str(MAX_CONCURRENCY),
        "REQUEST_TIMEOUT_MS": str(PATIENCE_MS),
        "ROLE": "api",  # a worker would take the outbox of other tests for its own
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.kit.tiny", cwd=ROOT, env=environment | extra
    )
    tiny = Tiny(f"http://127.0.0.1:{port}", log_file, kit.settings.keys_dir, proxy, process)
    try:

        async def is_ready() -> bool:
            assert process.returncode is None, "the tiny service ended"
            with suppress(httpx.HTTPError):
                async with tiny.client() as client:
                    return (await client.get("/readyz")).status_code == 200
            return False

        await eventually(is_ready, within_s=60)
        yield tiny
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), 20)
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
        await proxy.close()
