"""The SQL of payments."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Integer, and_, bindparam, literal, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.sql.dml import ReturningInsert

from services.payments.domain import Payment, State
from services.payments.models import payees, payments, standing_orders
from shared.contracts.http.payments import StandingOrder
from shared.kit import outbox
from shared.kit.database import AnySession, Session

_FIELDS = tuple(field.name for field in fields(Payment))
#: What a step may change; everything else of a payment stays as it was received.
_CHANGING = (
    "state",
    "updated_at",
    "due_at",
    "reason_codes",
    "risk_score",
    "transfer_id",
    "approved_at",
    "review_until",
    "verdict",
    "reviewed_by",
    "review_reason",
)


def _payment(row: Any) -> Payment:
    values = row._asdict()
    values["body_hash"] = bytes(row.body_hash)
    values["reason_codes"] = tuple(row.reason_codes)
    return Payment(**values)


#: Statements of every payment are built once: building one costs more than running it.
_RECEIVED = (
    insert(payments)
    .from_select(
        [column.name for column in payments.c],
        select(*(bindparam(column.name, type_=column.type) for column in payments.c)),
    )
    .on_conflict_do_nothing()
    .returning(payments.c.payment_id)
    .cte("received")
)
_INSERT = select(_RECEIVED.c.payment_id).add_cte(outbox.beside(_RECEIVED))
_CHANGED = (
    update(payments)
    .where(payments.c.payment_id == bindparam("of_payment"))
    .where(payments.c.state == bindparam("state_before"))
    .where(payments.c.verdict.is_not_distinct_from(bindparam("verdict_before")))
    .values({name: bindparam(name) for name in (*_CHANGING, "reason_codes")})
    .returning(
        payments.c.customer_id,
        payments.c.creditor_account,
        payments.c.creditor_name,
        payments.c.updated_at,
    )
    .cte("changed")
)
_STORE = select(_CHANGED.c.customer_id).add_cte(outbox.beside(_CHANGED))


def _counting_the_payee() -> ReturningInsert[str]:
    new = insert(payees).from_select(
        ["customer_id", "account_id", "name", "first_paid_at", "payments"],
        select(*_CHANGED.c, literal(1, Integer)),
    )
    return (
        new.on_conflict_do_update(
            index_elements=[payees.c.customer_id, payees.c.account_id],
            set_={"name": new.excluded.name, "payments": payees.c.payments + 1},
        )
        .returning(payees.c.account_id)
        .add_cte(outbox.beside(_CHANGED))
    )


_STORE_SETTLED = _counting_the_payee()
_FIND = select(payments).where(payments.c.payment_id == bindparam("id"))
_FIND_LOCKED = _FIND.with_for_update()


async def insert_payment(
    session: AnySession, payment: Payment, *, told: Mapping[str, object]
) -> bool:
    """Store a received payment with the events `told` (`outbox.parameters`), in one statement.

    False where its id is taken, after whoever took it committed: then nothing was stored.
    """
    values = {name: getattr(payment, name) for name in _FIELDS}
    values |= {"reason_codes": list(payment.reason_codes), **told}
    return (await session.execute(_INSERT, values)).first() is not None


async def find(session: AnySession, payment_id: UUID, *, lock: bool = False) -> Payment | None:
    statement = _FIND_LOCKED if lock else _FIND
    row = (await session.execute(statement, {"id": payment_id})).first()
    return _payment(row) if row else None


async def store(
    session: AnySession, *, before: Payment, after: Payment, told: Mapping[str, object]
) -> bool:
    """Change the payment if it still is as in `before`; False where somebody was first.

    State and verdict together never come back to what they were, so they are the version. The
    events `told` (`outbox.parameters`) are stored and the payee of a settled payment is counted
    in the same statement.
    """
    values = {name: getattr(after, name) for name in _CHANGING} | {
        "reason_codes": list(after.reason_codes),
        "of_payment": before.payment_id,
        "state_before": before.state,
        "verdict_before": before.verdict,
        **told,
    }
    statement = _STORE_SETTLED if after.state == "settled" else _STORE
    return (await session.execute(statement, values)).first() is not None


async def claim_due(
    session: Session, *, now: datetime, lease: timedelta, limit: int
) -> list[Payment]:
    """Payments whose next look is due, oldest first. They are put off by `lease`, so that no
    other worker takes them meanwhile and one that keeps failing does not stand before the rest.
    """
    due = (
        select(payments.c.payment_id)
        .where(payments.c.due_at <= now)
        .order_by(payments.c.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    statement = (
        update(payments)
        .where(payments.c.payment_id == due.c.payment_id)
        .values(due_at=now + lease)
        .returning(payments)
    )
    return [_payment(row) for row in (await session.execute(statement)).all()]


async def page(
    session: Session,
    *,
    customer_id: str | None,
    partner_id: str | None,
    debtor_account: str | None,
    state: State | None,
    before: UUID | None,
    limit: int,
) -> list[Payment]:
    """Payments that match, newest first, with ids below `before`."""
    wanted = {
        payments.c.customer_id: customer_id,
        payments.c.partner_id: partner_id,
        payments.c.debtor_account: debtor_account,
        payments.c.state: state,
    }
    conditions = [column == value for column, value in wanted.items() if value is not None]
    if before is not None:
        conditions.append(payments.c.payment_id < before)
    statement = select(payments).order_by(payments.c.payment_id.desc()).limit(limit)
    if conditions:
        statement = statement.where(and_(*conditions))
    return [_payment(row) for row in (await session.execute(statement)).all()]


async def payees_of(session: Session, customer_id: str, *, limit: int) -> Sequence[Any]:
    """The customer's payees, the most paid first."""
    statement = (
        select(payees)
        .where(payees.c.customer_id == customer_id)
        .order_by(payees.c.payments.desc(), payees.c.account_id)
        .limit(limit)
    )
    return (await session.execute(statement)).all()


async def insert_orders(
    session: Session, orders: Sequence[tuple[StandingOrder, bytes]], *, now: datetime
) -> set[str]:
    """Store the orders whose ids are free, inactive; the ids of those that were."""
    rows = [
        order.model_dump() | {"active": False, "content_hash": digest, "recorded_at": now}
        for order, digest in orders
    ]
    statement = (
        insert(standing_orders)
        .values(rows)
        .on_conflict_do_nothing()
        .returning(standing_orders.c.order_id)
    )
    return set((await session.execute(statement)).scalars())


async def order_hashes(session: Session, order_ids: Sequence[str]) -> dict[str, bytes]:
    statement = select(standing_orders.c.order_id, standing_orders.c.content_hash).where(
        standing_orders.c.order_id.in_(order_ids)
    )
    found = (await session.execute(statement)).all()
    return {row.order_id: bytes(row.content_hash) for row in found}


async def orders_of(session: Session, debtor_account: str, *, limit: int) -> Sequence[Any]:
    statement = (
        select(standing_orders)
        .where(standing_orders.c.debtor_account == debtor_account)
        .order_by(standing_orders.c.order_id)
        .limit(limit)
    )
    return (await session.execute(statement)).all()
