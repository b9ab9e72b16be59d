"""Builds every profile again from the bus: `python -m services.profiles.rebuild`.

The service may run meanwhile. Both go through the inbox, so each event counts once whoever comes
first; until the end is reached a profile shows what has been read so far. Marketing consents are
the customers' own statements and stay as they are.
"""

import asyncio

from services.profiles import repository
from services.profiles.consumers import SUBSCRIPTIONS
from services.profiles.settings import ProfilesSettings
from shared.kit.bus.port import Bus
from shared.kit.bus.select import open_bus
from shared.kit.clock import Clock, utc_now
from shared.kit.consumers import BATCH, ConsumerLoop
from shared.kit.database import Database

POLL_TIMEOUT_S = 0.2


async def rebuild(*, database: Database, bus: Bus, clock: Clock = utc_now) -> int:
    """Forget what events told and read all of them again; how many were read."""
    loop = ConsumerLoop(
        subscriptions=SUBSCRIPTIONS, database=database, bus=bus, clock=clock, member="rebuild"
    )
    async with database.transaction() as session:
        await repository.empty_derived(session, group=SUBSCRIPTIONS.group)
    # Only now: the reader's end then lies behind all that the running service did before.
    reader = await bus.reader(topics=SUBSCRIPTIONS.topics(), since=None)
    read = 0
    try:
        while not await reader.caught_up():
            records = await reader.poll(limit=BATCH, timeout_s=POLL_TIMEOUT_S)
            if records:
                await loop.apply(records)
                read += len(records)
    finally:
        await reader.close()
    return read


async def run(settings: ProfilesSettings) -> int:
    """Rebuild the profiles of the bank that `settings` name; how many events were read."""
    database = Database(
        settings.database_url.get_secret_value(), pool_size=2, application="profiles-rebuild"
    )
    bus = open_bus(settings, application="profiles-rebuild")
    try:
        return await rebuild(database=database, bus=bus)
    finally:
        await bus.close()
        await database.close()


def main() -> None:
    read = asyncio.run(run(ProfilesSettings()))
    print(f"profiles: rebuilt from {read} events")  # noqa: T201 - a command tells its result


if __name__ == "__main__":
    main()
