"""The SQL of replays: kept decisions page by page, the youngest first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, Text, bindparam, cast, func, select, tuple_
from sqlalchemy import true as always

from services.risk.models import decisions
from services.risk.repository import StoredDecision, stored
from shared.kit.database import AnySession

_DECIDED_AT, _ID = decisions.c.decided_at, decisions.c.decision_id
_PRODUCTS = (
    func.unnest(cast(bindparam("products"), ARRAY(Text)))
    .table_valued("product", name="asked")
    .render_derived()
)
# One index scan for each product: `decisions_in_time` begins with it.
_OF_ONE = (
    select(decisions)
    .where(
        decisions.c.product == _PRODUCTS.c.product,
        _DECIDED_AT.between(
            bindparam("since", type_=_DECIDED_AT.type), bindparam("at", type_=_DECIDED_AT.type)
        ),
        tuple_(_DECIDED_AT, _ID)
        < tuple_(bindparam("at", type_=_DECIDED_AT.type), bindparam("last", type_=_ID.type)),
    )
    .order_by(_DECIDED_AT.desc(), _ID.desc())
    .limit(bindparam("most"))
    .lateral("one")
)
_PAGE = (
    select(*_OF_ONE.c)
    .select_from(_PRODUCTS.join(_OF_ONE, always()))
    .order_by(_OF_ONE.c.decided_at.desc(), _OF_ONE.c.decision_id.desc())
    .limit(bindparam("most_of_all"))
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page begins: what lies before this decision in time."""

    at: datetime
    decision_id: UUID


async def page(
    session: AnySession,
    *,
    products: Sequence[str],
    since: datetime,
    before: Place,
    limit: int,
) -> tuple[list[StoredDecision], Place | None]:
    """Kept decisions and where the next page begins; None at the end."""
    values = {
        "products": list(products),
        "since": since,
        "at": before.at,
        "last": before.decision_id,
        "most": limit,
        "most_of_all": limit,
    }
    rows = (await session.execute(_PAGE, values)).all()
    following = Place(rows[-1].decided_at, rows[-1].decision_id) if len(rows) == limit else None
    return [stored(row) for row in rows], following
