"""How many events a second profiles takes from the bus, one transaction a batch."""

import asyncio
import time
from datetime import UTC, date, datetime
from random import Random

from deploy.bench.setting import Setting
from services.profiles.consumers import SUBSCRIPTIONS
from shared.contracts.events.envelope import Envelope
from shared.contracts.events.ledger import PostedLeg, TransferPosted
from shared.kit.bus.port import Bus, Message
from shared.kit.bus.postgres import PostgresBus
from shared.kit.clock import new_id

CUSTOMERS = 2_000
CHUNK = 500
GIVE_UP_S = 180.0


def _message(random: Random) -> Message:
    debit, credit = random.sample(range(CUSTOMERS), 2)
    amount = random.randrange(100, 100_000)
    event = TransferPosted(
        transfer_id=new_id(),
        kind="payment",
        value_date=date(2026, 6, 1),
        booking_date=date(2026, 6, 1),
        recorded_at=datetime(2026, 6, 1, tzinfo=UTC),
        legs=[
            PostedLeg(
                account_id=f"event-{side}",
                holder_id=f"event-{side}",
                amount_minor=signed,
                currency="CNY",
                balance_minor=0,
            )
            for side, signed in ((debit, -amount), (credit, amount))
        ],
    )
    envelope = Envelope(
        id=new_id(),
        source="ledger",
        type="TransferPosted",
        time=event.recorded_at,
        subject=event.key(),
        data=event.model_dump(mode="json"),
    )
    return Message(event.topic, event.key(), envelope.id, envelope.model_dump_json())


async def profiles(setting: Setting, bus: Bus, *, count: int) -> float:
    """Events a second from the first published to the last applied by the running service."""
    random = Random(6)  # noqa: S311 - a load, not a secret
    messages = [_message(random) for _ in range(count)]
    topics = SUBSCRIPTIONS.topics()
    connection = await setting.connect("profiles")
    try:
        await _caught_up(bus, topics)
        seen = "SELECT count(*) FROM inbox"
        before = int(await connection.fetchval(seen))
        began = time.perf_counter()
        for first in range(0, count, CHUNK):
            await bus.publish(messages[first : first + CHUNK])
        while int(await connection.fetchval(seen)) - before < count:
            if time.perf_counter() - began > GIVE_UP_S:
                raise TimeoutError("profiles did not take the events")
            await asyncio.sleep(0.05)
        return count / (time.perf_counter() - began)
    finally:
        await connection.close()


async def _caught_up(bus: Bus, topics: list[str]) -> None:
    until = time.perf_counter() + GIVE_UP_S
    while await bus.lag(group=SUBSCRIPTIONS.group, topics=topics):
        if time.perf_counter() > until:
            raise TimeoutError("profiles does not catch up")
        await asyncio.sleep(0.1)


def postgres_bus(setting: Setting) -> PostgresBus:
    return PostgresBus(setting.credentials["bus"].dsn, application="bench")
