"""Routes of applications, for customers in their own session: apply, see, understand, object."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from gateway import clients
from gateway.applications import flows
from gateway.applications.views import AccountWish, CardWish, LoanWish
from gateway.customers.callers import Customer
from shared.contracts.http.risk import AskForPerson, Explanation
from shared.contracts.http.risk_applications import ApplicationPage, ApplicationReply
from shared.kit.app import Ctx
from shared.kit.idempotency import IdempotencyKey

router = APIRouter(tags=["applications"], include_in_schema=False)

PageSize = Annotated[int, Query(ge=1, le=100)]


@router.post("/v1/me/account-applications", status_code=201)
async def apply_for_account(
    body: AccountWish, context: Ctx, customer: Customer, key: IdempotencyKey
) -> ApplicationReply:
    """Apply for an account."""
    return await flows.apply(context, customer_id=customer.customer_id, wish=body, key=key)


@router.post("/v1/me/loan-applications", status_code=201)
async def apply_for_loan(
    body: LoanWish, context: Ctx, customer: Customer, key: IdempotencyKey
) -> ApplicationReply:
    """Apply for a loan: the answer says up to which limit, at which price, or why not."""
    return await flows.apply(context, customer_id=customer.customer_id, wish=body, key=key)


@router.post("/v1/me/card-applications", status_code=201)
async def apply_for_card(
    body: CardWish, context: Ctx, customer: Customer, key: IdempotencyKey
) -> ApplicationReply:
    """Apply for a credit card; the answer as for a loan."""
    return await flows.apply(context, customer_id=customer.customer_id, wish=body, key=key)


@router.get("/v1/me/applications")
async def my_applications(
    context: Ctx, customer: Customer, before: UUID | None = None, limit: PageSize = 20
) -> ApplicationPage:
    """One's own applications as they stand, the youngest first."""
    params = {"limit": str(limit)} | ({"before": str(before)} if before else {})
    return await clients.ask(
        context,
        "risk",
        "GET",
        f"/v1/customers/{customer.customer_id}/applications",
        customer_id=customer.customer_id,
        reply=ApplicationPage,
        params=params,
    )


@router.get("/v1/me/applications/{application_id}")
async def my_application(
    application_id: UUID, context: Ctx, customer: Customer
) -> ApplicationReply:
    """How it stands, with what a person has said."""
    return await clients.ask(
        context,
        "risk",
        "GET",
        f"/v1/customers/{customer.customer_id}/applications/{application_id}",
        customer_id=customer.customer_id,
        reply=ApplicationReply,
    )


@router.get("/v1/me/applications/{application_id}/explanation")
async def explain_my_application(
    application_id: UUID, context: Ctx, customer: Customer
) -> Explanation:
    """Why an application of one's own went as it did, and what can be done."""
    return await clients.ask(
        context,
        "risk",
        "GET",
        f"/v1/customers/{customer.customer_id}/decisions/{application_id}/explanation",
        customer_id=customer.customer_id,
        reply=Explanation,
    )


@router.put("/v1/me/applications/{application_id}/person-request")
async def ask_for_person(
    application_id: UUID, body: AskForPerson, context: Ctx, customer: Customer
) -> Explanation:
    """Asks that a person looks at the decision; again is the same as once."""
    return await clients.ask(
        context,
        "risk",
        "PUT",
        f"/v1/customers/{customer.customer_id}/decisions/{application_id}/person-request",
        customer_id=customer.customer_id,
        reply=Explanation,
        body=body,
    )
