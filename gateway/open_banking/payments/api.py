"""Routes of UK Open Banking: domestic payments and their consents."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Request, Response

from gateway import resources
from gateway.consents.domain import PaymentConsent
from gateway.oauth.callers import GrantCaller, PartnerCaller, granted, partner_with
from gateway.open_banking import clients
from gateway.open_banking.api import address
from gateway.open_banking.domain import MEDIA_TYPE, PREFIX, ResourceNotFound, minor_of, written
from gateway.open_banking.payments import domain, repository, service, signatures
from gateway.open_banking.payments.domain import LIFETIME, PAYMENT, DomesticConsent
from gateway.open_banking.payments.views import (
    DomesticConsentState,
    DomesticState,
    FundsAvailable,
    FundsData,
    Initiation,
    OBRisk1,
    OBWriteDomestic2,
    OBWriteDomesticConsent4,
    OBWriteDomesticConsentResponse5,
    OBWriteDomesticResponse5,
    OBWriteFundsConfirmationResponse1,
    Reason,
    plain,
)
from gateway.open_banking.views import Resource, one_page
from gateway.payments import flows as payments
from gateway.payments.api import CustomerAddress
from gateway.payments.views import CreatePayment, PaymentReply
from gateway.problems import PASSED_ON, answers
from gateway.registrations import service as registrations
from shared.contracts.http.payments import Party
from shared.kit import idempotency
from shared.kit.app import Context, Ctx
from shared.kit.clock import new_id

CONSENTS = f"{PREFIX}/pisp/domestic-payment-consents"
PAYMENTS = f"{PREFIX}/pisp/domestic-payments"
router = APIRouter(tags=["open banking"], responses=answers(401, 403, 429, 503))

Client = Annotated[PartnerCaller, Depends(partner_with("payments"))]
Payer = Annotated[GrantCaller, Depends(granted("payments"))]
Key = Annotated[
    str,
    Header(
        alias="x-idempotency-key",
        min_length=1,
        max_length=40,
        pattern=r"^\S(.*\S)?$",
        description="Your own unique word for this write",
    ),
]
Signature = Annotated[
    str | None, Header(alias="x-jws-signature", description="A detached JWS of the body")
]
_REFUSALS = (
    "scheme_refused",
    "amount_refused",
    "idempotency_key_reused",
    "signature_missing",
    "signature_malformed",
    "signature_claim_missing",
    "signature_claim_refused",
    "signature_refused",
)


@router.post(
    CONSENTS,
    status_code=201,
    response_model=OBWriteDomesticConsentResponse5,
    responses=answers(400, codes=_REFUSALS),
)
async def create_consent(
    body: OBWriteDomesticConsent4,
    request: Request,
    context: Ctx,
    client: Client,
    key: Key,
    signature: Signature = None,
) -> Response:
    """Say what is to be paid; then send the customer to authorize this very payment."""
    now = context.clock()
    await _check_signature(request, context, client.client_id, signature, now)
    own = _own_consent(body.Data.Initiation, partner_id=client.partner_id, now=now)
    consent = DomesticConsent(
        consent_id=own.consent_id,
        client_id=client.client_id,
        request=plain(body),
        payment_id=None,
        created_at=now,
    )
    url = address(request, context)
    async with context.database.transaction() as session:

        async def create() -> OBWriteDomesticConsentResponse5:
            await service.create(session, consent=consent, own=own, now=now)
            return _consent_document(consent, own, url=f"{url}/{own.consent_id}", now=now)

        document = await idempotency.once(
            session,
            scope=f"{client.client_id} domestic-payment-consents",
            key=key,
            body=body,
            now=now,
            reply=OBWriteDomesticConsentResponse5,
            act=create,
        )
    return await _said(context, document, status=201)


@router.get(CONSENTS + "/{consent_id}", response_model=OBWriteDomesticConsentResponse5)
async def read_consent(
    consent_id: UUID, request: Request, context: Ctx, client: Client
) -> Response:
    """`COND` once its payment was made."""
    async with context.database.transaction() as session:
        consent, own = await service.of_client(
            session, consent_id=consent_id, client_id=client.client_id
        )
    url = address(request, context)
    return await _said(context, _consent_document(consent, own, url=url, now=context.clock()))


@router.get(
    CONSENTS + "/{consent_id}/funds-confirmation",
    response_model=OBWriteFundsConfirmationResponse1,
    responses=answers(400, codes=("consent_mismatch",)),
)
async def confirm_funds(consent_id: UUID, request: Request, context: Ctx, payer: Payer) -> Response:
    """Whether the account that the customer chose carries the amount now."""
    async with context.database.transaction() as session:
        _, own = await service.of_grant(
            session,
            consent_id=str(consent_id),
            granted_id=payer.grant.consent_id,
            client_id=payer.client_id,
        )
    accounts = await clients.usable_accounts(
        context, customer_id=payer.grant.customer_id, among=payer.grant.accounts
    )
    available = accounts[0].balance.available_minor if accounts else 0
    links, meta = one_page(address(request, context))
    result = FundsAvailable(
        FundsAvailableDateTime=written(context.clock()),
        FundsAvailable=available is None or available >= own.limit_minor,
    )
    data = FundsData(FundsAvailableResult=result)
    document = OBWriteFundsConfirmationResponse1(Data=data, Links=links, Meta=meta)
    return await _said(context, document)


@router.post(
    PAYMENTS,
    status_code=201,
    response_model=OBWriteDomesticResponse5,
    responses=answers(
        400,
        codes=(*_REFUSALS, "consent_mismatch", "consent_consumed", "payment_pending", *PASSED_ON),
    ),
)
async def create_payment(
    body: OBWriteDomestic2,
    request: Request,
    context: Ctx,
    payer: Payer,
    key: Key,
    signature: Signature = None,
    customer_address: CustomerAddress = None,
) -> Response:
    """Pay what the customer authorized, once. After a 503 send the same again."""
    now = context.clock()
    await _check_signature(request, context, payer.client_id, signature, now)
    claim_key = f"{payer.client_id} {key}"
    async with context.database.transaction() as session:
        consent, own = await service.of_grant(
            session,
            consent_id=body.Data.ConsentId,
            granted_id=payer.grant.consent_id,
            client_id=payer.client_id,
        )
        consented = consent.request
        asked = plain(body)
        domain.check_same(
            consented["Data"]["Initiation"], asked["Data"]["Initiation"], field="Data.Initiation"
        )
        domain.check_same(consented["Risk"], asked["Risk"], field="Risk")
        await service.check_unused(
            session, consent=consent, partner_id=payer.partner_id, key=claim_key
        )
    reply = await payments.pay(
        context,
        partner_id=payer.partner_id,
        key=claim_key,
        body=_payment(body.Data.Initiation, own),
        ip_address=customer_address,
        deadline_ms=resources.of(context).settings.payment_deadline_ms,
    )
    payment = PaymentReply.model_validate_json(reply)
    async with context.database.transaction() as session:
        await repository.note_payment(
            session, consent_id=consent.consent_id, payment_id=payment.payment_id
        )
    url = f"{address(request, context)}/{payment.payment_id}"
    return await _said(context, _payment_document(payment, consent, url=url), status=201)


@router.get(
    PAYMENTS + "/{payment_id}",
    response_model=OBWriteDomesticResponse5,
    responses=answers(400, codes=("resource_not_found",)),
)
async def read_payment(
    payment_id: UUID, request: Request, context: Ctx, client: Client
) -> Response:
    """The payment as it is now."""
    async with context.database.transaction() as session:
        consent = await repository.find_by_payment(session, payment_id=payment_id)
    if consent is None or consent.client_id != client.client_id:
        raise ResourceNotFound(field="DomesticPaymentId", expected="a payment of this client")
    payment = await payments.read_payment(
        context, payment_id=payment_id, partner_id=client.partner_id
    )
    return await _said(context, _payment_document(payment, consent, url=address(request, context)))


async def _check_signature(
    request: Request, context: Context, client_id: str, signature: str | None, now: datetime
) -> None:
    async with context.database.transaction() as session:
        client = await registrations.get_client(session, client_id=client_id)
    signatures.verify(signature, body=await request.body(), client=client, now=now)


async def _said(context: Context, document: Resource, *, status: int = 200) -> Response:
    """The document, with the bank's signature of its bytes."""
    now, own = context.clock(), resources.of(context)
    key = await own.token_keys.signing(context.database, now=now, algorithm="PS256")
    content, signature = signatures.signed(
        plain(document), key=key, issuer=own.settings.public_url, now=now
    )
    headers = {signatures.HEADER: signature}
    return Response(content, status_code=status, media_type=MEDIA_TYPE, headers=headers)


