"""SQL of plans, and of how far each limit is used."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, delete, select, text, update
from sqlalchemy.dialects.postgresql import insert

from gateway.limits.domain import Plan, day_of
from gateway.models import call_rates, partners, plans
from shared.kit.database import Session

#: Rows that one statement of the tidying deletes.
TIDY_BATCH = 5_000
#: A limit that was not touched for so long is whole, and its day is over.
KEEP = timedelta(days=2)

_TAKE = text(
    "SELECT refused, limits, standing"
    " FROM take_call(true, :of_partner, NULL, :of_endpoint, :at_s, :today)"
)


@dataclass(frozen=True, slots=True)
class Taken:
    """What `take_call` answered: who refused, and each limit with how far it is used."""

    refused: str | None
    limits: Sequence[int | None]
    standing: Sequence[float]


@dataclass(frozen=True, slots=True)
class PlanOf:
    plan: str | None


async def take_call(session: Session, *, partner_id: str, endpoint: str, now: datetime) -> Taken:
    values = {
        "of_partner": partner_id,
        "of_endpoint": endpoint,
        "at_s": now.timestamp(),
        "today": day_of(now),
    }
    return Taken(*(await session.execute(_TAKE, values)).one())


def _plan(row: Row[Any]) -> Plan:
    return Plan(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it


async def find_plan(session: Session, *, plan: str) -> Plan | None:
    row = (await session.execute(select(plans).where(plans.c.plan == plan))).first()
    return _plan(row) if row else None


async def list_plans(session: Session, *, after: str | None, limit: int) -> list[Plan]:
    statement = select(plans).order_by(plans.c.plan).limit(limit)
    if after is not None:
        statement = statement.where(plans.c.plan > after)
    return [_plan(row) for row in await session.execute(statement)]


async def store_plan(session: Session, *, plan: Plan) -> None:
    values = {
        "per_partner_per_minute": plan.per_partner_per_minute,
        "per_consent_per_minute": plan.per_consent_per_minute,
        "per_endpoint_per_minute": dict(plan.per_endpoint_per_minute),
        "calls_per_day": plan.calls_per_day,
        "updated_at": plan.updated_at,
    }
    statement = insert(plans).values(plan=plan.plan, **values)
    await session.execute(
        statement.on_conflict_do_update(index_elements=[plans.c.plan], set_=values)
    )


async def plan_of_partner(session: Session, *, partner_id: str) -> PlanOf | None:
    """None where there is no such partner."""
    statement = select(partners.c.plan).where(partners.c.partner_id == partner_id)
    row = (await session.execute(statement)).first()
    return PlanOf(row.plan) if row else None


async def set_plan_of_partner(
    session: Session, *, partner_id: str, plan: str | None, now: datetime
) -> None:
    statement = update(partners).where(partners.c.partner_id == partner_id)
    await session.execute(statement.values(plan=plan, updated_at=now))


async def forget_rates(session: Session, *, now: datetime) -> int:
    """Delete a bounded number of limits that are whole again; how many they were."""
    before = now - KEEP
    old = (
        select(call_rates.c.owner)
        .where(call_rates.c.full_at_s < before.timestamp(), call_rates.c.day < day_of(before))
        .limit(TIDY_BATCH)
    )
    statement = delete(call_rates).where(call_rates.c.owner.in_(old.scalar_subquery()))
    return (await session.execute(statement)).rowcount
