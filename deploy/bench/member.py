"""A consumer of profiles that begins when it is told to, and may wait before each batch.

It is profiles' own loop with profiles' own subscriptions. `BENCH_GATE` names a file: what was
polled is applied once that is there, so that a group comes together and finds a backlog before
the clock starts. `BENCH_WAIT_MS` is waited for each event, outside of any transaction, as a
consumer does that asks another system: then CPU is not what limits it.
"""

import asyncio
import os
import signal
from collections.abc import Sequence
from pathlib import Path

from services.profiles.consumers import SUBSCRIPTIONS
from services.profiles.settings import ProfilesSettings
from shared.kit import logs
from shared.kit.bus.port import Record
from shared.kit.bus.select import open_bus
from shared.kit.clock import new_id, utc_now
from shared.kit.consumers import ConsumerLoop
from shared.kit.database import Database

GATE, WAIT_MS = "BENCH_GATE", "BENCH_WAIT_MS"
LOOK_S = 0.005


class GatedLoop(ConsumerLoop):
    """`gate` and `wait_ms` are set before it runs."""

    gate: Path
    wait_ms: float

    async def apply(self, records: Sequence[Record]) -> None:
        while not self.gate.exists():  # noqa: ASYNC110 - a file that another process makes
            await asyncio.sleep(LOOK_S)
        if self.wait_ms:
            await asyncio.sleep(len(records) * self.wait_ms / 1000)
        await super().apply(records)


async def consume(settings: ProfilesSettings, *, gate: Path, wait_ms: float) -> None:
    """Until the process is told to end; the group is left then."""
    database = Database(
        settings.database_url.get_secret_value(),
        pool_size=settings.database_pool,
        application="bench-member",
    )
    bus = open_bus(settings, application="bench-member")
    loop = GatedLoop(
        subscriptions=SUBSCRIPTIONS,
        database=database,
        bus=bus,
        clock=utc_now,
        member=f"bench-{new_id()}",
    )
    loop.gate, loop.wait_ms = gate, wait_ms
    consuming = asyncio.create_task(loop.run())
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, consuming.cancel)
    try:
        await asyncio.wait([consuming])
    finally:
        await bus.close()
        await database.close()


if __name__ == "__main__":
    own = ProfilesSettings()
    logs.configure(service=own.service, log_file=own.log_file)
    asyncio.run(
        consume(own, gate=Path(os.environ[GATE]), wait_ms=float(os.environ.get(WAIT_MS, "0")))
    )