def _own_consent(asked: Initiation, *, partner_id: str, now: datetime) -> PaymentConsent:
    """The bank's own consent for exactly this payment. Raises `SchemeRefused`, `AmountRefused`."""
    creditor, debtor, amount = asked.CreditorAccount, asked.DebtorAccount, asked.InstructedAmount
    field = "Data.Initiation"
    domain.check_scheme(creditor.SchemeName, field=f"{field}.CreditorAccount.SchemeName")
    if debtor is not None:
        domain.check_scheme(debtor.SchemeName, field=f"{field}.DebtorAccount.SchemeName")
    return PaymentConsent(
        consent_id=new_id(),
        partner_id=partner_id,
        payee_account=creditor.Identification,
        payee_name=creditor.Name,
        currency=amount.Currency,
        limit_minor=minor_of(
            amount.Amount, amount.Currency, field=f"{field}.InstructedAmount.Amount"
        ),
        used_minor=0,
        expires_at=now + LIFETIME,
        debtor_account=debtor.Identification if debtor else None,
        debtor_named=debtor is not None,
        redirect_uri=None,
        stored_state="awaiting_authorization",
        customer_id=None,
        code_failures=0,
        created_at=now,
        updated_at=now,
    )


def _payment(asked: Initiation, own: PaymentConsent) -> CreatePayment:
    remarks = asked.RemittanceInformation
    return CreatePayment(
        consent_id=own.consent_id,
        amount_minor=own.limit_minor,
        currency=own.currency,
        creditor=Party(account_id=own.payee_account, name=own.payee_name),
        end_to_end_id=asked.EndToEndIdentification,
        remittance=remarks.Unstructured[0] if remarks and remarks.Unstructured else None,
    )


