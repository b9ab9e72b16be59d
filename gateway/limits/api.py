"""Routes of staff: plans, and which partner is under which."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import Field, StringConstraints

from gateway.limits import service
from gateway.limits.domain import Plan
from shared.contracts.values import Contract, Name, PartnerId, Reply
from shared.kit.app import Ctx
from shared.kit.auth import Caller, allow

router = APIRouter(tags=["staff"], include_in_schema=False)

Staff = Annotated[Caller, Depends(allow(roles=("operator", "admin")))]
PlanName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,40}$")]
Calls = Annotated[int, Field(ge=0, le=1_000_000, strict=True)]
CallsPerDay = Annotated[int, Field(ge=0, le=1_000_000_000, strict=True)]
Endpoint = Annotated[
    str, StringConstraints(pattern=r"^(GET|POST|PUT|DELETE) /[!-~]{1,200}$", max_length=210)
]


class PutPlan(Contract):
    """Limits of a plan: null for no limit, 0 for no call at all."""

    per_partner_per_minute: Calls | None = None
    per_consent_per_minute: Calls | None = None
    per_endpoint_per_minute: dict[Endpoint, Calls] = Field(default_factory=dict, max_length=100)
    calls_per_day: CallsPerDay | None = None
    reason: Name


class PlanReply(Reply):
    plan: PlanName
    per_partner_per_minute: int | None
    per_consent_per_minute: int | None
    per_endpoint_per_minute: dict[str, int]
    calls_per_day: int | None
    updated_at: datetime


class PlanPage(Reply):
    items: list[PlanReply]
    next_after: str | None


class PutPartnerPlan(Contract):
    plan: PlanName | None
    reason: Name


class PartnerPlanReply(Reply):
    partner_id: PartnerId
    plan: PlanName | None


def _reply(plan: Plan) -> PlanReply:
    return PlanReply(
        plan=plan.plan,
        per_partner_per_minute=plan.per_partner_per_minute,
        per_consent_per_minute=plan.per_consent_per_minute,
        per_endpoint_per_minute=dict(plan.per_endpoint_per_minute),
        calls_per_day=plan.calls_per_day,
        updated_at=plan.updated_at,
    )


@router.put("/v1/plans/{plan}")
async def put_plan(plan: PlanName, body: PutPlan, context: Ctx, staff: Staff) -> PlanReply:
    """Makes or changes a plan; it binds the next call of every partner under it."""
    wanted = Plan(
        plan=plan,
        per_partner_per_minute=body.per_partner_per_minute,
        per_consent_per_minute=body.per_consent_per_minute,
        per_endpoint_per_minute=body.per_endpoint_per_minute,
        calls_per_day=body.calls_per_day,
        updated_at=context.clock(),
    )
    async with context.database.transaction() as session:
        stored = await service.put_plan(
            session, plan=wanted, reason=body.reason, staff_id=staff.staff_id or ""
        )
    context.published()
    return _reply(stored)


@router.get("/v1/plans")
async def list_plans(
    context: Ctx,
    _: Staff,
    after: PlanName | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> PlanPage:
    async with context.database.transaction() as session:
        found = await service.list_plans(session, after=after, limit=limit)
    next_after = found[-1].plan if len(found) == limit else None
    return PlanPage(items=[_reply(plan) for plan in found], next_after=next_after)


@router.get("/v1/plans/{plan}")
async def get_plan(plan: PlanName, context: Ctx, _: Staff) -> PlanReply:
    async with context.database.transaction() as session:
        return _reply(await service.get_plan(session, plan=plan))


@router.get("/v1/partners/{partner_id}/plan")
async def plan_of_partner(partner_id: PartnerId, context: Ctx, _: Staff) -> PartnerPlanReply:
    async with context.database.transaction() as session:
        plan = await service.plan_of_partner(session, partner_id=partner_id)
    return PartnerPlanReply(partner_id=partner_id, plan=plan)


@router.put("/v1/partners/{partner_id}/plan")
async def set_plan_of_partner(
    partner_id: PartnerId, body: PutPartnerPlan, context: Ctx, staff: Staff
) -> PartnerPlanReply:
    """Puts the partner under a plan, or under none; it binds the next call."""
    async with context.database.transaction() as session:
        await service.set_plan_of_partner(
            session,
            partner_id=partner_id,
            plan=body.plan,
            reason=body.reason,
            staff_id=staff.staff_id or "",
            now=context.clock(),
        )
    context.published()
    return PartnerPlanReply(partner_id=partner_id, plan=body.plan)
