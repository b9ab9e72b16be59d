"""HTTP of the advisor. A customer answers in a session of the customer's own; a partner never."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from services.advisor import service
from services.advisor.data import Rules
from shared.contracts.http import advisor as contract
from shared.contracts.values import CustomerId, Lang
from shared.kit.app import Context, Ctx
from shared.kit.auth import Caller, allow
from shared.kit.clock import bank_date
from shared.kit.idempotency import IdempotencyKey, once_in
from shared.kit.problems import Forbidden

router = APIRouter(prefix="/v1", tags=["advisor"])

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
        raise Forbidden("A partner never acts in the advisor")
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


@router.get("/questionnaire")
async def get_questionnaire(
    context: Ctx, caller: ByCustomerOrStaff, lang: Annotated[Lang, Query()] = "zh"
) -> contract.Questionnaire:
    """The questionnaire that is asked now, in Chinese or in English."""
    if caller.partner_id is not None:
        raise Forbidden("A partner never acts in the advisor")
    return service.questionnaire(rules_of(context), lang=lang)


@router.post("/assessments", status_code=201)
async def complete_assessment(
    context: Ctx, caller: ByCustomer, key: IdempotencyKey, body: contract.CompleteAssessment
) -> contract.Assessment:
    """Answer the questionnaire. Nobody answers for a customer, staff neither."""
    require_own(caller, body.customer_id)
    now = context.clock()
    return await once_in(
        context,
        scope=f"{body.customer_id}:complete_assessment",
        key=key,
        body=body,
        reply=contract.Assessment,
        act=lambda session: service.complete_assessment(
            session, rules=rules_of(context), body=body, now=now
        ),
    )


@router.get("/customers/{customer_id}/assessment")
async def get_assessment(
    context: Ctx, caller: ByCustomerOrStaff, customer_id: CustomerPath
) -> contract.Assessment:
    """The customer's latest assessment."""
    require_own(caller, customer_id)
    async with context.database.transaction() as session:
        return await service.latest_assessment(
            session, customer_id=customer_id, today=bank_date(context.clock())
        )


@router.get("/customers/{customer_id}/products")
async def list_suitable_products(
    context: Ctx, caller: ByCustomerOrStaff, customer_id: CustomerPath
) -> contract.SuitableProducts:
    """The products that suit the customer; none without a live grade."""
    require_own(caller, customer_id)
    async with context.database.transaction() as session:
        return await service.suitable_products(
            session,
            rules=rules_of(context),
            customer_id=customer_id,
            today=bank_date(context.clock()),
        )


@router.post("/suitability-checks")
async def check_suitability(
    context: Ctx, caller: ByCustomerOrStaff, body: contract.CheckSuitability
) -> contract.Suitability:
    """Whether a product suits a customer, with the reason. Writes nothing."""
    require_own(caller, body.customer_id)
    async with context.database.transaction() as session:
        return await service.check_suitability(
            session, rules=rules_of(context), body=body, today=bank_date(context.clock())
        )
