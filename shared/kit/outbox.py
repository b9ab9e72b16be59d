"""State and the event that tells of it are written in one transaction; the relay publishes."""

import asyncio
import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ARRAY, CTE, Text, Uuid, bindparam, cast, delete, func, insert, select, text

from shared.contracts.events.envelope import Envelope, Event
from shared.contracts.topics import BY_NAME
from shared.kit import leases, metrics, tracing
from shared.kit.bus.port import Bus, Message
from shared.kit.clock import Clock, new_id
from shared.kit.database import Database, Session
from shared.kit.tables import outbox
from shared.kit.tracing import Trace

log = logging.getLogger(__name__)

#: Rows that one round of the relay takes.
BATCH = 500
#: Events gather for so long: a round costs three commits, however many it carries.
LINGER_S = 0.1
#: How soon a relay looks where nobody woke it: another process may have written.
POLL_S = 0.15
#: And after it found nothing for a while: the polls of an idle bank were half of its CPU.
IDLE_POLL_S = 0.5
RETRY_S = 1.0
LEASE_S = 10
RENEW_S = 3.0
RETENTION_BATCH = 5_000

#: One array a column: the statement stays the same however many rows it stores.
_COLUMNS = ("event_id", "topic", "key", "envelope")
_ARRAYS = func.unnest(
    cast(bindparam("event_event_id"), ARRAY(Uuid)),
    *(cast(bindparam(f"event_{name}"), ARRAY(Text)) for name in _COLUMNS[1:]),
)
_EVENTS = _ARRAYS.table_valued(*_COLUMNS, name="events").render_derived()
_ROWS = select(*_EVENTS.c, bindparam("event_stored_at", type_=outbox.c.created_at.type))
_ADD = insert(outbox).from_select([*_COLUMNS, "created_at"], _ROWS)
_PUBLISHED = text(
    "UPDATE outbox SET published_at = :now WHERE position = ANY(CAST(:positions AS bigint[]))"
)


async def add(
    session: Session,
    *,
    source: str,
    now: datetime,
    events: Sequence[Event],
    traces: Sequence[Trace | None] | None = None,
) -> None:
    """Store `events` of the service `source` beside the state that they tell of.

    They belong to the running trace; `traces`, one an event, says so where a batch serves many.

    Raises:
        ValueError: the topic table does not name `source` as a producer of the topic.
    """
    if events:
        await session.execute(
            _ADD, parameters(source=source, now=now, events=events, traces=traces)
        )


def beside(change: CTE, *, name: str = "told") -> CTE:
    """Part of a statement: stores the events of its `parameters` where `change` returned a row.

    State and event in one statement need no transaction around it, and one round trip for four.
    """
    rows = _ROWS.where(select(change).exists())
    return insert(outbox).from_select([*_COLUMNS, "created_at"], rows).cte(name)


def parameters(
    *,
    source: str,
    now: datetime,
    events: Sequence[Event],
    traces: Sequence[Trace | None] | None = None,
) -> dict[str, object]:
    """What a statement with `beside` is run with, next to its own. As `add`, it may raise."""
    of_trace = traces or [tracing.current()] * len(events)
    ids = [new_id() for _ in events]
    for event in events:
        topic = BY_NAME.get(event.topic)
        if topic is None or source not in topic.producers:
            raise ValueError(f"{source} may not publish to {event.topic}")
    envelopes = [
        _envelope(event, event_id=event_id, source=source, now=now, trace=trace)
        for event, event_id, trace in zip(events, ids, of_trace, strict=True)
    ]
    return {
        "event_event_id": ids,
        "event_topic": [event.topic for event in events],
        "event_key": [event.key() for event in events],
        "event_envelope": envelopes,
        "event_stored_at": now,
    }


def _envelope(
    event: Event, *, event_id: UUID, source: str, now: datetime, trace: Trace | None
) -> str:
    """The envelope as JSON. The data is not parsed again to be wrapped: it is spliced in."""
    envelope = Envelope(
        id=event_id,
        source=source,
        type=type(event).__name__,
        time=now,
        subject=event.key(),
        traceparent=trace.traceparent() if trace else None,
        data={},
    ).model_dump_json()
    return f"{envelope.removesuffix('{}}')}{event.model_dump_json()}}}"


class Relay:
    """Publishes a service's outbox in the order in which it was written. One runs at a time."""

    def __init__(
        self, *, service: str, database: Database, bus: Bus, clock: Clock, owner: str
    ) -> None:
        self._service = service
        self._database = database
        self._bus = bus
        self._clock = clock
        self._owner = owner
        self._wake = asyncio.Event()
        self._leased_at = -LEASE_S * 1.0

    def wake(self) -> None:
        """Something was written in this process: look now."""
        self._wake.set()

    async def run(self) -> None:
        """Publish until cancelled; a database or a bus that is away is tried again."""
        try:
            await self._publish_rounds()
        finally:
            await leases.give_back(
                self._database, name="relay", owner=self._owner, now=self._clock()
            )

    async def _publish_rounds(self) -> None:
        pause_s = POLL_S
        while True:
            try:
                count = await self._round()
            except Exception as error:
                # Not lost: the rows stay unpublished and the next round takes them again.
                log.warning("relay.retry", extra={"cause": type(error).__name__})
                await asyncio.sleep(RETRY_S)
                continue
            pause_s = POLL_S if count else min(pause_s * 1.5, IDLE_POLL_S)
            if count < BATCH:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), pause_s)
                    await asyncio.sleep(LINGER_S)
                self._wake.clear()

    async def _round(self) -> int:
        if not await self._is_mine():
            return 0
        async with self._database.statement() as session:
            waiting = (
                select(outbox.c.position, outbox.c.event_id, outbox.c.topic, outbox.c.key)
                .add_columns(outbox.c.envelope)
                .where(outbox.c.published_at.is_(None))
                .order_by(outbox.c.position)
                .limit(BATCH)
            )
            rows = (await session.execute(waiting)).all()
        metrics.OUTBOX_WAITING.labels(self._service).set(len(rows))
        if not rows:
            return 0
        await self._bus.publish(
            [
                Message(topic=row.topic, key=row.key, event_id=row.event_id, value=row.envelope)
                for row in rows
            ]
        )
        async with self._database.statement() as session:
            positions = [row.position for row in rows]
            await session.execute(_PUBLISHED, {"positions": positions, "now": self._clock()})
        metrics.EVENTS_PUBLISHED.labels(self._service).inc(len(rows))
        return len(rows)

    async def _is_mine(self) -> bool:
        """Whether this relay holds the lease; it is renewed long before it runs out."""
        if time.monotonic() - self._leased_at < RENEW_S:
            return True
        asked_at = time.monotonic()
        async with self._database.transaction() as session:
            mine = await leases.hold(
                session, name="relay", owner=self._owner, now=self._clock(), seconds=LEASE_S
            )
        if mine:
            self._leased_at = asked_at
        return mine


async def forget_published(session: Session, *, now: datetime, keep_days: int) -> int:
    """Delete a bounded number of rows that were published longer ago; how many they were."""
    old = (
        select(outbox.c.position)
        .where(outbox.c.published_at < now - timedelta(days=keep_days))
        .limit(RETENTION_BATCH)
    )
    done = await session.execute(delete(outbox).where(outbox.c.position.in_(old.scalar_subquery())))
    return done.rowcount
