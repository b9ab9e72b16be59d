"""SQL of holds. `balances.held_minor` is the sum of an account's placed holds, always."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, select, text, update

from services.ledger.holds.domain import Capture, Captured, HoldRow, HoldState, Placed
from services.ledger.models import balances, holds
from shared.kit.database import AnySession, Session

#: One call a batch: see `migrations/sql/0002_holds.sql`.
_PLACE = text(
    "SELECT * FROM place_holds("
    "CAST(:hold_ids AS uuid[]), CAST(:account_ids AS text[]), CAST(:destination_ids AS text[]),"
    "CAST(:amounts AS bigint[]), CAST(:currencies AS text[]), CAST(:expiries AS timestamptz[]),"
    "CAST(:hashes AS bytea[]), CAST(:recorded AS timestamptz))"
)
_CAPTURE = text(
    "SELECT * FROM capture_holds("
    "CAST(:hold_ids AS uuid[]), CAST(:amounts AS bigint[]), CAST(:ids AS uuid[]),"
    "CAST(:kinds AS text[]), CAST(:refs AS text[]), CAST(:hashes AS bytea[]),"
    "CAST(:booked_on AS date), CAST(:recorded AS timestamptz),"
    "CAST(:event_ids AS uuid[]), CAST(:traces AS text[]), :form, :leg_form, :topic, :said_at)"
)
_RELEASE = text("SELECT * FROM release_hold(:id)")
_EXTEND = text("SELECT * FROM extend_hold(:id, :until, :recorded)")
#: Balances are locked in one order everywhere, or two transfers could wait for each other.
_LOCK = text(
    "SELECT FROM balances WHERE account_id = ANY (CAST(:accounts AS text[]))"
    " ORDER BY account_id FOR UPDATE"
)


async def hold(session: AnySession, hold_id: UUID) -> HoldRow | None:
    row = (await session.execute(_HOLD, {"id": hold_id})).first()
    return _hold(row) if row else None


def _hold(row: Any) -> HoldRow:
    return HoldRow(
        hold_id=row.hold_id,
        account_id=row.account_id,
        destination_id=row.destination_id,
        amount_minor=row.amount_minor,
        currency=row.currency,
        state=row.state,
        expires_at=row.expires_at,
        transfer_id=row.transfer_id,
        body_hash=bytes(row.body_hash),
    )


#: Built once: building it costs more than running it.
_HOLD = select(holds).where(holds.c.hold_id == bindparam("id"))
_FREE = (
    update(balances)
    .where(balances.c.account_id == bindparam("account"))
    .values(held_minor=balances.c.held_minor - bindparam("freed"))
)
_END = (
    update(holds)
    .where(holds.c.hold_id == bindparam("id"))
    .values(state=bindparam("to"), transfer_id=bindparam("by"))
)


async def place(session: AnySession, rows: Sequence[HoldRow], *, now: datetime) -> list[Placed]:
    """Place holds in order, each for itself. No id may stand in `rows` twice."""
    values = {
        "hold_ids": [row.hold_id for row in rows],
        "account_ids": [row.account_id for row in rows],
        "destination_ids": [row.destination_id for row in rows],
        "amounts": [row.amount_minor for row in rows],
        "currencies": [row.currency for row in rows],
        "expiries": [row.expires_at for row in rows],
        "hashes": [row.body_hash for row in rows],
        "recorded": now,
    }
    found = (await session.execute(_PLACE, values)).all()
    return [
        Placed(
            outcome=it.outcome,
            kept_in=it.kept_in,
            hold=replace(row, state=it.state, expires_at=it.expires_at, transfer_id=it.transfer_id),
        )
        for row, it in zip(rows, found, strict=True)
    ]


async def capture(
    session: AnySession,
    wanted: Sequence[Capture],
    *,
    booked_on: date,
    now: datetime,
    telling: Mapping[str, object],
) -> list[Captured]:
    """Capture holds in order, each for itself, and tell of the transfers.

    No hold and no transfer may stand in `wanted` twice; `telling` has an event for each.
    """
    values = {
        "hold_ids": [one.hold_id for one in wanted],
        "amounts": [one.amount_minor for one in wanted],
        "ids": [one.transfer_id for one in wanted],
        "kinds": [one.kind for one in wanted],
        "refs": [one.reference for one in wanted],
        "hashes": [one.body_hash for one in wanted],
        "booked_on": booked_on,
        "recorded": now,
        **telling,
    }
    found = (await session.execute(_CAPTURE, values)).all()
    return [
        Captured(
            outcome=row.outcome,
            fault_leg=None if row.fault_leg is None else row.fault_leg - 1,
            hold=None if row.hold_id is None else _hold(row),
        )
        for row in found
    ]


async def release(session: AnySession, hold_id: UUID) -> HoldRow | None:
    """Free a placed hold; the hold as it is now."""
    row = (await session.execute(_RELEASE, {"id": hold_id})).first()
    return _hold(row) if row else None


async def extend(
    session: AnySession, hold_id: UUID, *, until: datetime, now: datetime
) -> HoldRow | None:
    """Let a hold that is still placed last until then; the hold as it is now."""
    values = {"id": hold_id, "until": until, "recorded": now}
    row = (await session.execute(_EXTEND, values)).first()
    return _hold(row) if row else None


async def lock_balances(session: Session, account_ids: Sequence[str]) -> None:
    await session.execute(_LOCK, {"accounts": list(account_ids)})


async def end(
    session: Session, row: HoldRow, *, state: HoldState, transfer_id: UUID | None = None
) -> None:
    """Leave `placed` for good and free the whole amount."""
    await session.execute(_FREE, {"account": row.account_id, "freed": row.amount_minor})
    await session.execute(_END, {"id": row.hold_id, "to": state, "by": transfer_id})


async def overdue(session: Session, *, now: datetime, limit: int) -> list[HoldRow]:
    """Placed holds past their time, locked; those that somebody else works on are left out."""
    statement = (
        select(holds)
        .where(holds.c.state == "placed")
        .where(holds.c.expires_at <= now)
        .order_by(holds.c.expires_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return [_hold(row) for row in (await session.execute(statement)).all()]