def _consent_document(
    consent: DomesticConsent, own: PaymentConsent, *, url: str, now: datetime
) -> OBWriteDomesticConsentResponse5:
    links, meta = one_page(url)
    state = DomesticConsentState.model_validate(
        {
            **consent.request["Data"],
            "ConsentId": str(consent.consent_id),
            "CreationDateTime": written(consent.created_at),
            "Status": consent.status(own, now=now),
            "StatusUpdateDateTime": written(own.updated_at),
        }
    )
    risk = OBRisk1.model_validate(consent.request["Risk"])
    return OBWriteDomesticConsentResponse5(Data=state, Risk=risk, Links=links, Meta=meta)


def _payment_document(
    payment: PaymentReply, consent: DomesticConsent, *, url: str
) -> OBWriteDomesticResponse5:
    links, meta = one_page(url)
    reasons = [
        Reason(StatusReasonCode="NARR", StatusReasonDescription=code)
        for code in payment.reason_codes
    ]
    state = DomesticState(
        DomesticPaymentId=str(payment.payment_id),
        ConsentId=str(consent.consent_id),
        CreationDateTime=written(payment.received_at),
        Status=PAYMENT[payment.state],
        StatusUpdateDateTime=written(payment.updated_at),
        StatusReason=reasons or None,
        Initiation=Initiation.model_validate(consent.request["Data"]["Initiation"]),
    )
    return OBWriteDomesticResponse5(Data=state, Links=links, Meta=meta)
