"""The SQL of cases and labels."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    CTE,
    ColumnElement,
    Uuid,
    and_,
    any_,
    bindparam,
    case,
    func,
    insert,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from services.risk.cases.domain import Case, Entry
from services.risk.cases.models import case_entries, cases, labels
from services.risk.models import decisions
from shared.kit.database import AnySession, Session

#: What may still change once a case is there.
_CHANGING = (
    "due_at",
    "state",
    "assigned_to",
    "assigned_until",
    "verdict",
    "verdict_code",
    "verdict_note",
    "verdict_by",
    "verdict_at",
    "second_by",
    "second_at",
    "outcome",
    "outcome_code",
    "closed_at",
    "asked_at",
    "granted_minor",
    "granted_price_bps",
)
_NAMES = [column.name for column in cases.c]


@dataclass(frozen=True, slots=True)
class Label:
    decision_id: UUID
    label: str
    source: str
    author: str
    note: str
    labelled_at: datetime


@dataclass(frozen=True, slots=True)
class PastDecision:
    """A decision in short, with the last label that it got."""

    decision_id: UUID
    product: str
    outcome: str
    score: float | None
    reason_codes: Sequence[str]
    decided_at: datetime
    label: str | None


@dataclass(frozen=True, slots=True)
class Filter:
    """Which cases a page of the queue shows. `None` leaves a field open."""

    states: tuple[str, ...]
    now: datetime
    assigned_to: str | None = None
    not_judged_by: str | None = None
    product: str | None = None
    customer_id: str | None = None
    overdue: bool = False


def beside(change: CTE, *, name: str = "opened") -> CTE:
    """Part of a statement: opens the case of its `parameters` where `change` returned a row."""
    row = select(
        *(bindparam(f"case_{column.name}", type_=column.type) for column in cases.c)
    ).where(select(change).exists())
    return upsert(cases).from_select(_NAMES, row).on_conflict_do_nothing().cte(name)


def parameters(case_: Case) -> dict[str, object]:
    """What a statement with `beside` is run with, next to its own."""
    return {f"case_{name}": value for name, value in values_of(case_).items()}


def values_of(case_: Case) -> dict[str, Any]:
    """The case by the names of its columns."""
    return asdict(case_) | {"reason_codes": list(case_.reason_codes)}


def _case(row: Any) -> Case:
    values = dict(zip(_NAMES, row, strict=True))
    values["reason_codes"] = tuple(values["reason_codes"])
    return Case(**values)


async def insert_case(session: Session, case_: Case) -> bool:
    """Open a case; False where it is there already."""
    statement = upsert(cases).values(values_of(case_)).on_conflict_do_nothing()
    return (await session.execute(statement.returning(cases.c.case_id))).first() is not None


async def payment_waits(session: Session, case_: Case) -> None:
    """Open the case of a payment in review, or add to it what payments knows of the payment."""
    new = upsert(cases).values(values_of(case_))
    facts = {name: new.excluded[name] for name in ("creditor_name", "remittance", "review_until")}
    earlier = func.least(cases.c.due_at, new.excluded.review_until)
    await session.execute(
        new.on_conflict_do_update(
            index_elements=[cases.c.case_id], set_=facts | {"due_at": earlier}
        )
    )


async def find(session: AnySession, case_id: UUID) -> Case | None:
    row = (await session.execute(_FIND, {"id": case_id})).first()
    return _case(row) if row else None


async def of_decisions(session: AnySession, decision_ids: Sequence[UUID]) -> list[Case]:
    """The reviews and appeals of the decisions, in no order."""
    rows = (await session.execute(_OF_DECISIONS, {"ids": list(decision_ids)})).all()
    return [_case(row) for row in rows]


_OF_DECISIONS = select(*cases.c).where(
    cases.c.decision_id == any_(bindparam("ids", type_=ARRAY(Uuid)))
)
_FIND = select(*cases.c).where(cases.c.case_id == bindparam("id"))


async def find_locked(session: Session, case_id: UUID) -> Case | None:
    row = (await session.execute(_FIND.with_for_update(), {"id": case_id})).first()
    return _case(row) if row else None


async def store(session: Session, case_: Case) -> None:
    """Keep what changed of a case that `find_locked` locked."""
    values = values_of(case_)
    await session.execute(
        update(cases)
        .where(cases.c.case_id == case_.case_id)
        .values({name: values[name] for name in _CHANGING})
    )


async def lapsed(session: Session, *, now: datetime, limit: int) -> list[Case]:
    """Cases whose assignment is over, locked; those that somebody else holds are left out."""
    statement = (
        select(*cases.c)
        .where(cases.c.state == "assigned", cases.c.assigned_until <= now)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return [_case(row) for row in (await session.execute(statement)).all()]


def _matching(wanted: Filter) -> ColumnElement[bool]:
    live = and_(cases.c.state == "assigned", cases.c.assigned_until > wanted.now)
    # An assignment that has lapsed leaves the case open, whether the job has seen it or not.
    state = case(
        (and_(cases.c.state == "assigned", cases.c.assigned_until <= wanted.now), "open"),
        else_=cases.c.state,
    )
    conditions: list[ColumnElement[bool]] = [state.in_(wanted.states)]
    if wanted.assigned_to is not None:
        conditions += [live, cases.c.assigned_to == wanted.assigned_to]
    if wanted.not_judged_by is not None:
        conditions.append(cases.c.verdict_by.is_distinct_from(wanted.not_judged_by))
    if wanted.product is not None:
        conditions.append(cases.c.product == wanted.product)
    if wanted.customer_id is not None:
        conditions.append(cases.c.customer_id == wanted.customer_id)
    if wanted.overdue:
        conditions += [cases.c.due_at <= wanted.now, cases.c.state != "closed"]
    return and_(*conditions)


async def page(
    session: Session, wanted: Filter, *, after: tuple[datetime, UUID] | None, limit: int
) -> list[Case]:
    """Cases that match, what is due first first."""
    statement = select(*cases.c).where(_matching(wanted))
    if after is not None:
        statement = statement.where(tuple_(cases.c.due_at, cases.c.case_id) > after)
    statement = statement.order_by(cases.c.due_at, cases.c.case_id).limit(limit)
    return [_case(row) for row in (await session.execute(statement)).all()]


async def closed_page(
    session: Session, wanted: Filter, *, before: tuple[datetime, UUID] | None, limit: int
) -> list[Case]:
    """Closed cases that match, the youngest first."""
    statement = select(*cases.c).where(_matching(wanted))
    if before is not None:
        statement = statement.where(tuple_(cases.c.closed_at, cases.c.case_id) < before)
    statement = statement.order_by(cases.c.closed_at.desc(), cases.c.case_id.desc()).limit(limit)
    return [_case(row) for row in (await session.execute(statement)).all()]


async def count(session: Session, wanted: Filter, *, at_most: int) -> int:
    """How many match; counting stops at `at_most`."""
    few = select(cases.c.case_id).where(_matching(wanted)).limit(at_most).subquery()
    return int((await session.execute(select(func.count()).select_from(few))).scalar_one())


async def of_customer(session: Session, customer_id: str, *, but: UUID, limit: int) -> list[Case]:
    """The customer's other cases, the youngest first."""
    statement = (
        select(*cases.c)
        .where(cases.c.customer_id == customer_id, cases.c.case_id != but)
        .order_by(cases.c.opened_at.desc())
        .limit(limit)
    )
    return [_case(row) for row in (await session.execute(statement)).all()]


