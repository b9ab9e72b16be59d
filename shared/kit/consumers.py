"""The consumer loop: an event's effect and the note that it happened are one transaction.

A service's `consumers.py` holds one function per event and one table of them. A batch is
applied in one transaction; where that fails, record by record, so that one bad event does not
stop the rest: it goes to the dead letters with its cause, and a command replays it.
"""

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any
from uuid import UUID

from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert

from shared.contracts.events.envelope import Envelope, Event
from shared.contracts.topics import dead_letter_topic
from shared.kit import metrics, tracing
from shared.kit.bus.port import Bus, Consumer, Record
from shared.kit.clock import Clock, new_id
from shared.kit.database import Database, Session
from shared.kit.problems import Unavailable
from shared.kit.tables import dead_letters, inbox, outbox

log = logging.getLogger(__name__)

BATCH = 1_000
POLL_TIMEOUT_S = 1.0
RETRY_S = 1.0
#: Tries of one event before it is a dead letter; a lost connection is no try.
ATTEMPTS = 3
MAX_CAUSE = 500
REPLAY_BATCH = 500
RETENTION_BATCH = 5_000


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event as it arrived: its id, its time, and what it says."""

    event_id: UUID
    at: datetime
    event: Event


#: One array parameter instead of a row of parameters an event: the statement stays the same.
_MARK = text(
    "INSERT INTO inbox (consumer_group, event_id, handled_at)"
    " SELECT :consumer_group, e, :handled_at FROM unnest(CAST(:event_ids AS uuid[])) AS e"
    " ON CONFLICT DO NOTHING RETURNING event_id"
)

Handler = Callable[[Session, Sequence[Any]], Awaitable[None]]
"""Takes the session and the deliveries of one kind of event, in order. It must not commit."""


@dataclass(frozen=True, slots=True)
class Subscriptions:
    """Which function handles which event. `group` is the service's name.

    `any_order`: the effects do not depend on the order between kinds of events, so a batch is
    handed over kind by kind, each in its order. Mixed topics then cost a call a kind, not a run.
    """

    group: str
    handlers: Mapping[type[Event], Handler]
    any_order: bool = False

    def topics(self) -> list[str]:
        return sorted({event.topic for event in self.handlers})

    def decode(self, value: str) -> tuple[Envelope, Delivery | None]:
        """The envelope, and the delivery where this group handles the event."""
        envelope = Envelope.model_validate_json(value)
        for event in self.handlers:
            if event.__name__ == envelope.type:
                data = event.model_validate(envelope.data)
                return envelope, Delivery(envelope.id, envelope.time, data)
        return envelope, None


class ConsumerLoop:
    """Reads the bus for one group and applies each event once."""

    def __init__(
        self,
        *,
        subscriptions: Subscriptions,
        database: Database,
        bus: Bus,
        clock: Clock,
        member: str,
    ) -> None:
        self._subscriptions = subscriptions
        self._database = database
        self._bus = bus
        self._clock = clock
        self._member = member

    async def run(self) -> None:
        """Consume until cancelled; whatever is away is tried again."""
        consumer: Consumer | None = None
        is_behind = False
        try:
            while True:
                try:
                    if consumer is not None and is_behind:
                        await consumer.seek_back()
                        is_behind = False
                    if consumer is None:
                        consumer = await self._bus.consumer(
                            group=self._subscriptions.group,
                            topics=self._subscriptions.topics(),
                            member=self._member,
                        )
                    records = await consumer.poll(limit=BATCH, timeout_s=POLL_TIMEOUT_S)
                    if records:
                        await self.apply(records)
                        await consumer.commit()
                except Exception as error:
                    # Nothing is lost: what was not committed comes again.
                    log.warning("consumer.retry", extra={"cause": type(error).__name__})
                    is_behind = True
                    await asyncio.sleep(RETRY_S)
        finally:
            if consumer is not None:
                try:
                    await consumer.close()
                except Exception as error:  # the group finds out by itself, a little later
                    log.warning("consumer.not_closed", extra={"cause": type(error).__name__})

    async def apply(self, records: Sequence[Record]) -> None:
        """Apply `records` in order, each once; returns when all effects are committed."""
        try:
            await self._apply_together(records)
        except Exception as error:
            if isinstance(error, Unavailable):
                raise
            for record in records:
                await self._apply_alone(record)

    async def _apply_together(self, records: Sequence[Record]) -> None:
        async with self._database.transaction() as session:
            new = await self._mark(session, records)
            deliveries: list[Delivery] = []
            told: dict[tuple[str, str | None], list[Envelope]] = {}
            for record in records:
                if record.event_id in new:
                    new.discard(record.event_id)  # the same event twice in one batch
                    envelope, delivery = self._subscriptions.decode(record.value)
                    if delivery is not None:
                        deliveries.append(delivery)
                        told.setdefault((envelope.type, envelope.traceparent), []).append(envelope)
            for envelopes in told.values():
                self._log(envelopes[0], len(envelopes))
            if self._subscriptions.any_order:
                deliveries.sort(key=lambda delivery: type(delivery.event).__name__)
            for kind, run in groupby(deliveries, key=lambda delivery: type(delivery.event)):
                await self._subscriptions.handlers[kind](session, list(run))
        for kind, number in Counter(type(delivery.event) for delivery in deliveries).items():
            self._count(kind.__name__, "applied", number)

    async def _apply_alone(self, record: Record) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with tracing.span(_traceparent(record.value)):
                    await self._apply_together([record])
                return
            except Exception as error:
                if isinstance(error, Unavailable):
                    raise
                if attempt == ATTEMPTS:
                    await self._bury(record, error)
                    return
                await asyncio.sleep(0.05 * 2**attempt)

    async def _mark(self, session: Session, records: Sequence[Record]) -> set[UUID]:
        """Note the events as handled; those that were not yet."""
        parameters = {
            "consumer_group": self._subscriptions.group,
            "event_ids": [record.event_id for record in records],
            "handled_at": self._clock(),
        }
        return set((await session.execute(_MARK, parameters)).scalars())

    async def _bury(self, record: Record, error: Exception) -> None:
        """Keep the event with its cause, in the table and on the dead-letter topic."""
        log.error(
            "consumer.dead_letter",
            extra={"event_id": str(record.event_id), "cause": type(error).__name__},
        )
        async with self._database.transaction() as session:
            if not await self._mark(session, [record]):
                return
            letter = {
                "consumer_group": self._subscriptions.group,
                "event_id": record.event_id,
                "topic": record.topic,
                "key": record.key,
                "envelope": record.value,
                "cause": _cause(error),
            }
            now = self._clock()
            statement = upsert(dead_letters).values(**letter, failed_at=now)
            await session.execute(statement.on_conflict_do_nothing())
            value = json.dumps(letter | {"event_id": str(record.event_id)}, ensure_ascii=False)
            row = {
                "event_id": new_id(),
                "topic": dead_letter_topic(self._subscriptions.group),
                "key": record.key,
                "envelope": value,
                "created_at": now,
            }
            await session.execute(insert(outbox), [row])
        self._count("any", "dead", 1)

    async def replay(self) -> tuple[int, int]:
        """Handle a batch of dead letters again: how many went well, how many did not.

        Those that were not tried for the longest time come first.
        """
        async with self._database.transaction() as session:
            statement = (
                select(dead_letters.c.event_id, dead_letters.c.envelope)
                .where(dead_letters.c.consumer_group == self._subscriptions.group)
                .where(dead_letters.c.replayed_at.is_(None))
                .order_by(dead_letters.c.failed_at)
                .limit(REPLAY_BATCH)
            )
            letters = (await session.execute(statement)).all()
        replayed = failed = 0
        for letter in letters:
            try:
                async with self._database.transaction() as session:
                    await self._replay_one(session, letter.event_id, letter.envelope)
                replayed += 1
            except Exception as error:
                if isinstance(error, Unavailable):
                    raise
                failed += 1
                await self._put_last(letter.event_id, error)
        return replayed, failed

    async def _put_last(self, event_id: UUID, error: Exception) -> None:
        """Letters that still fail must not keep the next replay from those behind them."""
        async with self._database.transaction() as session:
            await session.execute(
                update(dead_letters)
                .where(dead_letters.c.consumer_group == self._subscriptions.group)
                .where(dead_letters.c.event_id == event_id)
                .values(failed_at=self._clock(), cause=_cause(error))
            )

    async def _replay_one(self, session: Session, event_id: UUID, value: str) -> None:
        claimed = await session.execute(
            update(dead_letters)
            .where(dead_letters.c.consumer_group == self._subscriptions.group)
            .where(dead_letters.c.event_id == event_id)
            .where(dead_letters.c.replayed_at.is_(None))
            .values(replayed_at=self._clock())
        )
        if claimed.rowcount:
            _, delivery = self._subscriptions.decode(value)
            if delivery is not None:
                await self._subscriptions.handlers[type(delivery.event)](session, [delivery])

    def _log(self, envelope: Envelope, events: int) -> None:
        """One line for all events of a kind that one request caused: a bulk may cause 1,000."""
        trace = tracing.begin(envelope.traceparent)
        log.info(
            "event",
            extra={
                "kind": envelope.type,
                "event_id": str(envelope.id),
                "events": events,
                "trace_id": trace.trace_id,
                "span_id": trace.span_id,
                "parent_id": trace.parent_id,
            },
        )

    def _count(self, event: str, outcome: str, number: int) -> None:
        metrics.EVENTS_HANDLED.labels(self._subscriptions.group, event, outcome).inc(number)


def _cause(error: Exception) -> str:
    """What is kept of an error: bounded, and without what PostgreSQL's text cannot hold."""
    said = f"{type(error).__name__}: {error}"[:MAX_CAUSE].replace("\x00", "")
    return said.encode(errors="replace").decode()


def _traceparent(value: str) -> str | None:
    try:
        return Envelope.model_validate_json(value).traceparent
    except ValueError:
        return None


async def forget_handled(session: Session, *, now: datetime, keep_days: int) -> int:
    """Delete a bounded number of inbox rows that are older; how many they were.

    The rows guard against a second delivery, which comes within the relay's and the bus's
    retries: days later there is nothing left that could deliver again but a rewind, which
    empties the inbox anyway.
    """
    old = (
        select(inbox.c.consumer_group, inbox.c.event_id)
        .where(inbox.c.handled_at < now - timedelta(days=keep_days))
        .limit(RETENTION_BATCH)
        .subquery()
    )
    done = await session.execute(
        delete(inbox)
        .where(inbox.c.consumer_group == old.c.consumer_group)
        .where(inbox.c.event_id == old.c.event_id)
    )
    return done.rowcount
