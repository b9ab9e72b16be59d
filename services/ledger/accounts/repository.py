"""SQL of an account's entries."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, and_, func, select

from services.ledger.models import postings, transfers
from shared.contracts.http.ledger import Direction
from shared.kit.database import AnySession


def booked(
    account_id: str, *, first: date, last: date, direction: Direction | None
) -> ColumnElement[bool]:
    """The account's entries booked on these days; of one direction where it is named."""
    conditions = [postings.c.account_id == account_id, postings.c.booking_date.between(first, last)]
    if direction is not None:
        amount = postings.c.amount_minor
        conditions.append(amount > 0 if direction == "credit" else amount < 0)
    return and_(*conditions)


async def count(session: AnySession, matching: ColumnElement[bool]) -> int:
    statement = select(func.count()).select_from(postings).where(matching)
    return int((await session.execute(statement)).scalar_one())


async def part(
    session: AnySession, matching: ColumnElement[bool], *, offset: int, limit: int
) -> Sequence[Any]:
    """Entries in the order of posting, with the other leg's account where there is one other."""
    other = postings.alias("other")
    found = select(postings).where(matching).order_by(postings.c.entry_no)
    chosen = found.offset(offset).limit(limit).subquery()
    statement = (
        select(
            chosen,
            transfers.c.kind,
            transfers.c.reference,
            other.c.account_id.label("counterpart_id"),
        )
        .join(transfers, transfers.c.transfer_id == chosen.c.transfer_id)
        .outerjoin(
            other,
            and_(
                transfers.c.leg_count == 2,
                other.c.transfer_id == chosen.c.transfer_id,
                other.c.leg_no != chosen.c.leg_no,
            ),
        )
        .order_by(chosen.c.entry_no)
    )
    return (await session.execute(statement)).all()
