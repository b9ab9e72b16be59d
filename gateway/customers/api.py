"""Routes of customers in their own session. A partner's token is refused here."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from gateway import clients, resources
from gateway.consents import service as consents
from gateway.consents.api import PaymentConsentPage, PaymentConsentReply, reply_of
from gateway.customers import flows
from gateway.customers.callers import Customer, presented_session
from gateway.customers.views import AccountList, Answers, SuitabilityQuestion
from shared.contracts.http.advisor import (
    Assessment,
    Questionnaire,
    Suitability,
    SuitableProducts,
)
from shared.contracts.http.identity import CustomerSession, SignIn
from shared.contracts.http.payments import PaymentPage
from shared.contracts.http.profiles import (
    MarketingConsent,
    NextOffer,
    Profile,
    SetMarketingConsent,
)
from shared.contracts.http.risk import AskForPerson, Explanation, IdentifiersTold, TellIdentifiers
from shared.contracts.http.risk_sources import (
    Purpose,
    SetSourceConsent,
    Source,
    SourceConsent,
    SourceConsents,
)
from shared.contracts.values import Lang
from shared.kit.app import Ctx
from shared.kit.idempotency import IdempotencyKey

router = APIRouter(tags=["customers"], include_in_schema=False)

MAX_DEVICE = 200

PageSize = Annotated[int, Query(ge=1, le=100)]


@router.post("/v1/sessions", status_code=201)
async def sign_in(body: SignIn, request: Request, context: Ctx) -> CustomerSession:
    """Send the token as `Authorization: Bearer` from now on."""
    device = body.device or request.headers.get("user-agent", "")[:MAX_DEVICE] or None
    return await clients.sign_in(context, body=body.model_copy(update={"device": device}))


@router.delete("/v1/sessions/current", status_code=204)
async def sign_out(request: Request, context: Ctx) -> Response:
    """Ends the session; again is the same as once."""
    await flows.sign_out(context, session_token=presented_session(request))
    return Response(status_code=204)


@router.get("/v1/me/accounts")
async def my_accounts(context: Ctx, customer: Customer) -> AccountList:
    return await flows.my_accounts(context, customer_id=customer.customer_id)


@router.get("/v1/me/payments")
async def my_payments(
    context: Ctx, customer: Customer, before: UUID | None = None, limit: PageSize = 20
) -> PaymentPage:
    return await clients.list_payments(
        context, customer_id=customer.customer_id, before=before, limit=limit
    )


@router.get("/v1/me/payments/{payment_id}/explanation")
async def explain_my_payment(payment_id: UUID, context: Ctx, customer: Customer) -> Explanation:
    """Why a payment of one's own went as it did, and whether a person can be asked."""
    return await clients.ask(
        context,
        "risk",
        "GET",
        f"/v1/customers/{customer.customer_id}/decisions/{payment_id}/explanation",
        customer_id=customer.customer_id,
        reply=Explanation,
    )


@router.put("/v1/me/payments/{payment_id}/person-request")
async def ask_for_person(
    payment_id: UUID, body: AskForPerson, context: Ctx, customer: Customer
) -> Explanation:
    """Asks that a person looks at the decision; again is the same as once."""
    return await clients.ask(
        context,
        "risk",
        "PUT",
        f"/v1/customers/{customer.customer_id}/decisions/{payment_id}/person-request",
        customer_id=customer.customer_id,
        reply=Explanation,
        body=body,
    )


@router.put("/v1/me/identifiers")
async def tell_my_identifiers(
    body: TellIdentifiers, context: Ctx, customer: Customer
) -> IdentifiersTold:
    """The customer's own app tells the device that it runs on, and what else it knows."""
    return await clients.ask(
        context,
        "risk",
        "PUT",
        f"/v1/customers/{customer.customer_id}/identifiers",
        customer_id=customer.customer_id,
        reply=IdentifiersTold,
        body=body,
    )


@router.get("/v1/me/consents")
async def my_consents(
    context: Ctx, customer: Customer, before: UUID | None = None, limit: PageSize = 20
) -> PaymentConsentPage:
    async with context.database.transaction() as session:
        found = await consents.list_of_customer(
            session, customer_id=customer.customer_id, before=before, limit=limit
        )
    now, origin = context.clock(), resources.of(context).settings.public_url
    return PaymentConsentPage(
        items=[reply_of(consent, origin=origin, now=now, to_customer=True) for consent in found],
        next_before=found[-1].consent_id if len(found) == limit else None,
    )


