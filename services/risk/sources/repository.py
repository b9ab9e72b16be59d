"""The SQL of the outside data."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, delete, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.dialects.postgresql import insert as upsert

from services.risk.sources.domain import TERMS, Consent, Kept, State
from services.risk.sources.models import source_answers as answers
from services.risk.sources.models import source_consents as consents
from services.risk.sources.models import source_uses as uses
from shared.contracts.http.risk_sources import Source
from shared.kit.database import AnySession, Session

#: Kept answers that are deleted by one statement.
DELETE_BATCH = 1_000


@dataclass(frozen=True, slots=True)
class UseRow:
    """A use as it is kept. `state` is `asked` from before a call goes out until it has ended."""

    use_id: UUID
    decision_id: UUID
    customer_id: str
    source: str
    purpose: str
    state: State | str
    is_call: bool
    charged: bool | None
    cost_minor: int
    cause: str | None
    age_ms: int | None
    elapsed_ms: int | None
    used_at: datetime


# Built once: what stands alone is compiled for each statement that is made.
_LATEST = (
    select(consents)
    .where(consents.c.customer_id == bindparam("customer"))
    .ext(distinct_on(consents.c.source, consents.c.purpose))
    .order_by(consents.c.source, consents.c.purpose, consents.c.position.desc())
)
_KEPT = select(answers).where(
    answers.c.customer_id == bindparam("customer"), answers.c.delete_at > bindparam("now")
)
_INSERT = text(
    "INSERT INTO source_uses"
    " SELECT * FROM json_populate_recordset(NULL::source_uses, CAST(:rows AS json))"
)


async def lock_customer(session: Session, *, customer_id: str) -> None:
    """Until the transaction ends, nobody else changes what is kept of this customer's sources."""
    key = f"risk.sources {customer_id}"
    await session.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))"), {"key": key}
    )


# -- consents ---------------------------------------------------------------------------------


async def latest_consents(
    session: AnySession, *, customer_id: str
) -> dict[tuple[str, str], Consent]:
    """What the customer said last, by source and purpose."""
    rows = (await session.execute(_LATEST, {"customer": customer_id})).all()
    return {(row.source, row.purpose): _consent(row) for row in rows}


async def consent_history(session: AnySession, *, customer_id: str, limit: int) -> list[Consent]:
    """What the customer said, the newest first."""
    statement = (
        select(consents)
        .where(consents.c.customer_id == customer_id)
        .order_by(consents.c.position.desc())
        .limit(limit)
    )
    return [_consent(row) for row in (await session.execute(statement)).all()]


async def insert_consent(session: Session, consent: Consent, *, customer_id: str) -> None:
    await session.execute(insert(consents).values(customer_id=customer_id, **asdict(consent)))


def _consent(row: Any) -> Consent:
    return Consent(row.source, row.purpose, row.granted, row.stated_at, row.until)


# -- kept answers -----------------------------------------------------------------------------


async def kept_answers(session: AnySession, *, customer_id: str, now: datetime) -> dict[str, Kept]:
    """What is kept of the customer and not due to be deleted, by source."""
    rows = (await session.execute(_KEPT, {"customer": customer_id, "now": now})).all()
    return {row.source: Kept(row.source, row.answers, row.fetched_at) for row in rows}


async def keep_answer(
    session: Session, kept: Kept, *, customer_id: str, allowed_until: datetime | None
) -> None:
    """Keep an answer in the place of an older one; no longer than the consent to it holds."""
    delete_at = kept.fetched_at + TERMS[kept.source].usable_for
    values = {
        "answers": dict(kept.answers),
        "fetched_at": kept.fetched_at,
        "delete_at": min(delete_at, allowed_until or delete_at),
    }
    statement = upsert(answers).values(customer_id=customer_id, source=kept.source, **values)
    newer = statement.on_conflict_do_update(
        index_elements=[answers.c.customer_id, answers.c.source],
        set_=values,
        where=answers.c.fetched_at <= kept.fetched_at,
    )
    await session.execute(newer)


