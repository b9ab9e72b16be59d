"""A consumer under test: its handler writes effects, and does to chosen words what a test says."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy import text

from shared.contracts.events.envelope import Envelope
from shared.kit.bus.port import Bus, Message, Record
from shared.kit.clock import new_id, utc_now
from shared.kit.consumers import ConsumerLoop, Delivery, Subscriptions
from shared.kit.database import Database, Session
from tests.kit.support import Kit, Stream

Trouble = Callable[[Session], Awaitable[None]]
_EFFECT = text("INSERT INTO effects (word, number) VALUES (:word, :number)")


@dataclass
class Handling:
    """What is done with an event; `troubles` come after the effect, so that it must be undone."""

    troubles: dict[str, Trouble] = field(default_factory=dict)
    calls: list[list[str]] = field(default_factory=list)

    async def handle(self, session: Session, deliveries: Sequence[Delivery]) -> None:
        self.calls.append([delivery.event.word for delivery in deliveries])
        for delivery in deliveries:
            event = delivery.event
            await session.execute(_EFFECT, {"word": event.word, "number": event.number})
            if trouble := self.troubles.get(event.word):
                await trouble(session)

    def fail(self, word: str, error: Exception) -> None:
        async def trouble(_: Session) -> None:
            raise error

        self.troubles[word] = trouble


@dataclass(frozen=True)
class Consuming:
    kit: Kit
    stream: Stream
    handling: Handling
    loop: ConsumerLoop

    def record(self, word: str, number: int = 1, *, value: str | None = None) -> Record:
        """An event of the stream as the bus would bring it."""
        event = self.stream.counted(word=word, number=number)
        envelope = Envelope(
            id=new_id(),
            source="kit",
            type="Counted",
            time=datetime(2026, 3, 1, 12, tzinfo=UTC),
            subject=word,
            data=event.model_dump(mode="json"),
        )
        return Record(
            topic=self.stream.topic,
            partition=0,
            offset=number,
            key=word,
            event_id=envelope.id,
            value=envelope.model_dump_json() if value is None else value,
            at=envelope.time,
        )

    def message(self, word: str, number: int = 1, *, value: str | None = None) -> Message:
        record = self.record(word, number, value=value)
        return Message(record.topic, record.key, record.event_id, record.value)

    async def effects(self) -> list[str]:
        """The words whose effect is stored, in the order in which it was."""
        return [row["word"] for row in await self.kit.rows("SELECT * FROM effects ORDER BY 1")]

    async def handled(self) -> int:
        statement = "SELECT count(*) AS n FROM inbox WHERE consumer_group = $1"
        (row,) = await self.kit.rows(statement, self.stream.group)
        return int(row["n"])

    async def dead(self) -> dict[str, str]:
        """Cause by key of the letters that nobody replayed yet."""
        statement = (
            "SELECT key, cause FROM dead_letters WHERE consumer_group = $1 AND replayed_at IS NULL"
        )
        rows = await self.kit.rows(statement, self.stream.group)
        return {row["key"]: row["cause"] for row in rows}


@asynccontextmanager
async def consuming(
    kit: Kit, stream: Stream, database: Database, bus: Bus, *, any_order: bool = False
) -> AsyncIterator[Consuming]:
    handling = Handling()
    subscriptions = Subscriptions(stream.group, {stream.counted: handling.handle}, any_order)
    loop = ConsumerLoop(
        subscriptions=subscriptions, database=database, bus=bus, clock=utc_now, member="one"
    )
    yield Consuming(kit, stream, handling, loop)