@router.post("/v1/me/consents/{consent_id}/revocation")
async def revoke_my_consent(
    consent_id: UUID, context: Ctx, customer: Customer
) -> PaymentConsentReply:
    """Takes a consent back; again is the same as once. Payments accepted before go on."""
    now, origin = context.clock(), resources.of(context).settings.public_url
    async with context.database.transaction() as session:
        consent = await consents.revoke_by_customer(
            session, consent_id=consent_id, customer_id=customer.customer_id, now=now
        )
    return reply_of(consent, origin=origin, now=now, to_customer=True)


@router.get("/v1/me/profile")
async def my_profile(context: Ctx, customer: Customer) -> Profile:
    return await clients.ask(
        context,
        "profiles",
        "GET",
        f"/v1/customers/{customer.customer_id}/profile",
        customer_id=customer.customer_id,
        reply=Profile,
    )


@router.get("/v1/me/offer")
async def my_offer(context: Ctx, customer: Customer) -> NextOffer:
    return await clients.ask(
        context,
        "profiles",
        "GET",
        f"/v1/customers/{customer.customer_id}/next-offer",
        customer_id=customer.customer_id,
        reply=NextOffer,
    )


@router.get("/v1/me/marketing-consent")
async def my_marketing_consent(context: Ctx, customer: Customer) -> MarketingConsent:
    return await clients.ask(
        context,
        "profiles",
        "GET",
        f"/v1/customers/{customer.customer_id}/marketing-consent",
        customer_id=customer.customer_id,
        reply=MarketingConsent,
    )


@router.put("/v1/me/marketing-consent")
async def set_my_marketing_consent(
    body: SetMarketingConsent, context: Ctx, customer: Customer, key: IdempotencyKey
) -> MarketingConsent:
    return await clients.ask(
        context,
        "profiles",
        "PUT",
        f"/v1/customers/{customer.customer_id}/marketing-consent",
        customer_id=customer.customer_id,
        reply=MarketingConsent,
        body=body,
        idempotency_key=key,
    )


@router.get("/v1/me/source-consents")
async def my_source_consents(context: Ctx, customer: Customer) -> SourceConsents:
    """Whom the bank may ask about oneself, for what and until when; and what was said before."""
    return await clients.ask(
        context,
        "risk",
        "GET",
        f"/v1/customers/{customer.customer_id}/source-consents",
        customer_id=customer.customer_id,
        reply=SourceConsents,
    )


@router.put("/v1/me/source-consents/{source}/{purpose}")
async def set_my_source_consent(
    source: Source,
    purpose: Purpose,
    body: SetSourceConsent,
    context: Ctx,
    customer: Customer,
    key: IdempotencyKey,
) -> SourceConsent:
    """Allows a source for one purpose, or takes that back: the next decision knows."""
    return await clients.ask(
        context,
        "risk",
        "PUT",
        f"/v1/customers/{customer.customer_id}/source-consents/{source}/{purpose}",
        customer_id=customer.customer_id,
        reply=SourceConsent,
        body=body,
        idempotency_key=key,
    )


@router.get("/v1/me/questionnaire")
async def questionnaire(context: Ctx, customer: Customer, lang: Lang = "zh") -> Questionnaire:
    return await clients.ask(
        context,
        "advisor",
        "GET",
        "/v1/questionnaire",
        customer_id=customer.customer_id,
        reply=Questionnaire,
        params={"lang": lang},
    )


@router.post("/v1/me/assessments", status_code=201)
async def complete_assessment(
    body: Answers, context: Ctx, customer: Customer, key: IdempotencyKey
) -> Assessment:
    """Only the customer answers: nobody may do it for them."""
    return await flows.complete_assessment(
        context, customer_id=customer.customer_id, body=body, key=key
    )


@router.get("/v1/me/assessment")
async def my_assessment(context: Ctx, customer: Customer) -> Assessment:
    return await clients.ask(
        context,
        "advisor",
        "GET",
        f"/v1/customers/{customer.customer_id}/assessment",
        customer_id=customer.customer_id,
        reply=Assessment,
    )


@router.get("/v1/me/products")
async def my_products(context: Ctx, customer: Customer) -> SuitableProducts:
    return await clients.ask(
        context,
        "advisor",
        "GET",
        f"/v1/customers/{customer.customer_id}/products",
        customer_id=customer.customer_id,
        reply=SuitableProducts,
    )


@router.post("/v1/me/suitability-checks")
async def check_suitability(
    body: SuitabilityQuestion, context: Ctx, customer: Customer
) -> Suitability:
    return await flows.check_suitability(context, customer_id=customer.customer_id, body=body)
