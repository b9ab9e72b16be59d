"""HTTP of profiles. A customer sees the customer's own; a partner nothing."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path

from services.profiles import service
from services.profiles.data import Rules
from shared.contracts.http import profiles as contract
from shared.contracts.values import CustomerId
from shared.kit.app import Context, Ctx
from shared.kit.auth import Caller, allow
from shared.kit.clock import bank_date
from shared.kit.idempotency import IdempotencyKey, once_in
from shared.kit.problems import Forbidden

router = APIRouter(prefix="/v1/customers/{customer_id}", tags=["profiles"])

STAFF = ("operator", "reviewer", "admin")
ByCustomer = Annotated[Caller, Depends(allow("gateway"))]
ByCustomerOrStaff = Annotated[Caller, Depends(allow("gateway", roles=STAFF))]
CustomerPath = Annotated[CustomerId, Path()]


def require_own(caller: Caller, customer_id: str) -> None:
    """Let staff pass, and a customer to the customer's own data.

    Raises:
        Forbidden: a partner calls, or the session belongs to another customer or to none.
    """
    if caller.partner_id is not None:
        raise Forbidden("A partner sees no profile")
    if caller.staff_id is None and caller.customer_id != customer_id:
        raise Forbidden(
            "The session belongs to another customer",
            field="customer_id",
            expected="the customer of the session",
        )


def rules_of(context: Context) -> Rules:
    """What the start-up has loaded."""
    rules: Rules = context.resources["rules"]
    return rules


@router.get("/profile")
async def get_profile(
    context: Ctx, caller: ByCustomerOrStaff, customer_id: CustomerPath
) -> contract.Profile:
    """Totals, habits, tags, segments and grade of a customer."""
    require_own(caller, customer_id)
    async with context.database.transaction() as session:
        return await service.profile(
            session,
            rules=rules_of(context),
            customer_id=customer_id,
            today=bank_date(context.clock()),
        )


@router.get("/next-offer")
async def get_next_offer(
    context: Ctx, caller: ByCustomerOrStaff, customer_id: CustomerPath
) -> contract.NextOffer:
    """What to show next, and why; the same for everybody who did not agree to marketing."""
    require_own(caller, customer_id)
    async with context.database.transaction() as session:
        return await service.offer(
            session,
            rules=rules_of(context),
            customer_id=customer_id,
            today=bank_date(context.clock()),
        )


@router.get("/marketing-consent")
async def get_marketing_consent(
    context: Ctx, caller: ByCustomerOrStaff, customer_id: CustomerPath
) -> contract.MarketingConsent:
    """Whether the customer agreed to personalized marketing, and when that was said."""
    require_own(caller, customer_id)
    async with context.database.transaction() as session:
        return await service.marketing_consent(session, customer_id=customer_id)


@router.put("/marketing-consent")
async def set_marketing_consent(
    context: Ctx,
    caller: ByCustomer,
    customer_id: CustomerPath,
    key: IdempotencyKey,
    body: contract.SetMarketingConsent,
) -> contract.MarketingConsent:
    """Agree or take it back. The customer says so; nobody for the customer, staff neither."""
    require_own(caller, customer_id)
    now = context.clock()
    return await once_in(
        context,
        scope=f"{customer_id}:set_marketing_consent",
        key=key,
        body=body,
        reply=contract.MarketingConsent,
        act=lambda session: service.set_marketing_consent(
            session, customer_id=customer_id, granted=body.granted, now=now
        ),
    )
