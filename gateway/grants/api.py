"""Routes of customers: what they have allowed, and taking it back."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from gateway.customers.callers import Customer
from gateway.grants import service
from gateway.grants.domain import CustomerGrant, GrantState
from gateway.registrations import service as registrations
from shared.contracts.values import Reply
from shared.kit.app import Ctx
from shared.kit.database import Session

router = APIRouter(tags=["customers"], include_in_schema=False)


class GrantReply(Reply):
    """What the customer allowed whom; `last_used_at` tells when it was used last."""

    grant_id: UUID
    client_id: str
    client_name: str
    scopes: list[str]
    consent_id: str | None
    accounts: list[str]
    state: GrantState
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None


class GrantPage(Reply):
    items: list[GrantReply]
    next_before: UUID | None


async def _reply(session: Session, grant: CustomerGrant, now: datetime) -> GrantReply:
    client = await registrations.get_client(session, client_id=grant.client_id)
    return GrantReply(
        grant_id=grant.grant_id,
        client_id=grant.client_id,
        client_name=client.name,
        scopes=list(grant.scopes),
        consent_id=grant.consent_id,
        accounts=list(grant.accounts),
        state=grant.state(now=now),
        created_at=grant.created_at,
        expires_at=grant.expires_at,
        last_used_at=grant.last_used_at,
    )


@router.get("/v1/me/grants")
async def my_grants(
    context: Ctx,
    customer: Customer,
    before: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> GrantPage:
    """Every app that the customer let in, the youngest first."""
    now = context.clock()
    async with context.database.transaction() as session:
        found = await service.of_customer(
            session, customer_id=customer.customer_id, before=before, limit=limit
        )
        items = [await _reply(session, grant, now) for grant in found]
    return GrantPage(items=items, next_before=found[-1].grant_id if len(found) == limit else None)


@router.post("/v1/me/grants/{grant_id}/revocation")
async def revoke_my_grant(grant_id: UUID, context: Ctx, customer: Customer) -> GrantReply:
    """Takes access back; again is the same as once. The client's tokens end with it."""
    now = context.clock()
    async with context.database.transaction() as session:
        grant = await service.revoke_by_customer(
            session, grant_id=grant_id, customer_id=customer.customer_id, now=now
        )
        return await _reply(session, grant, now)
