"""The event of a posted transfer, as patterns that the database fills in.

Balances and holders are known to the database alone, once it has posted. So it writes the events
itself, in the call that posts: `tell_posted` in `migrations/sql/0002_post_transfers.sql`. The
patterns are made from the event's model, which stays the one place that knows its form.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from functools import cache
from uuid import UUID

from pydantic_core import to_json

from services.ledger.accounts.service import SOURCE
from shared.contracts.events.envelope import Envelope
from shared.contracts.events.ledger import PostedLeg, TransferPosted
from shared.kit.clock import new_id
from shared.kit.tracing import Trace


def telling(*, now: datetime, traces: Sequence[Trace | None]) -> dict[str, object]:
    """The parameters of a statement that tells of transfers, one of each trace in `traces`."""
    form, leg_form = patterns()
    return {
        "event_ids": [new_id() for _ in traces],
        "traces": [trace.traceparent() if trace else None for trace in traces],
        "form": form,
        "leg_form": leg_form,
        "topic": TransferPosted.topic,
        "said_at": to_json(now).decode(),
    }


@cache
def patterns() -> tuple[str, str]:
    """Envelope and leg as patterns of PostgreSQL's `format`; `tell_posted` tells their places.

    A model is written with a word for each open place, and each word becomes its number.
    """
    event_id, transfer_id, reverses = UUID(int=1), UUID(int=2), UUID(int=3)
    value_date, booking_date = date(1, 1, 1), date(1, 1, 2)
    said_at = datetime(1, 1, 3, tzinfo=UTC)
    leg = PostedLeg(
        account_id="open.account",
        holder_id="open.holder",
        amount_minor=901_000_000_000_001,
        currency="XXX",
        balance_minor=901_000_000_000_002,
    )
    event = TransferPosted(
        transfer_id=transfer_id,
        kind="open.kind",
        value_date=value_date,
        booking_date=booking_date,
        recorded_at=said_at,
        reverses=reverses,
        legs=[leg],
    )
    envelope = Envelope(
        id=event_id,
        source=SOURCE,
        type=type(event).__name__,
        time=said_at,
        subject=event.key(),
        traceparent="open.trace",
        data=event.model_dump(mode="json"),
    )
    places = (event_id, transfer_id, event.kind, value_date, booking_date, reverses)
    form = _pattern(envelope.model_dump_json(), [*places, envelope.traceparent, said_at, leg])
    places_of_leg = (leg.account_id, leg.holder_id, leg.amount_minor, leg.currency)
    return form, _pattern(leg.model_dump_json(), [*places_of_leg, leg.balance_minor])


def _pattern(written: str, places: Sequence[object]) -> str:
    pattern = written.replace("%", "%%")
    for number, place in enumerate(places, 1):
        pattern = pattern.replace(to_json(place).decode(), f"%{number}$s")
    return pattern
