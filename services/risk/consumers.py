"""Feeds the windows from the bus: every replica reads every payment, alone and from the start.

There is no inbox and no offset to keep: the windows live in memory, count a payment once by its
id, and are built again at each start. What cannot be read is logged, counted and left out; a
payment that risk decides on itself is counted by the decision.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress

from services.risk.cases.consumers import SUBSCRIPTIONS as CASES
from services.risk.domain import reference_value_minor
from services.risk.features import Windows
from services.risk.windows import SeenPayment, in_ms
from shared.contracts.events.envelope import Envelope, Event
from shared.contracts.events.payments import PaymentEvent, PaymentReceived
from shared.kit import metrics
from shared.kit.bus.port import Bus, Reader, Record
from shared.kit.consumers import RETRY_S

__all__ = ["BROADCAST", "CASES", "Feed", "feeding", "seen", "topics"]

log = logging.getLogger(__name__)

#: Small enough that a decision never waits long for a batch.
BATCH = 200
POLL_TIMEOUT_S = 1.0


def seen(event: PaymentEvent) -> SeenPayment:
    """A payment's event as the windows keep it."""
    return SeenPayment(
        payment_id=str(event.payment_id),
        customer_id=event.customer_id,
        account_id=event.debtor_account,
        payee_id=event.creditor_account,
        value_minor=reference_value_minor(event.amount_minor, event.currency),
        at_ms=in_ms(event.at),
        device_id=event.device_id,
        ip_address=event.ip_address,
        merchant_id=event.merchant_id,
    )


def on_payment_received(windows: Windows, event: PaymentEvent) -> None:
    """An attempt counts, whatever becomes of it."""
    windows.observe(seen(event))


#: Which function handles which event; broadcast, so each replica handles all of them.
BROADCAST: dict[type[PaymentEvent], Callable[[Windows, PaymentEvent], None]] = {
    PaymentReceived: on_payment_received,
}


def topics() -> list[str]:
    return sorted({event.topic for event in BROADCAST})


class Feed:
    """Keeps `windows` up to date with the bus."""

    def __init__(self, *, windows: Windows, bus: Bus) -> None:
        self._windows = windows
        self._bus = bus
        self._at_end: float | None = None
        self.caught_up = False

    def age_ms(self) -> int | None:
        """How long ago the bus had been read to its end; None: not yet since the start."""
        if self._at_end is None or not self.caught_up:
            return None
        return int((time.monotonic() - self._at_end) * 1000)

    async def run(self) -> None:
        """Read until cancelled; a bus that is away is tried again where it was left."""
        reader: Reader | None = None
        try:
            while True:
                try:
                    if reader is None:
                        reader = await self._bus.reader(topics=topics(), since=None)
                    await self._round(reader)
                except Exception as error:
                    log.warning("windows.retry", extra={"cause": type(error).__name__})
                    await asyncio.sleep(RETRY_S)
        finally:
            if reader is not None:
                await reader.close()

    async def _round(self, reader: Reader) -> None:
        records = await reader.poll(limit=BATCH, timeout_s=POLL_TIMEOUT_S)
        self.apply(records)
        if len(records) < BATCH:
            self._at_end = time.monotonic()
        if not self.caught_up:
            self.caught_up = await reader.caught_up()
            if self.caught_up:
                log.info("windows.rebuilt", extra=self._windows.size())
        # a backlog must not keep decisions waiting
        await asyncio.sleep(0)

    def apply(self, records: Sequence[Record]) -> None:
        """Count each payment once; one that cannot be read does not stop the rest."""
        for record in records:
            try:
                envelope = Envelope.model_validate_json(record.value)
                for kind, handle in BROADCAST.items():
                    if kind.__name__ == envelope.type:
                        handle(self._windows, kind.model_validate(envelope.data))
                        _count(kind, "applied")
            except ValueError as error:
                log.warning(
                    "windows.unreadable",
                    extra={"event_id": str(record.event_id), "cause": type(error).__name__},
                )
                _count(Event, "dead")


def _count(kind: type[Event], outcome: str) -> None:
    metrics.EVENTS_HANDLED.labels("risk", kind.__name__, outcome).inc()


@asynccontextmanager
async def feeding(feed: Feed) -> AsyncIterator[None]:
    """Runs the feed beside the block."""
    task = asyncio.create_task(feed.run(), name="windows")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
