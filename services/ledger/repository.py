"""The ledger's SQL."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import ARRAY, Select, Uuid, any_, bindparam, cast, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from services.ledger.domain import (
    AccountRow,
    BalanceRow,
    Leg,
    Outcome,
    Posted,
    Refused,
    Transfer,
    TransferRow,
)
from services.ledger.models import accounts, balances, chart, postings, transfers
from shared.kit.database import AnySession, Session

#: One call a batch, with its events: see `migrations/sql/0002_post_transfers.sql`.
_POST = text(
    "SELECT * FROM post_and_tell("
    "CAST(:ids AS uuid[]), CAST(:kinds AS text[]), CAST(:value_dates AS date[]),"
    "CAST(:booking_dates AS date[]), CAST(:refs AS text[]), CAST(:reversed AS uuid[]),"
    "CAST(:hashes AS bytea[]), CAST(:leg_counts AS smallint[]), CAST(:leg_of AS int[]),"
    "CAST(:leg_account AS text[]), CAST(:leg_amount AS bigint[]),"
    "CAST(:leg_currency AS text[]), CAST(:recorded AS timestamptz),"
    "CAST(:event_ids AS uuid[]), CAST(:traces AS text[]), :form, :leg_form, :topic, :said_at)"
)

_ACCOUNT = (
    accounts.c.account_id,
    accounts.c.chart_code,
    accounts.c.currency,
    accounts.c.holder_id,
    accounts.c.floor_minor,
    accounts.c.frozen,
    accounts.c.opened_on,
    accounts.c.body_hash,
    balances.c.posted_minor,
    balances.c.held_minor,
)


async def post(
    session: AnySession, batch: Sequence[Transfer], *, now: datetime, telling: Mapping[str, object]
) -> list[Outcome]:
    """Post a batch in order, each transfer for itself, and tell of what was posted.

    No id may stand in it twice; `telling` has one event id and one trace for each.
    """
    legs = [(place, leg) for place, item in enumerate(batch, 1) for leg in item.legs]
    row = (
        await session.execute(
            _POST,
            {
                "ids": [item.transfer_id for item in batch],
                "kinds": [item.kind for item in batch],
                "value_dates": [item.value_date for item in batch],
                "booking_dates": [item.booking_date for item in batch],
                "refs": [item.reference for item in batch],
                "reversed": [item.reverses for item in batch],
                "hashes": [item.body_hash for item in batch],
                "leg_counts": [len(item.legs) for item in batch],
                "leg_of": [place for place, _ in legs],
                "leg_account": [leg.account_id for _, leg in legs],
                "leg_amount": [leg.amount_minor for _, leg in legs],
                "leg_currency": [leg.currency for _, leg in legs],
                "recorded": now,
                **telling,
            },
        )
    ).one()
    return _outcomes(batch, row)


def _outcomes(batch: Sequence[Transfer], row: Any) -> list[Outcome]:
    found = []
    first = 0
    for place, item in enumerate(batch):
        last = first + len(item.legs)
        kind = row.outcomes[place]
        posted = refused = None
        if kind == "posted":
            posted = Posted(tuple(row.leg_balances[first:last]), tuple(row.leg_holders[first:last]))
        elif kind == "refused":
            fault = row.fault_legs[place]
            refused = Refused(row.codes[place], None if fault is None else fault - 1 - first)
        found.append(Outcome(kind, posted, refused))
        first = last
    return found


async def chart_lines(session: AnySession) -> Sequence[Any]:
    return (await session.execute(select(chart).order_by(chart.c.chart_code))).all()


async def has_chart_line(session: Session, chart_code: str) -> bool:
    statement = select(chart.c.chart_code).where(chart.c.chart_code == chart_code)
    return (await session.execute(statement)).first() is not None


async def insert_account(
    session: Session,
    *,
    account_id: str,
    chart_code: str,
    currency: str,
    holder_id: str | None,
    floor_minor: int | None,
    opened_on: date,
    body_hash: bytes,
    now: datetime,
) -> bool:
    """Store the account and its zero balance; False where the number is taken."""
    statement = (
        insert(accounts)
        .values(
            account_id=account_id,
            chart_code=chart_code,
            currency=currency,
            holder_id=holder_id,
            floor_minor=floor_minor,
            opened_on=opened_on,
            body_hash=body_hash,
            recorded_at=now,
        )
        .on_conflict_do_nothing()
        .returning(accounts.c.account_id)
    )
    if (await session.execute(statement)).first() is None:
        return False
    await session.execute(insert(balances).values(account_id=account_id))
    return True


def _account_rows() -> Select[Any]:
    return select(*_ACCOUNT).join(balances, balances.c.account_id == accounts.c.account_id)


def _account(row: Any) -> AccountRow:
    return AccountRow(
        account_id=row.account_id,
        chart_code=row.chart_code,
        currency=row.currency,
        holder_id=row.holder_id,
        frozen=row.frozen,
        opened_on=row.opened_on,
        body_hash=bytes(row.body_hash),
        balance=BalanceRow(row.posted_minor, row.held_minor, row.floor_minor),
    )


async def account(session: AnySession, account_id: str) -> AccountRow | None:
    statement = _account_rows().where(accounts.c.account_id == account_id)
    row = (await session.execute(statement)).first()
    return _account(row) if row else None


async def account_locked(session: Session, account_id: str) -> AccountRow | None:
    """The account, its balance locked against postings until the transaction ends."""
    statement = _account_rows().where(accounts.c.account_id == account_id)
    row = (await session.execute(statement.with_for_update(of=balances))).first()
    return _account(row) if row else None


async def account_page(
    session: AnySession,
    *,
    holder_id: str | None,
    chart_code: str | None,
    after: str | None,
    limit: int,
) -> list[AccountRow]:
    statement = _account_rows().order_by(accounts.c.account_id).limit(limit)
    if holder_id is not None:
        statement = statement.where(accounts.c.holder_id == holder_id)
    if chart_code is not None:
        statement = statement.where(accounts.c.chart_code == chart_code)
    if after is not None:
        statement = statement.where(accounts.c.account_id > after)
    return [_account(row) for row in (await session.execute(statement)).all()]


async def set_frozen(session: Session, account_id: str, *, frozen: bool) -> None:
    statement = update(accounts).where(accounts.c.account_id == account_id)
    await session.execute(statement.values(frozen=frozen))


async def set_floor(session: Session, account_id: str, *, floor_minor: int | None) -> None:
    statement = update(accounts).where(accounts.c.account_id == account_id)
    await session.execute(statement.values(floor_minor=floor_minor))


async def transfer(session: AnySession, transfer_id: UUID) -> TransferRow | None:
    statement = select(transfers).where(transfers.c.transfer_id == transfer_id)
    row = (await session.execute(statement)).first()
    if row is None:
        return None
    return TransferRow(
        transfer_id=row.transfer_id,
        kind=row.kind,
        value_date=row.value_date,
        booking_date=row.booking_date,
        recorded_at=row.recorded_at,
        reference=row.reference,
        reverses=row.reverses,
        body_hash=bytes(row.body_hash),
    )


_POSTINGS = (
    select(postings)
    .where(postings.c.transfer_id == any_(cast(bindparam("transfers"), ARRAY(Uuid))))
    .order_by(postings.c.transfer_id, postings.c.leg_no)
)


async def postings_of(
    session: AnySession, transfer_ids: Sequence[UUID]
) -> dict[UUID, list[tuple[Leg, int]]]:
    """Each transfer's legs in their order, with the balance after each."""
    found: dict[UUID, list[tuple[Leg, int]]] = {}
    for row in (await session.execute(_POSTINGS, {"transfers": list(transfer_ids)})).all():
        leg = Leg(row.account_id, row.amount_minor, row.currency)
        found.setdefault(row.transfer_id, []).append((leg, row.balance_minor))
    return found


