"""HTTP routes of payments: one call into `flows` or `service` each."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Response

from services.payments import flows, service
from services.payments.domain import Payment, shown_reasons
from shared.contracts.http import payments as contract
from shared.contracts.values import AccountId, CustomerId, PartnerId
from shared.kit.app import Ctx
from shared.kit.auth import Caller, allow
from shared.kit.idempotency import IdempotencyKey
from shared.kit.problems import Forbidden
from shared.kit.replies import written

Gateway = Annotated[Caller, Depends(allow("gateway"))]
Operator = Annotated[Caller, Depends(allow(roles=("operator",)))]
Reviewer = Annotated[Caller, Depends(allow(roles=("reviewer",)))]
Viewer = Annotated[Caller, Depends(allow("gateway", roles=("operator", "reviewer")))]
CustomerPath = Annotated[CustomerId, Path()]
PageSize = Annotated[int, Query(ge=1, le=100)]

router = APIRouter(prefix="/v1", tags=["payments"])


@router.post("/payments", status_code=201, response_model=contract.Payment)
async def initiate_payment(
    body: contract.InitiatePayment, context: Ctx, caller: Gateway, key: IdempotencyKey
) -> Response:
    """Take a payment; the key is its id. A repeat answers the same payment as it is now."""
    payment = await flows.initiate(context, body=body, idempotency_key=key, caller=caller)
    return written(_reply(payment), status=201)


@router.get("/payments")
async def list_payments(
    context: Ctx,
    caller: Viewer,
    customer_id: CustomerId | None = None,
    partner_id: PartnerId | None = None,
    debtor_account: AccountId | None = None,
    state: contract.PaymentState | None = None,
    before: UUID | None = None,
    limit: PageSize = 50,
) -> contract.PaymentPage:
    """Payments that match, newest first; a partner and a customer see their own."""
    own_customer, own_partner = _bounds(caller)
    _check_own("customer_id", customer_id, own_customer)
    _check_own("partner_id", partner_id, own_partner)
    async with context.database.transaction() as session:
        items, next_before = await service.payment_page(
            session,
            customer_id=own_customer or customer_id,
            partner_id=own_partner or partner_id,
            debtor_account=debtor_account,
            state=state,
            before=before,
            limit=limit,
        )
    return contract.PaymentPage(items=[_reply(item) for item in items], next_before=next_before)


@router.get("/payments/{payment_id}")
async def read_payment(payment_id: UUID, context: Ctx, caller: Viewer) -> contract.Payment:
    """One payment; somebody else's is as if there were none."""
    own_customer, own_partner = _bounds(caller)
    async with context.database.transaction() as session:
        payment = await service.payment_of(
            session, payment_id=payment_id, customer_id=own_customer, partner_id=own_partner
        )
    return _reply(payment)


@router.post("/payments/{payment_id}/review")
async def review_payment(
    payment_id: UUID, body: contract.ReviewPayment, context: Ctx, caller: Reviewer
) -> contract.Payment:
    """Say what becomes of a payment in review. Once; the same word again changes nothing."""
    payment = await flows.review(
        context,
        payment_id=payment_id,
        verdict=body.outcome,
        reason=body.reason,
        staff_id=caller.staff_id or "",
    )
    return _reply(payment)


@router.get("/customers/{customer_id}/payees")
async def list_payees(
    customer_id: CustomerPath, context: Ctx, caller: Viewer
) -> contract.PayeeList:
    """Whom the customer has paid, the most paid first. A partner is not told."""
    own_customer, own_partner = _bounds(caller)
    if own_partner is not None:
        raise Forbidden("A partner does not see a customer's payees")
    _check_own("customer_id", customer_id, own_customer)
    async with context.database.transaction() as session:
        found = await service.payees(session, customer_id=customer_id)
    items = [contract.Payee.model_validate(row, from_attributes=True) for row in found]
    return contract.PayeeList(items=items)


@router.post("/standing-orders/bulk")
async def import_standing_orders(
    body: contract.StandingOrders, context: Ctx, caller: Operator
) -> contract.BulkCount:
    """Take standing orders of a book, inactive. All or none; a repeat changes nothing."""
    async with context.database.transaction() as session:
        reply = await service.import_orders(
            session, orders=body.orders, staff_id=caller.staff_id or "", now=context.clock()
        )
    context.published()
    return reply


@router.get("/standing-orders")
async def list_standing_orders(
    context: Ctx, caller: Viewer, debtor_account: AccountId
) -> contract.StandingOrderList:
    """Of one account. The gateway asks for a customer whose right to the account it knows."""
    if caller.staff_id is None and caller.customer_id is None:
        raise Forbidden("The call is made for no customer")
    async with context.database.transaction() as session:
        found = await service.orders(session, debtor_account=debtor_account)
    items = [contract.StandingOrderState.model_validate(row, from_attributes=True) for row in found]
    return contract.StandingOrderList(items=items)


def _bounds(caller: Caller) -> tuple[str | None, str | None]:
    """The customer and the partner that the caller is bound to; staff is bound to neither.

    Raises:
        Forbidden: the gateway asks for nobody.
    """
    if caller.staff_id is not None:
        return None, None
    if caller.customer_id is None and caller.partner_id is None:
        raise Forbidden("The call is made for no customer and for no partner")
    return caller.customer_id, caller.partner_id


def _check_own(field: str, asked: str | None, own: str | None) -> None:
    if own is not None and asked not in {None, own}:
        raise Forbidden("The caller may see its own alone", field=field, expected="its own")


def _reply(payment: Payment) -> contract.Payment:
    return contract.Payment(
        payment_id=payment.payment_id,
        state=payment.state,
        customer_id=payment.customer_id,
        partner_id=payment.partner_id,
        consent_id=payment.consent_id,
        debtor_account=payment.debtor_account,
        creditor=contract.Party(account_id=payment.creditor_account, name=payment.creditor_name),
        amount_minor=payment.amount_minor,
        currency=payment.currency,
        end_to_end_id=payment.end_to_end_id,
        remittance=payment.remittance,
        channel=payment.channel,
        reason_codes=list(shown_reasons(payment)),
        risk_score=payment.risk_score,
        transfer_id=payment.transfer_id,
        trace_id=payment.trace_id,
        received_at=payment.received_at,
        updated_at=payment.updated_at,
    )
