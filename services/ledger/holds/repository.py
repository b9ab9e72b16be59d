"""SQL of holds. `balances.held_minor` is the sum of an account's placed holds, always."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, select, text, update

from services.ledger.domain import BalanceRow
from services.ledger.holds.domain import HoldRow, HoldState
from services.ledger.models import accounts, balances, holds
from shared.kit.database import Session

#: The hold and what it reserves, in one statement; nothing where the id is taken.
_PLACE = text(
    """
    WITH placed AS (
        INSERT INTO holds (hold_id, account_id, destination_id, amount_minor, currency, state,
            expires_at, body_hash, recorded_at)
        VALUES (:hold_id, :account_id, :destination_id, :amount_minor, :currency, 'placed',
            :expires_at, :body_hash, :now)
        ON CONFLICT DO NOTHING RETURNING amount_minor
    )
    UPDATE balances SET held_minor = held_minor + placed.amount_minor
    FROM placed WHERE account_id = :account_id RETURNING held_minor
    """
)
#: Balances are locked in one order everywhere, or two transfers could wait for each other.
_LOCK = text(
    "SELECT FROM balances WHERE account_id = ANY (CAST(:accounts AS text[]))"
    " ORDER BY account_id FOR UPDATE"
)


async def hold(session: Session, hold_id: UUID, *, lock: bool = False) -> HoldRow | None:
    statement = _HOLD_LOCKED if lock else _HOLD
    row = (await session.execute(statement, {"id": hold_id})).first()
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


_destination = accounts.alias("destination")
#: Of every payment, so it is built once: building it costs more than running it.
_SIDES = (
    select(
        accounts.c.currency,
        accounts.c.frozen,
        accounts.c.floor_minor,
        balances.c.posted_minor,
        balances.c.held_minor,
        _destination.c.currency.label("destination_currency"),
    )
    .join(balances, balances.c.account_id == accounts.c.account_id)
    .outerjoin(_destination, _destination.c.account_id == bindparam("destination"))
    .where(accounts.c.account_id == bindparam("account"))
    .with_for_update(of=balances)
)
_HOLD = select(holds).where(holds.c.hold_id == bindparam("id"))
_HOLD_LOCKED = _HOLD.with_for_update()
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


async def sides_locked(session: Session, account_id: str, destination_id: str) -> Any | None:
    """The account to be debited, its balance locked, and the destination's currency."""
    values = {"account": account_id, "destination": destination_id}
    return (await session.execute(_SIDES, values)).first()


def balance_of(row: Any) -> BalanceRow:
    return BalanceRow(row.posted_minor, row.held_minor, row.floor_minor)


async def place(session: Session, row: HoldRow, *, now: datetime) -> bool:
    """Store the hold and reserve its amount; False where the id is taken."""
    values = {
        "hold_id": row.hold_id,
        "account_id": row.account_id,
        "destination_id": row.destination_id,
        "amount_minor": row.amount_minor,
        "currency": row.currency,
        "expires_at": row.expires_at,
        "body_hash": row.body_hash,
        "now": now,
    }
    return (await session.execute(_PLACE, values)).first() is not None


async def lock_balances(session: Session, account_ids: Sequence[str]) -> None:
    await session.execute(_LOCK, {"accounts": list(account_ids)})


async def end(
    session: Session, row: HoldRow, *, state: HoldState, transfer_id: UUID | None = None
) -> None:
    """Leave `placed` for good and free the whole amount."""
    await session.execute(_FREE, {"account": row.account_id, "freed": row.amount_minor})
    await session.execute(_END, {"id": row.hold_id, "to": state, "by": transfer_id})


async def extend(session: Session, hold_id: UUID, *, expires_at: datetime) -> None:
    statement = update(holds).where(holds.c.hold_id == hold_id)
    await session.execute(statement.values(expires_at=expires_at))


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
