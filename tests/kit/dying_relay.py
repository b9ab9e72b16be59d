"""A relay that dies by SIGKILL between publish and mark: `python -m tests.kit.dying_relay`."""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence

from shared.kit.bus.port import Bus, Message
from shared.kit.bus.select import open_bus
from shared.kit.clock import utc_now
from shared.kit.database import Database
from shared.kit.outbox import Relay
from shared.kit.settings import Settings
from tests.kit.support import topic_named


class DeadlyBus:
    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def publish(self, messages: Sequence[Message]) -> None:
        await self._bus.publish(messages)
        os.kill(os.getpid(), signal.SIGKILL)


async def run() -> None:
    settings = Settings()
    database = Database(
        settings.database_url.get_secret_value(), pool_size=2, application="kit-dying"
    )
    bus = DeadlyBus(open_bus(settings, application="kit-dying"))
    relay = Relay(service="kit", database=database, bus=bus, clock=utc_now, owner="dying")
    await relay.run()


if __name__ == "__main__":
    with topic_named(sys.argv[1]):
        asyncio.run(run())
