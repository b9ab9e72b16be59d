"""HTTP routes of the watch: staff reads and acknowledges, operators change limits and guards."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends

from services.risk.policies.domain import Product
from services.risk.watch import service, views
from services.risk.watch.domain import Guard, Limit, Measure
from shared.kit.app import Ctx
from shared.kit.auth import Caller, allow

Operator = Annotated[Caller, Depends(allow(roles=("operator",)))]
Viewer = Annotated[Caller, Depends(allow(roles=("operator", "reviewer")))]

router = APIRouter(prefix="/v1/watch", tags=["watch"])


@router.get("")
async def read_watch(context: Ctx, _: Viewer) -> views.WatchReply:
    """Rates, latency, labels and drift of policies and models, with alarms and roll-backs."""
    async with context.database.transaction() as session:
        found = await service.overview(session, now=context.clock())
    return views.WatchReply.of(
        found.looked,
        last_counted_at=found.last_counted_at,
        closed=found.closed,
        roll_backs=found.roll_backs,
    )


@router.put("/alarms/{alarm_id}/acknowledgement")
async def acknowledge_alarm(
    alarm_id: UUID, body: views.Acknowledge, context: Ctx, caller: Viewer
) -> views.AlarmReply:
    """Say that somebody saw the alarm; whoever says so first stays named."""
    async with context.database.transaction() as session:
        alarm = await service.acknowledge(
            session, alarm_id=alarm_id, note=body.note, caller=caller, now=context.clock()
        )
    context.published()
    return views.AlarmReply.of(alarm)


@router.get("/limits")
async def list_limits(context: Ctx, _: Viewer) -> views.LimitList:
    """From where each measure alarms."""
    async with context.database.transaction() as session:
        found = await service.all_limits(session)
    return views.LimitList(items=[views.LimitReply.of(limit) for limit in found])


@router.put("/limits/{measure}")
async def change_limit(
    measure: Measure,
    body: views.ChangeLimit,
    context: Ctx,
    caller: Operator,
    product: Product | None = None,
) -> views.LimitReply:
    """Change a limit for every product, or for one. It counts from the next look on."""
    limit = Limit(
        measure, body.span, body.warning, body.critical, body.least, product=product or ""
    )
    async with context.database.transaction() as session:
        kept = await service.change_limit(
            session, limit=limit, caller=caller, now=context.clock(), reason=body.reason
        )
    context.published()
    return views.LimitReply.of(kept)


@router.get("/guards")
async def list_guards(context: Ctx, _: Viewer) -> views.GuardList:
    """When a version that was just activated is rolled back by itself."""
    async with context.database.transaction() as session:
        found = await service.all_guards(session)
    return views.GuardList(items=[views.GuardReply.of(guard) for guard in found])


@router.put("/guards/{product}")
async def change_guard(
    product: Product, body: views.ChangeGuard, context: Ctx, caller: Operator
) -> views.GuardReply:
    """Change a product's guard, or switch it off."""
    guard = Guard(product, **body.model_dump(exclude={"reason"}))
    async with context.database.transaction() as session:
        kept = await service.change_guard(
            session, guard=guard, caller=caller, now=context.clock(), reason=body.reason
        )
    context.published()
    return views.GuardReply.of(kept)
