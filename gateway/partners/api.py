"""Routes of staff: partners."""

import hashlib
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Query
from pydantic import Field

from gateway.partners import service
from gateway.partners.domain import MAX_REDIRECT_URIS, MAX_URI_LENGTH, Partner
from shared.contracts.values import Contract, Name, PartnerId, Reply
from shared.kit.app import Ctx
from shared.kit.auth import Caller, allow
from shared.kit.problems import InvalidRequest

router = APIRouter(tags=["staff"], include_in_schema=False)

Staff = Annotated[Caller, Depends(allow(roles=("operator", "admin")))]
RedirectUri = Annotated[str, Field(min_length=1, max_length=MAX_URI_LENGTH)]
OptionalKey = Annotated[
    str | None,
    Header(alias="Idempotency-Key", min_length=1, max_length=64, pattern=r"^[!-~]+$"),
]


class RegisterPartner(Contract):
    """A third party with its public keys; without an id, one is made from `Idempotency-Key`."""

    partner_id: PartnerId | None = None
    name: Name
    jwks: dict[str, Any]
    redirect_uris: list[RedirectUri] = Field(default_factory=list, max_length=MAX_REDIRECT_URIS)
    rate_limit_per_minute: Annotated[int, Field(ge=0, le=1_000_000, strict=True)] = 600


class PartnerReply(Reply):
    partner_id: PartnerId
    name: str
    jwks: dict[str, Any]
    redirect_uris: list[str]
    rate_limit_per_minute: int
    state: Literal["active", "suspended"]
    created_at: datetime
    updated_at: datetime
    plan: str | None = None


class PartnerPage(Reply):
    items: list[PartnerReply]
    next_after: str | None


class Reason(Contract):
    reason: Name


def _reply(partner: Partner) -> PartnerReply:
    return PartnerReply(
        partner_id=partner.partner_id,
        name=partner.name,
        jwks=dict(partner.jwks),
        redirect_uris=list(partner.redirect_uris),
        rate_limit_per_minute=partner.rate_limit_per_minute,
        state=partner.state,
        created_at=partner.created_at,
        updated_at=partner.updated_at,
        plan=partner.plan,
    )


def _partner_id(body: RegisterPartner, staff: Caller, key: str | None) -> str:
    """The id that was chosen; else one that the same key makes again."""
    if body.partner_id is not None:
        return body.partner_id
    if key is None:
        raise InvalidRequest(
            "A partner without an id needs a key",
            field="Idempotency-Key",
            expected="a key, or partner_id in the body",
        )
    return "p-" + hashlib.sha256(f"{staff.staff_id}:{key}".encode()).hexdigest()[:16]


@router.post("/v1/partners", status_code=201)
async def register_partner(
    body: RegisterPartner, context: Ctx, staff: Staff, idempotency_key: OptionalKey = None
) -> PartnerReply:
    now = context.clock()
    partner = Partner(
        partner_id=_partner_id(body, staff, idempotency_key),
        name=body.name,
        jwks=body.jwks,
        redirect_uris=body.redirect_uris,
        rate_limit_per_minute=body.rate_limit_per_minute,
        state="active",
        created_at=now,
        updated_at=now,
    )
    async with context.database.transaction() as session:
        partner = await service.register_partner(
            session, partner=partner, staff_id=staff.staff_id or "", now=now
        )
    context.published()
    return _reply(partner)


@router.get("/v1/partners")
async def list_partners(
    context: Ctx,
    _: Staff,
    after: PartnerId | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> PartnerPage:
    async with context.database.transaction() as session:
        found = await service.list_partners(session, after=after, limit=limit)
    next_after = found[-1].partner_id if len(found) == limit else None
    return PartnerPage(items=[_reply(partner) for partner in found], next_after=next_after)


@router.get("/v1/partners/{partner_id}")
async def get_partner(partner_id: PartnerId, context: Ctx, _: Staff) -> PartnerReply:
    async with context.database.transaction() as session:
        return _reply(await service.get_partner(session, partner_id=partner_id))


@router.post("/v1/partners/{partner_id}/suspension")
async def suspend_partner(
    partner_id: PartnerId, body: Reason, context: Ctx, staff: Staff
) -> PartnerReply:
    """The partner's tokens stop counting with the next call."""
    async with context.database.transaction() as session:
        partner = await service.set_state(
            session,
            partner_id=partner_id,
            state="suspended",
            staff_id=staff.staff_id or "",
            reason=body.reason,
            now=context.clock(),
        )
    context.published()
    return _reply(partner)


@router.post("/v1/partners/{partner_id}/reinstatement")
async def reinstate_partner(
    partner_id: PartnerId, body: Reason, context: Ctx, staff: Staff
) -> PartnerReply:
    async with context.database.transaction() as session:
        partner = await service.set_state(
            session,
            partner_id=partner_id,
            state="active",
            staff_id=staff.staff_id or "",
            reason=body.reason,
            now=context.clock(),
        )
    context.published()
    return _reply(partner)