async def decisions_of_customer(
    session: Session, customer_id: str, *, but: UUID, limit: int
) -> list[PastDecision]:
    """The customer's other decisions, the youngest first."""
    last_label = (
        select(labels.c.label)
        .where(labels.c.decision_id == decisions.c.decision_id)
        .order_by(labels.c.position.desc())
        .limit(1)
        .scalar_subquery()
    )
    statement = (
        select(
            decisions.c.decision_id,
            decisions.c.product,
            decisions.c.outcome,
            decisions.c.score,
            decisions.c.reason_codes,
            decisions.c.decided_at,
            last_label,
        )
        .where(decisions.c.customer_id == customer_id, decisions.c.decision_id != but)
        .order_by(decisions.c.decided_at.desc())
        .limit(limit)
    )
    return [PastDecision(*row) for row in (await session.execute(statement)).all()]


async def add_entry(session: Session, entry: Entry) -> None:
    await session.execute(insert(case_entries).values(asdict(entry)))


async def entries(session: Session, case_id: UUID, *, limit: int) -> list[Entry]:
    """A case's history, oldest first."""
    statement = (
        select(
            case_entries.c.case_id,
            case_entries.c.kind,
            case_entries.c.by,
            case_entries.c.at,
            case_entries.c.text,
            case_entries.c.code,
        )
        .where(case_entries.c.case_id == case_id)
        .order_by(case_entries.c.position)
        .limit(limit)
    )
    return [Entry(*row) for row in (await session.execute(statement)).all()]


async def add_label(session: Session, label: Label) -> None:
    await session.execute(insert(labels).values(asdict(label)))


async def labels_of(session: Session, decision_id: UUID, *, limit: int) -> list[Label]:
    """A decision's labels, oldest first; the last one counts."""
    statement = (
        select(*(labels.c[name] for name in Label.__slots__))
        .where(labels.c.decision_id == decision_id)
        .order_by(labels.c.position)
        .limit(limit)
    )
    return [Label(*row) for row in (await session.execute(statement)).all()]
