"""The SQL of back-tests: kept decisions page by page, and what a test has told so far."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic_core import from_json
from sqlalchemy import Row, Text, bindparam, cast, insert, select, tuple_, update
from sqlalchemy.dialects.postgresql import JSONB

from services.risk.models import decisions
from services.risk.policies.back_tests.domain import Kept
from services.risk.policies.models import policy_back_tests
from shared.kit.database import AnySession, Session

_BACK_TEST = select(policy_back_tests).where(policy_back_tests.c.back_test_id == bindparam("id"))
_TELL = (
    update(policy_back_tests)
    .where(policy_back_tests.c.back_test_id == bindparam("id"))
    .values(
        state=bindparam("now_state"),
        seen=bindparam("now_seen"),
        spent_us=bindparam("now_spent_us"),
        swap_set=bindparam("now_swap_set", type_=JSONB(none_as_null=True)),
        told_at=bindparam("now_told_at"),
    )
)
_PAGE = (
    select(
        decisions.c.decision_id,
        decisions.c.outcome,
        decisions.c.reason_codes,
        decisions.c.score,
        # as text: they are read by what reads JSON fastest, a few at a time
        cast(decisions.c.features, Text).label("features"),
        cast(decisions.c.facts, Text).label("facts"),
        decisions.c.policy_sha256,
        decisions.c.model_sha256,
        decisions.c.decided_at,
    )
    .where(
        decisions.c.product == bindparam("of"),
        decisions.c.decided_at >= bindparam("since"),
        tuple_(decisions.c.decided_at, decisions.c.decision_id)
        < tuple_(
            bindparam("at", type_=decisions.c.decided_at.type),
            bindparam("last", type_=decisions.c.decision_id.type),
        ),
    )
    .order_by(decisions.c.decided_at.desc(), decisions.c.decision_id.desc())
    .limit(bindparam("most"))
)


@dataclass(frozen=True, slots=True)
class BackTestRow:
    back_test_id: UUID
    product: str
    version: str
    against: str
    since: datetime
    until: datetime
    most: int
    asked_by: str
    asked_at: datetime
    told_at: datetime
    state: str = "running"
    seen: int = 0
    spent_us: int = 0
    swap_set: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page begins: what lies before this decision in time."""

    at: datetime
    decision_id: UUID


async def insert_back_test(session: Session, row: BackTestRow) -> None:
    values = {name: getattr(row, name) for name in BackTestRow.__slots__ if name != "swap_set"}
    await session.execute(insert(policy_back_tests).values(values))


async def back_test(session: AnySession, back_test_id: UUID) -> BackTestRow | None:
    row = (await session.execute(_BACK_TEST, {"id": back_test_id})).first()
    if row is None:
        return None
    return BackTestRow(**{name: getattr(row, name) for name in BackTestRow.__slots__})


async def tell(
    session: AnySession,
    back_test_id: UUID,
    *,
    state: str,
    seen: int,
    spent_us: int,
    now: datetime,
    swap_set: Mapping[str, Any] | None = None,
) -> None:
    """How far a back-test is, or how it ended."""
    values = {
        "id": back_test_id,
        "now_state": state,
        "now_seen": seen,
        "now_spent_us": spent_us,
        "now_swap_set": swap_set,
        "now_told_at": now,
    }
    await session.execute(_TELL, values)


async def page(
    session: AnySession, *, product: str, since: datetime, before: Place, limit: int
) -> tuple[Sequence[Row[Any]], Place | None]:
    """Rows of kept decisions, the newest first, and where the next page begins; None at the end.

    `kept_of` reads a row: reading many at once would keep live decisions waiting.
    """
    values = {
        "of": product,
        "since": since,
        "at": before.at,
        "last": before.decision_id,
        "most": limit,
    }
    rows = (await session.execute(_PAGE, values)).all()
    following = Place(rows[-1].decided_at, rows[-1].decision_id) if len(rows) == limit else None
    return rows, following


def kept_of(row: Row[Any], product: str) -> Kept:
    """The decision in a row of a page."""
    facts = None
    if row.facts is not None:
        facts = from_json(row.facts)
        facts |= {"product": product, "features": from_json(row.features), "score": row.score}
    return Kept(
        row.decision_id,
        row.outcome,
        row.reason_codes,
        facts,
        policy_sha256=None if row.policy_sha256 is None else bytes(row.policy_sha256),
        model_sha256=None if row.model_sha256 is None else bytes(row.model_sha256),
        decided_at=row.decided_at,
    )
