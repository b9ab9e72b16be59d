"""Feeds windows and rings from the bus: every replica reads all, alone and from the start.

There is no inbox: the windows live in memory and count a payment once by its id. A start reads
their snapshot and then the tail of the bus, or, without one that is sound, the bus from its
beginning. What cannot be read is logged, counted and left out; a payment that risk decides on
itself is counted by the decision.
"""

import asyncio
import logging
import math
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NotRequired

from pydantic import AwareDatetime, Field, TypeAdapter
from pydantic_core import from_json
from typing_extensions import TypedDict

from services.risk import snapshots
from services.risk.cases.consumers import SUBSCRIPTIONS as CASES
from services.risk.domain import reference_value_minor
from services.risk.features import Windows
from services.risk.lists.domain import IN_RINGS
from services.risk.rings.domain import FOR_GOOD, Node, Rings
from services.risk.windows import SeenPayment, in_ms
from shared.contracts.events.envelope import Event
from shared.contracts.events.payments import PaymentReceived
from shared.contracts.events.risk import DecisionLabelled, IdentifierLinked, ListEntryChanged
from shared.contracts.values import MAX_AMOUNT_MINOR
from shared.kit import metrics
from shared.kit.bus.port import Bus, Reader, Record
from shared.kit.consumers import RETRY_S

__all__ = ["BROADCAST", "CASES", "Feed", "feeding", "seen", "topics"]

log = logging.getLogger(__name__)

#: Small enough that a decision never waits long for a batch.
BATCH = 200
#: Nobody waits for a decision while the windows are built.
REBUILD_BATCH = 2_000
POLL_TIMEOUT_S = 1.0
#: Once a day rings lose what too many share by now.
RINGS_EVERY_S = 86_400.0


_Word = Annotated[str, Field(strict=True, min_length=1, max_length=128)]


class _Seen(TypedDict):
    """What the windows keep of a payment's event; each field's own form was checked before."""

    payment_id: _Word
    customer_id: _Word
    debtor_account: _Word
    creditor_account: _Word
    currency: _Word
    amount_minor: Annotated[int, Field(strict=True, gt=0, le=MAX_AMOUNT_MINOR)]
    at: AwareDatetime
    device_id: NotRequired[_Word | None]
    ip_address: NotRequired[_Word | None]
    merchant_id: NotRequired[_Word | None]


class _Received(TypedDict):
    type: Literal["PaymentReceived"]
    data: _Seen


_RECEIVED = TypeAdapter(_Received)


def seen(envelope: str) -> SeenPayment:
    """A payment's event as the windows keep it. Raises ValidationError, a ValueError.

    Not by the event's own model: a start reads millions, and half of their fields count for
    nothing here.
    """
    told = _RECEIVED.validate_json(envelope)["data"]
    return SeenPayment(
        told["payment_id"],
        told["customer_id"],
        told["debtor_account"],
        told["creditor_account"],
        reference_value_minor(told["amount_minor"], told["currency"]),
        in_ms(told["at"]),
        told.get("device_id"),
        told.get("ip_address"),
        told.get("merchant_id"),
    )


def on_payment_received(windows: Windows, rings: Rings, payment: SeenPayment) -> None:
    """An attempt counts, whatever becomes of it."""
    windows.observe(payment)
    if payment.device_id is not None:
        rings.link(payment.customer_id, ("device", payment.device_id))


def on_decision_labelled(_: Windows, rings: Rings, told: DecisionLabelled) -> None:
    """Whose decision turned out to be fraud is known fraud; another label takes it back."""
    is_fraud = told.label == "fraud"
    rings.flag(told.customer_id, cause=str(told.decision_id), is_fraud=is_fraud)


def on_list_entry_changed(_: Windows, rings: Rings, told: ListEntryChanged) -> None:
    """Who is on the black list is known fraud, until the entry expires or is taken off."""
    if told.list != "black" or told.kind not in IN_RINGS:
        return
    node: Node = told.value if told.kind == "customer" else (told.kind, told.value)
    until_ms = FOR_GOOD if told.expires_at is None else in_ms(told.expires_at)
    rings.flag(node, cause="black_list", is_fraud=told.is_listed, until_ms=until_ms)


def on_identifier_linked(_: Windows, rings: Rings, told: IdentifierLinked) -> None:
    rings.link(told.customer_id, (told.kind, told.value))


def _reading(kind: type[Event]) -> Callable[[str], Event]:
    def read(envelope: str) -> Event:
        told = from_json(envelope)
        if told["type"] != kind.__name__:
            raise ValueError("an event of another kind")
        return kind.model_validate(told["data"])

    return read


@dataclass(frozen=True, slots=True)
class Broadcast:
    """How one kind of event is read from its envelope, and what handles what was read."""

    read: Callable[[str], Any]
    handle: Callable[[Windows, Rings, Any], None]


#: Which function handles which event; broadcast, so each replica handles all of them.
BROADCAST: dict[type[Event], Broadcast] = {
    PaymentReceived: Broadcast(seen, on_payment_received),
    DecisionLabelled: Broadcast(_reading(DecisionLabelled), on_decision_labelled),
    ListEntryChanged: Broadcast(_reading(ListEntryChanged), on_list_entry_changed),
    IdentifierLinked: Broadcast(_reading(IdentifierLinked), on_identifier_linked),
}
#: Of each topic there is one kind that counts here.
_BY_TOPIC = {kind.topic: (kind, kind.__name__, how) for kind, how in BROADCAST.items()}


