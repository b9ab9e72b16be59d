"""Routes of usage: a partner sees its own calls, staff sees everybody's."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends

from gateway.limits.domain import day_of
from gateway.oauth.callers import PartnerCaller, partner_with
from gateway.problems import answers
from gateway.usage import service
from gateway.usage.domain import Usage
from shared.contracts.values import PartnerId, Reply
from shared.kit.app import Ctx
from shared.kit.auth import Caller, allow

router = APIRouter(tags=["usage"])
staff = APIRouter(tags=["staff"], include_in_schema=False)

Partner = Annotated[PartnerCaller, Depends(partner_with("consents"))]
Staff = Annotated[Caller, Depends(allow(roles=("operator", "admin")))]


class UsageRow(Reply):
    """Calls of one day at one route whose status began with this digit."""

    partner_id: str
    day: date
    endpoint: str
    status_class: int
    calls: int


class UsageReply(Reply):
    items: list[UsageRow]


def _reply(found: Sequence[Usage]) -> UsageReply:
    return UsageReply(
        items=[
            UsageRow(
                partner_id=one.partner_id,
                day=one.day,
                endpoint=one.endpoint,
                status_class=one.status_class,
                calls=one.calls,
            )
            for one in found
        ]
    )


@router.get("/v1/usage", responses=answers(401, 403, 422, 429, 503, codes=("usage_span_refused",)))
async def my_usage(
    context: Ctx, partner: Partner, from_day: date | None = None, to_day: date | None = None
) -> UsageReply:
    """Your calls by day (of China), route and kind of answer; some seconds late."""
    today = day_of(context.clock())
    async with context.database.transaction() as session:
        found = await service.usage(
            session,
            partner_id=partner.partner_id,
            first=from_day or to_day or today,
            last=to_day or today,
        )
    return _reply(found)


@staff.get("/v1/partner-usage")
async def usage_of_partners(
    context: Ctx,
    _: Staff,
    partner_id: PartnerId | None = None,
    from_day: date | None = None,
    to_day: date | None = None,
) -> UsageReply:
    today = day_of(context.clock())
    async with context.database.transaction() as session:
        found = await service.usage(
            session,
            partner_id=partner_id,
            first=from_day or to_day or today,
            last=to_day or today,
        )
    return _reply(found)
