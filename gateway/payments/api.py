"""Routes of partners: payments."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Response

from gateway import resources
from gateway.oauth.callers import PartnerCaller, partner_with
from gateway.payments import flows
from gateway.payments.views import CreatePayment, PaymentReply, PaymentReplyPage
from gateway.problems import PASSED_ON, answers
from shared.contracts.values import IpAddress
from shared.kit.app import Ctx
from shared.kit.idempotency import IdempotencyKey

router = APIRouter(tags=["payments"])

Partner = Annotated[PartnerCaller, Depends(partner_with("payments"))]
#: The header of UK Open Banking and of FAPI for the address of the customer's own client.
CustomerAddress = Annotated[
    IpAddress | None,
    Header(
        alias="x-fapi-customer-ip-address",
        description="The customer's IP address, where the customer is there",
    ),
]
MAX_PAGE = 100


@router.post(
    "/v1/payments",
    status_code=201,
    response_model=PaymentReply,
    responses=answers(
        400,
        401,
        403,
        404,
        409,
        413,
        422,
        429,
        503,
        codes=(
            "consent_not_authorized",
            "consent_not_found",
            "consent_payee_mismatch",
            "consent_currency_mismatch",
            "consent_limit_exceeded",
            "idempotency_key_reused",
            "payment_pending",
            *PASSED_ON,
        ),
    ),
)
async def create_payment(
    body: CreatePayment,
    context: Ctx,
    partner: Partner,
    idempotency_key: IdempotencyKey,
    customer_address: CustomerAddress = None,
) -> Response:
    """Pay under a consent: the answer says `settled`, `rejected` with reasons, or `in_review`.

    After a 503 or no answer at all, send the same body with the same key again: it has one
    effect and you get its answer. A refusal (4xx) leaves nothing behind.
    """
    reply = await flows.pay(
        context,
        partner_id=partner.partner_id,
        key=idempotency_key,
        body=body,
        ip_address=customer_address,
        deadline_ms=resources.of(context).settings.payment_deadline_ms,
    )
    return Response(reply, status_code=201, media_type="application/json")


@router.get("/v1/payments", responses=answers(401, 403, 422, 429, 503))
async def list_payments(
    context: Ctx,
    partner: Partner,
    before: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 20,
) -> PaymentReplyPage:
    """Your payments, the youngest first."""
    return await flows.list_payments(
        context, partner_id=partner.partner_id, before=before, limit=limit
    )


@router.get(
    "/v1/payments/{payment_id}",
    responses=answers(401, 403, 404, 422, 429, 503, codes=("payment_not_found",)),
)
async def get_payment(payment_id: UUID, context: Ctx, partner: Partner) -> PaymentReply:
    return await flows.read_payment(context, payment_id=payment_id, partner_id=partner.partner_id)