async def is_reversed(session: Session, transfer_id: UUID) -> bool:
    statement = select(transfers.c.transfer_id).where(transfers.c.reverses == transfer_id)
    return (await session.execute(statement)).first() is not None


def _dated(by: Literal["value", "booking"]) -> Any:
    return postings.c.value_date if by == "value" else postings.c.booking_date


async def sum_until(
    session: AnySession,
    account_id: str,
    *,
    by: Literal["value", "booking"],
    on: date,
    inclusive: bool,
) -> int:
    """The sum of the account's entries dated up to `on`: a late entry changes an old balance."""
    dated = _dated(by)
    statement = (
        select(func.coalesce(func.sum(postings.c.amount_minor), 0))
        .where(postings.c.account_id == account_id)
        .where(dated <= on if inclusive else dated < on)
    )
    return int((await session.execute(statement)).scalar_one())


async def entries(
    session: AnySession,
    account_id: str,
    *,
    by: Literal["value", "booking"],
    first: date,
    last: date,
    after: int,
    limit: int,
) -> Sequence[Any]:
    """Entries of the days `first` to `last`, in the order of posting."""
    dated = _dated(by)
    statement = (
        select(postings, transfers.c.kind, transfers.c.reference)
        .join(transfers, transfers.c.transfer_id == postings.c.transfer_id)
        .where(postings.c.account_id == account_id)
        .where(dated.between(first, last))
        .where(postings.c.entry_no > after)
        .order_by(postings.c.entry_no)
        .limit(limit)
    )
    return (await session.execute(statement)).all()