async def forget_answer(session: Session, *, customer_id: str, source: Source) -> None:
    await session.execute(
        delete(answers).where(answers.c.customer_id == customer_id, answers.c.source == source)
    )


async def forget_old(session: Session, *, now: datetime) -> int:
    """Delete answers whose time has passed; how many went, `DELETE_BATCH` at the most."""
    old = (
        select(answers.c.customer_id, answers.c.source)
        .where(answers.c.delete_at <= now)
        .limit(DELETE_BATCH)
        .subquery("old")
    )
    statement = (
        delete(answers)
        .where(answers.c.customer_id == old.c.customer_id, answers.c.source == old.c.source)
        .returning(answers.c.source)
    )
    return len((await session.execute(statement)).all())


async def count_answers(session: AnySession, *, now: datetime) -> dict[str, int]:
    """How many answers are kept of each source."""
    statement = (
        select(answers.c.source, func.count().label("kept"))
        .where(answers.c.delete_at > now)
        .group_by(answers.c.source)
    )
    return {row.source: row.kept for row in (await session.execute(statement)).all()}


# -- uses and their cost ----------------------------------------------------------------------


async def insert_uses(session: AnySession, rows: Sequence[UseRow]) -> None:
    """Put down what is about to be done, in one statement."""
    found = [asdict(row) for row in rows]
    for one in found:
        one |= {name: str(one[name]) for name in ("use_id", "decision_id")}
        one["used_at"] = one["used_at"].isoformat()
    await session.execute(_INSERT, {"rows": json.dumps(found)})


async def end_call(session: Session, row: UseRow) -> None:
    """Say what became of a call; only one that has no end yet gets one."""
    statement = (
        update(uses)
        .where(uses.c.use_id == row.use_id, uses.c.state == "asked")
        .values(
            state=row.state,
            charged=row.charged,
            cost_minor=row.cost_minor,
            cause=row.cause,
            age_ms=row.age_ms,
            elapsed_ms=row.elapsed_ms,
        )
    )
    await session.execute(statement)


async def uses_of(session: AnySession, *, decision_id: UUID) -> list[UseRow]:
    statement = select(uses).where(uses.c.decision_id == decision_id).order_by(uses.c.source)
    rows = (await session.execute(statement)).all()
    return [UseRow(**row._asdict()) for row in rows]


_CALL = uses.c.is_call
#: A month of the bank's own time, as its first day.
_MONTH = func.to_char(
    uses.c.used_at.op("AT TIME ZONE")("UTC") + timedelta(hours=8), "YYYY-MM"
).label("month")
_COUNTS = (
    func.count().label("uses"),
    func.count().filter(_CALL).label("calls"),
    func.count().filter(uses.c.state == "live").label("answered"),
    func.count().filter(uses.c.state == "cached").label("cached"),
    func.count().filter(uses.c.state == "stale").label("stale"),
    func.count().filter(uses.c.state == "failed").label("failed"),
    func.count().filter(uses.c.state == "refused_consent").label("refused_consent"),
    func.count().filter(_CALL & uses.c.charged).label("charged"),
    func.count().filter(_CALL & uses.c.charged.is_(None)).label("unsure"),
    func.coalesce(func.sum(uses.c.cost_minor), 0).label("cost_minor"),
)


async def counts_by_month(
    session: AnySession, *, since: datetime, until: datetime
) -> list[Mapping[str, Any]]:
    """Uses by month of the bank's own time and source, the newest month first."""
    statement = (
        select(_MONTH, uses.c.source, *_COUNTS)
        .where(uses.c.used_at >= since, uses.c.used_at < until)
        .group_by(_MONTH, uses.c.source)
        .order_by(_MONTH.desc(), uses.c.source)
    )
    return [row._asdict() for row in (await session.execute(statement)).all()]


async def counts_since(session: AnySession, *, since: datetime) -> dict[str, Mapping[str, Any]]:
    """Uses of each source since then."""
    statement = (
        select(uses.c.source, *_COUNTS).where(uses.c.used_at >= since).group_by(uses.c.source)
    )
    return {row.source: row._asdict() for row in (await session.execute(statement)).all()}
