"""The SQL of risk."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, any_, bindparam, literal, select
from sqlalchemy.dialects.postgresql import insert

from services.risk.cases import repository as cases
from services.risk.cases.domain import Case
from services.risk.lists import repository as lists
from services.risk.models import decisions
from services.risk.policies import repository as policies
from shared.kit import outbox
from shared.kit.database import AnySession


@dataclass(frozen=True, slots=True)
class StoredDecision:
    """A decision as it is kept: with the features that it saw, null for a missing one."""

    decision_id: UUID
    customer_id: str
    product: str
    body_hash: bytes
    outcome: str
    score: float | None
    reason_codes: Sequence[str]
    policy: str
    model: str | None
    model_sha256: bytes | None
    degraded: Sequence[str]
    features: Mapping[str, float | None]
    elapsed_us: int
    windows_age_ms: int | None
    decided_at: datetime
    #: The facts beside features and score; None for a decision from before they were kept.
    facts: Mapping[str, object] | None = None
    #: The rows of the policy that fired; None as above.
    trace: Sequence[str] | None = None
    grade: str | None = None
    limit_minor: int | None = None
    price_bps: int | None = None
    step_up: str | None = None
    #: The sources that were asked, each with state, age and cost; None where none could be.
    sources: Sequence[Mapping[str, object]] | None = None
    #: Of the policy's graph; None for a decision from before it was kept.
    policy_sha256: bytes | None = None


@dataclass(frozen=True, slots=True)
class Before:
    """What a decision begins with: what is stored under its id, lists, the policies' revision."""

    known: StoredDecision | None
    #: The list that counts, by role: see `lists.domain.ROLES`.
    lists: Mapping[str, str | None]
    policy_revision: int


_ONE = select(literal(1).label("one")).subquery("one")
#: All answers that a decision begins with, in one round trip.
_BEFORE = select(
    lists.COLUMN,
    policies.REVISION,
    decisions,
).select_from(_ONE.outerjoin(decisions, decisions.c.decision_id == bindparam("id")))


_DECISION = select(decisions).where(decisions.c.decision_id == bindparam("id"))
_DECISIONS = select(decisions).where(
    decisions.c.decision_id == any_(bindparam("ids", type_=ARRAY(Uuid)))
)


async def before_decision(
    session: AnySession, *, decision_id: UUID, names: Mapping[str, str | None], now: datetime
) -> Before:
    """What has to be known before a payment is decided under that id.

    `names` are those in it by role, for the lists.
    """
    values = {"id": decision_id, **lists.asked(names, now=now)}
    row = (await session.execute(_BEFORE, values)).one()
    known = None if row.decision_id is None else stored(row)
    return Before(known, lists.by_role(row.lists_found), row.policy_revision)


async def decision(session: AnySession, decision_id: UUID) -> StoredDecision | None:
    row = (await session.execute(_DECISION, {"id": decision_id})).first()
    return None if row is None else stored(row)


async def decisions_of(session: AnySession, ids: Sequence[UUID]) -> list[StoredDecision]:
    """Those of the decisions that there are, in no order."""
    rows = (await session.execute(_DECISIONS, {"ids": list(ids)})).all()
    return [stored(row) for row in rows]


#: Built once: building it costs more than running it.
_MADE = (
    insert(decisions)
    .from_select(
        [column.name for column in decisions.c],
        select(*(bindparam(column.name, type_=column.type) for column in decisions.c)),
    )
    .on_conflict_do_nothing()
    .returning(decisions.c.decision_id)
    .cte("made")
)
_INSERT = select(_MADE.c.decision_id).add_cte(outbox.beside(_MADE))
_INSERT_WITH_CASE = _INSERT.add_cte(cases.beside(_MADE))


async def insert_decision(
    session: AnySession,
    made: StoredDecision,
    *,
    told: Mapping[str, object],
    case: Case | None = None,
) -> bool:
    """Store the decision with the events `told` (`outbox.parameters`) and the `case` that it
    opens, in one statement.

    False where another call stored one under that id meanwhile: then nothing was stored.
    """
    values = {**told, **values_of(made)}
    statement = _INSERT
    if case is not None:
        statement, values = _INSERT_WITH_CASE, values | cases.parameters(case)
    return (await session.execute(statement, values)).first() is not None


def values_of(made: StoredDecision) -> dict[str, Any]:
    """The decision by the names of its columns."""
    return {
        "decision_id": made.decision_id,
        "customer_id": made.customer_id,
        "product": made.product,
        "body_hash": made.body_hash,
        "outcome": made.outcome,
        "score": made.score,
        "reason_codes": list(made.reason_codes),
        "policy": made.policy,
        "model": made.model,
        "model_sha256": made.model_sha256,
        "degraded": list(made.degraded),
        "features": dict(made.features),
        "elapsed_us": made.elapsed_us,
        "windows_age_ms": made.windows_age_ms,
        "decided_at": made.decided_at,
        "facts": None if made.facts is None else dict(made.facts),
        "trace": None if made.trace is None else list(made.trace),
        "grade": made.grade,
        "limit_minor": made.limit_minor,
        "price_bps": made.price_bps,
        "step_up": made.step_up,
        "sources": None if made.sources is None else list(made.sources),
        "policy_sha256": made.policy_sha256,
    }


def stored(row: Any) -> StoredDecision:
    """The decision in a row of all of its columns."""
    return StoredDecision(
        decision_id=row.decision_id,
        customer_id=row.customer_id,
        product=row.product,
        body_hash=bytes(row.body_hash),
        outcome=row.outcome,
        score=row.score,
        reason_codes=row.reason_codes,
        policy=row.policy,
        model=row.model,
        model_sha256=None if row.model_sha256 is None else bytes(row.model_sha256),
        degraded=row.degraded,
        features=row.features,
        elapsed_us=row.elapsed_us,
        windows_age_ms=row.windows_age_ms,
        decided_at=row.decided_at,
        facts=row.facts,
        trace=row.trace,
        grade=row.grade,
        limit_minor=row.limit_minor,
        price_bps=row.price_bps,
        step_up=row.step_up,
        sources=row.sources,
        policy_sha256=None if row.policy_sha256 is None else bytes(row.policy_sha256),
    )