def topics() -> list[str]:
    return sorted({event.topic for event in BROADCAST})


@dataclass(frozen=True, slots=True)
class Keeping:
    """Where the snapshot is kept, of which bus it tells, and how often it is written."""

    path: Path
    bus: str
    every_s: float


class Feed:
    """Keeps `windows` up to date with the bus, and with `keeping` their snapshot with them."""

    def __init__(
        self,
        *,
        windows: Windows,
        bus: Bus,
        rings: Rings | None = None,
        keeping: Keeping | None = None,
    ) -> None:
        self._windows = windows
        self._rings = Rings() if rings is None else rings
        self._bus = bus
        self._keeping = keeping
        self._offsets: dict[tuple[str, int], int] = {}
        self._kept_at = -math.inf
        self._writing: asyncio.Task[None] | None = None
        self._rings_at = time.monotonic()
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
        self._restore()
        try:
            while True:
                try:
                    if reader is None:
                        reader = await self._begun()
                    await self._round(reader)
                except Exception as error:
                    log.warning("windows.retry", extra={"cause": type(error).__name__})
                    await asyncio.sleep(RETRY_S)
        finally:
            if self._writing is not None:
                self._writing.cancel()
            if reader is not None:
                await reader.close()

    def _restore(self) -> None:
        if self._keeping is None:
            return
        try:
            began = time.monotonic()
            path, bus = self._keeping.path, self._keeping.bus
            kept = snapshots.read(path, self._windows, self._rings, bus=bus)
            self._offsets = kept
            took_ms = int((time.monotonic() - began) * 1000)
            log.info("windows.restored", extra=self._windows.size() | {"took_ms": took_ms})
        except snapshots.SnapshotRefused as refusal:
            log.warning("windows.snapshot_refused", extra={"cause": str(refusal)})

    async def _begun(self) -> Reader:
        """A reader of what the windows have not counted; of all, where the log is another one."""
        try:
            return await self._bus.reader(topics=topics(), since=None, after=self._offsets)
        except ValueError as error:
            log.warning("windows.snapshot_refused", extra={"cause": str(error)})
            self._windows.clear()
            self._rings.clear()
            self._offsets = {}
            return await self._bus.reader(topics=topics(), since=None)

    async def _round(self, reader: Reader) -> None:
        limit = BATCH if self.caught_up else REBUILD_BATCH
        records = await reader.poll(limit=limit, timeout_s=POLL_TIMEOUT_S)
        self.apply(records)
        if len(records) < limit:
            self._at_end = time.monotonic()
        if not self.caught_up:
            self.caught_up = await reader.caught_up()
            if self.caught_up:
                log.info("windows.rebuilt", extra=self._windows.size())
        # a backlog must not keep decisions waiting
        await asyncio.sleep(0)
        if time.monotonic() - self._rings_at >= RINGS_EVERY_S:
            self._rings_at = time.monotonic()
            for _ in self._rings.rebuilt():
                await asyncio.sleep(0)
        if self._keeping and self.caught_up and self._is_due(self._keeping):
            self._kept_at = time.monotonic()
            self._writing = asyncio.create_task(self._keep(self._keeping), name="snapshot")

    def _is_due(self, keeping: Keeping) -> bool:
        is_writing = self._writing is not None and not self._writing.done()
        return not is_writing and time.monotonic() - self._kept_at >= keeping.every_s

    async def _keep(self, keeping: Keeping) -> None:
        """Write the snapshot, a slice between two decisions; what fails is tried another time."""
        path, offsets = keeping.path, dict(self._offsets)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            writing = snapshots.written(
                self._windows, self._rings, path, offsets=offsets, bus=keeping.bus
            )
            with closing(writing) as steps:
                for _ in steps:
                    await asyncio.sleep(0)
            took_ms = int((time.monotonic() - self._kept_at) * 1000)
            log.info("windows.kept", extra=self._windows.size() | {"took_ms": took_ms})
        except OSError as error:
            log.warning("windows.not_kept", extra={"cause": type(error).__name__})

    def apply(self, records: Sequence[Record]) -> None:
        """Count each payment once; one that cannot be read does not stop the rest."""
        applied: Counter[type[Event]] = Counter()
        windows, rings = self._windows, self._rings
        for record in records:
            self._offsets[(record.topic, record.partition)] = record.offset + 1
            kind, name, how = _BY_TOPIC[record.topic]
            # most records tell what became of a payment: they are not even parsed
            if name not in record.value:
                continue
            try:
                how.handle(windows, rings, how.read(record.value))
                applied[kind] += 1
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                if _is_of_another_kind(record.value, name):
                    continue
                log.warning(
                    "windows.unreadable",
                    extra={"event_id": str(record.event_id), "cause": type(error).__name__},
                )
                _count(Event, "dead", 1)
        for told, times in applied.items():
            _count(told, "applied", times)


def _is_of_another_kind(envelope: str, name: str) -> bool:
    """Whether the word that names a kind only stands somewhere in an event of another one."""
    try:
        found: object = from_json(envelope)["type"]
    except (ValueError, KeyError, TypeError):
        return False
    return found != name


def _count(kind: type[Event], outcome: str, times: int) -> None:
    metrics.EVENTS_HANDLED.labels("risk", kind.__name__, outcome).inc(times)


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
