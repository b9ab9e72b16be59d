"""HTTP routes of the outside data: consent for customers, state and cost for staff."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from services.risk.sources import books, consents, views
from services.risk.sources.service import sources_of
from shared.contracts.http import risk_sources as contract
from shared.contracts.values import CustomerId
from shared.kit.app import Ctx
from shared.kit.auth import Caller, allow
from shared.kit.idempotency import IdempotencyKey, once_in
from shared.kit.problems import Forbidden

Gateway = Annotated[Caller, Depends(allow("gateway"))]
GatewayOrStaff = Annotated[Caller, Depends(allow("gateway", roles=("operator", "reviewer")))]
Viewer = Annotated[Caller, Depends(allow(roles=("operator", "reviewer")))]
Operator = Annotated[Caller, Depends(allow(roles=("operator",)))]
CustomerPath = Annotated[CustomerId, Path()]
Month = Annotated[str | None, Query(pattern=r"^2[0-9]{3}-(0[1-9]|1[0-2])$")]

router = APIRouter(prefix="/v1", tags=["sources"])


@router.get("/customers/{customer_id}/source-consents")
async def read_consents(
    customer_id: CustomerPath, context: Ctx, caller: GatewayOrStaff
) -> contract.SourceConsents:
    """What the customer allows the bank to ask of others, and what was said of it before."""
    _check_own(caller, customer_id)
    async with context.database.transaction() as session:
        return await consents.read(session, customer_id=customer_id, now=context.clock())


@router.put("/customers/{customer_id}/source-consents/{source}/{purpose}")
async def set_consent(
    customer_id: CustomerPath,
    source: contract.Source,
    purpose: contract.Purpose,
    body: contract.SetSourceConsent,
    context: Ctx,
    caller: Gateway,
    key: IdempotencyKey,
) -> contract.SourceConsent:
    """Allow, or take back. The customer says so; nobody for the customer, staff neither."""
    _check_own(caller, customer_id)
    now = context.clock()
    return await once_in(
        context,
        scope=f"{customer_id} source-consent {source} {purpose}",
        key=key,
        body=body,
        reply=contract.SourceConsent,
        act=lambda session: consents.state(
            session,
            customer_id=customer_id,
            source=source,
            purpose=purpose,
            granted=body.granted,
            until=body.until,
            now=now,
        ),
    )


@router.get("/sources")
async def list_sources(context: Ctx, _: Viewer) -> views.SourceStates:
    """Every source: its terms, its circuit breaker in this process, its last day."""
    async with context.database.transaction() as session:
        return await books.states(
            session, sources=sources_of(context), process=context.member, now=context.clock()
        )


@router.get("/source-costs")
async def list_costs(
    context: Ctx, _: Operator, since: Month = None, until: Month = None
) -> views.SourceCosts:
    """What the sources cost, by month and source; the last twelve months by themselves."""
    async with context.database.transaction() as session:
        return await books.costs(session, since=since, until=until, now=context.clock())


def _check_own(caller: Caller, customer_id: str) -> None:
    if caller.staff_id is None and caller.customer_id != customer_id:
        raise Forbidden(
            "The call speaks for another customer",
            field="customer_id",
            expected="the customer of the internal token",
        )
