"""How many events a second profiles takes from the bus, one transaction a batch."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from random import Random
from typing import Any
from uuid import UUID

from deploy.bench.setting import Setting
from services.profiles.consumers import SUBSCRIPTIONS
from shared.contracts.events.envelope import Envelope
from shared.contracts.events.ledger import PostedLeg, TransferPosted
from shared.contracts.topics import BY_NAME
from shared.kit.bus.port import Bus, Message, partition_of
from shared.kit.bus.postgres import PostgresBus
from shared.kit.clock import new_id

CUSTOMERS = 2_000
CHUNK = 500
GIVE_UP_S = 180.0
PARTITIONS = BY_NAME[TransferPosted.topic].partitions


def messages(count: int) -> list[Message]:
    """Transfers of customers at random, in turn for each partition: each gets as many."""
    random = Random(6)  # noqa: S311 - a load, not a secret
    return [_message(random, partition=number % PARTITIONS) for number in range(count)]


def _message(random: Random, *, partition: int) -> Message:
    debit, credit = random.sample(range(CUSTOMERS), 2)
    amount = random.randrange(100, 100_000)
    event = TransferPosted(
        transfer_id=_id_in(partition),
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


def _id_in(partition: int) -> UUID:
    """An id of a transfer whose events go to the partition."""
    while True:
        found = new_id()
        if partition_of(str(found), PARTITIONS) == partition:
            return found


async def profiles(setting: Setting, bus: Bus, *, count: int) -> float:
    """Events a second from the first published to the last applied by who consumes there.

    Raises TimeoutError, and RuntimeError where not every event was applied.
    """
    prepared = messages(count)
    async with _all_applied(setting, bus, prepared) as arrived:
        began = time.perf_counter()
        await _publish(bus, prepared)
        await arrived()
        return count / (time.perf_counter() - began)


async def backlog(setting: Setting, bus: Bus, *, count: int, release: Callable[[], None]) -> float:
    """Events a second from `release`, when all are on the bus, to the last applied.

    Raises as `profiles` does.
    """
    prepared = messages(count)
    async with _all_applied(setting, bus, prepared) as arrived:
        await _publish(bus, prepared)
        await asyncio.to_thread(release)
        began = time.perf_counter()
        await arrived()
        return count / (time.perf_counter() - began)


async def _publish(bus: Bus, prepared: Sequence[Message]) -> None:
    for first in range(0, len(prepared), CHUNK):
        await bus.publish(prepared[first : first + CHUNK])


@asynccontextmanager
async def _all_applied(
    setting: Setting, bus: Bus, prepared: Sequence[Message]
) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """What waits for the last of them; after the block each must have had its effect."""
    connection = await setting.connect("profiles")
    try:
        await _caught_up(bus, SUBSCRIPTIONS.topics())
        handled, dead = await _counts(connection)
        until = time.perf_counter() + GIVE_UP_S
        yield lambda: _arrived(connection, prepared[-PARTITIONS:], until=until)
        now_handled, now_dead = await _counts(connection)
    finally:
        await connection.close()
    if (now_handled - handled, now_dead - dead) != (len(prepared), 0):
        words = f"{now_handled - handled} of {len(prepared)} events were handled"
        raise RuntimeError(f"{words}, {now_dead - dead} of them as dead letters")


async def _arrived(connection: Any, last: Sequence[Message], *, until: float) -> None:
    """Until the last message of each partition is handled, and all before it, as each is in order.

    Asks for these few: counting all of them again and again would be a load of its own.
    """
    seen = "SELECT count(*) FROM inbox WHERE consumer_group = $1 AND event_id = ANY ($2)"
    ids = [message.event_id for message in last]
    while await connection.fetchval(seen, SUBSCRIPTIONS.group, ids) < len(ids):
        if time.perf_counter() > until:
            raise TimeoutError("profiles did not take the events")
        await asyncio.sleep(0.02)


async def _counts(connection: Any) -> tuple[int, int]:
    """How many events the service has handled, and how many of them as dead letters."""
    statement = "SELECT (SELECT count(*) FROM inbox), (SELECT count(*) FROM dead_letters)"
    handled, dead = await connection.fetchrow(statement)
    return int(handled), int(dead)


async def _caught_up(bus: Bus, topics: list[str]) -> None:
    until = time.perf_counter() + GIVE_UP_S
    while await bus.lag(group=SUBSCRIPTIONS.group, topics=topics):
        if time.perf_counter() > until:
            raise TimeoutError("profiles does not catch up")
        await asyncio.sleep(0.1)


def postgres_bus(setting: Setting) -> PostgresBus:
    return PostgresBus(setting.credentials["bus"].dsn, application="bench")
