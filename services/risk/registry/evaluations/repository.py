"""The SQL of evaluations: what each has found, and the labels of kept decisions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, any_, bindparam, func, insert, select, update
from sqlalchemy.dialects.postgresql import distinct_on

from services.risk.cases.models import labels
from services.risk.registry.models import model_evaluations, shadow_scores
from shared.kit.database import AnySession, Session

MOST_COUNTED = 100_000


@dataclass(frozen=True, slots=True)
class EvaluationRow:
    evaluation_id: UUID
    product: str
    label: str
    against: str | None
    policy: str
    since: datetime
    until: datetime
    most: int
    asked_by: str
    asked_at: datetime
    told_at: datetime
    state: str = "running"
    seen: int = 0
    spent_us: int = 0
    gates: Sequence[Mapping[str, Any]] | None = None
    figures: Mapping[str, Any] | None = None
    swap_set: Mapping[str, Any] | None = None


#: What an evaluation tells while it runs or at its end.
_TOLD = ("state", "seen", "spent_us", "gates", "figures", "swap_set", "told_at")
_TELL = (
    update(model_evaluations)
    .where(model_evaluations.c.evaluation_id == bindparam("id"))
    .values(
        {name: bindparam(f"now_{name}", type_=model_evaluations.c[name].type) for name in _TOLD}
    )
)
#: The last label of each decision: a later one counts instead.
_LABELS = (
    select(labels.c.decision_id, labels.c.label)
    .where(labels.c.decision_id == any_(bindparam("ids", type_=ARRAY(Uuid))))
    .ext(distinct_on(labels.c.decision_id))
    .order_by(labels.c.decision_id, labels.c.position.desc())
)


async def insert_evaluation(session: Session, row: EvaluationRow) -> None:
    values = {one.name: getattr(row, one.name) for one in fields(EvaluationRow)}
    await session.execute(insert(model_evaluations).values(values))


async def tell(session: AnySession, row: EvaluationRow) -> None:
    """How far an evaluation is, or how it ended."""
    values = {f"now_{name}": getattr(row, name) for name in _TOLD}
    await session.execute(_TELL, values | {"id": row.evaluation_id})


async def evaluation(session: AnySession, evaluation_id: UUID) -> EvaluationRow | None:
    statement = select(model_evaluations).where(model_evaluations.c.evaluation_id == evaluation_id)
    row = (await session.execute(statement)).first()
    return None if row is None else _row(row)


async def page(session: AnySession, label: str, *, limit: int) -> list[EvaluationRow]:
    """A model's evaluations, the newest first."""
    statement = (
        select(model_evaluations)
        .where(model_evaluations.c.label == label)
        .order_by(model_evaluations.c.asked_at.desc())
        .limit(limit)
    )
    return [_row(row) for row in (await session.execute(statement)).all()]


async def last_done(session: AnySession, label: str) -> EvaluationRow | None:
    """A model's newest evaluation that came to its end."""
    statement = (
        select(model_evaluations)
        .where(model_evaluations.c.label == label, model_evaluations.c.state == "done")
        .order_by(model_evaluations.c.asked_at.desc())
        .limit(1)
    )
    row = (await session.execute(statement)).first()
    return None if row is None else _row(row)


async def labels_of(session: AnySession, ids: Sequence[UUID]) -> dict[UUID, str]:
    """What those of the decisions turned out to be that have a label."""
    rows = (await session.execute(_LABELS, {"ids": list(ids)})).all()
    return {row.decision_id: row.label for row in rows}


async def shadow_count(session: AnySession, label: str) -> int:
    """How many decisions the model has scored in the shadow; counting stops at `MOST_COUNTED`."""
    few = select(shadow_scores.c.label).where(shadow_scores.c.label == label).limit(MOST_COUNTED)
    counted = select(func.count()).select_from(few.subquery())
    return int((await session.execute(counted)).scalar_one())


def _row(row: Any) -> EvaluationRow:
    return EvaluationRow(**{one.name: getattr(row, one.name) for one in fields(EvaluationRow)})
