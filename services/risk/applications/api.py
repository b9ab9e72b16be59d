"""HTTP routes of applications, for the gateway, which speaks for the customer."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query

from services.risk.api import engine_of
from services.risk.applications import flows, service
from services.risk.applications.domain import Applied, Product, Wish
from shared.contracts.http import risk_applications as contract
from shared.contracts.values import CustomerId
from shared.kit.app import Context, Ctx
from shared.kit.auth import Caller, allow
from shared.kit.idempotency import body_hash
from shared.kit.problems import Forbidden

Gateway = Annotated[Caller, Depends(allow("gateway"))]
CustomerPath = Annotated[CustomerId, Path()]
PageSize = Annotated[int, Query(ge=1, le=100)]

router = APIRouter(prefix="/v1", tags=["applications"])


@router.post("/account-applications")
async def apply_for_account(
    body: contract.ApplyForAccount, context: Ctx, caller: Gateway
) -> contract.ApplicationReply:
    """Decide whether an account is opened. The application's id is the idempotency key."""
    return await _apply(context, caller, "account_opening", body)


@router.post("/loan-applications")
async def apply_for_loan(
    body: contract.ApplyForLoan, context: Ctx, caller: Gateway
) -> contract.ApplicationReply:
    """Decide on a loan: whether, up to which limit, at which price. The id as above."""
    return await _apply(context, caller, "loan", body)


@router.post("/card-applications")
async def apply_for_card(
    body: contract.ApplyForCard, context: Ctx, caller: Gateway
) -> contract.ApplicationReply:
    """Decide on a credit card: whether, up to which limit, at which price. The id as above."""
    return await _apply(context, caller, "card", body)


@router.get("/customers/{customer_id}/applications")
async def list_applications(
    customer_id: CustomerPath,
    context: Ctx,
    caller: Gateway,
    before: UUID | None = None,
    limit: PageSize = 20,
) -> contract.ApplicationPage:
    """A customer's own applications as they stand, the youngest first."""
    _check_own(caller, customer_id)
    async with context.database.transaction() as session:
        return await service.page(session, customer_id=customer_id, before=before, limit=limit)


@router.get("/customers/{customer_id}/applications/{application_id}")
async def read_application(
    customer_id: CustomerPath, application_id: UUID, context: Ctx, caller: Gateway
) -> contract.ApplicationReply:
    """How it stands: with what a person has said, where one has."""
    _check_own(caller, customer_id)
    async with context.database.transaction() as session:
        return await service.read(session, application_id=application_id, customer_id=customer_id)


async def _apply(
    context: Context, caller: Caller, product: Product, body: contract.Application
) -> contract.ApplicationReply:
    _check_own(caller, body.customer_id)
    said = {name: getattr(body, name, None) for name in Wish.__slots__}
    wish = Wish(**said)
    applied = Applied(
        application_id=body.application_id,
        product=product,
        customer_id=body.customer_id,
        body_hash=body_hash(body),
        channel=body.channel,
        requested_minor=wish.requested_minor,
        term_months=wish.term_months,
        device_id=body.device_id,
        applied_at=context.clock(),
    )
    return await flows.apply(
        context,
        engine=engine_of(context),
        applied=applied,
        wish=wish,
        ip_address=body.ip_address,
        phone=body.phone,
    )


def _check_own(caller: Caller, customer_id: str) -> None:
    if caller.customer_id != customer_id:
        raise Forbidden(
            "The call speaks for another customer",
            field="customer_id",
            expected="the customer of the internal token",
        )
