"""Routes of partners: payment consents."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime, Field

from gateway import resources
from gateway.consents import service
from gateway.consents.domain import ConsentState, PaymentConsent
from gateway.oauth.callers import PartnerCaller, partner_with
from gateway.partners.domain import MAX_URI_LENGTH
from gateway.problems import answers
from shared.contracts.http.payments import Party
from shared.contracts.values import AccountId, AmountMinor, Contract, Currency, Reply
from shared.kit import idempotency
from shared.kit.app import Ctx
from shared.kit.clock import new_id
from shared.kit.idempotency import IdempotencyKey

router = APIRouter(tags=["payment consents"])

Partner = Annotated[PartnerCaller, Depends(partner_with("consents"))]
PAGE_PATH = "/consents"
MAX_PAGE = 100


class CreatePaymentConsent(Contract):
    """What the partner asks the customer for; all payments together stay within the limit."""

    payee: Party
    currency: Currency
    limit_minor: AmountMinor = Field(description="Of all payments under the consent together")
    expires_at: AwareDatetime = Field(description="At most 90 days ahead, with a UTC offset")
    debtor_account: AccountId | None = Field(
        default=None, description="The customer's account, where the partner knows it"
    )
    redirect_uri: str | None = Field(
        default=None,
        max_length=MAX_URI_LENGTH,
        description="Where the customer is sent afterwards: exactly as registered",
    )


class PaymentConsentReply(Reply):
    """`debtor_account` is shown only if the partner named it: the choice is the customer's."""

    consent_id: UUID
    state: ConsentState
    payee: Party
    currency: Currency
    limit_minor: int
    used_minor: int = Field(description="Taken or reserved by payments so far")
    expires_at: datetime
    debtor_account: AccountId | None
    redirect_uri: str | None
    authorize_url: str = Field(description="Send the customer's browser here")
    created_at: datetime


class PaymentConsentPage(Reply):
    items: list[PaymentConsentReply]
    next_before: UUID | None = Field(description="Pass as `before` for the next page")


def page_url(origin: str, consent_id: UUID) -> str:
    return f"{origin}{PAGE_PATH}/{consent_id}"


def reply_of(
    consent: PaymentConsent, *, origin: str, now: datetime, to_customer: bool = False
) -> PaymentConsentReply:
    shows_account = consent.debtor_named or to_customer
    return PaymentConsentReply(
        consent_id=consent.consent_id,
        state=consent.state(now=now),
        payee=Party(account_id=consent.payee_account, name=consent.payee_name),
        currency=consent.currency,
        limit_minor=consent.limit_minor,
        used_minor=consent.used_minor,
        expires_at=consent.expires_at,
        debtor_account=consent.debtor_account if shows_account else None,
        redirect_uri=consent.redirect_uri,
        authorize_url=page_url(origin, consent.consent_id),
        created_at=consent.created_at,
    )


@router.post(
    "/v1/payment-consents",
    status_code=201,
    responses=answers(
        400,
        401,
        403,
        413,
        422,
        429,
        codes=("consent_expiry_refused", "redirect_uri_not_registered", "idempotency_key_reused"),
    ),
)
async def create_payment_consent(
    body: CreatePaymentConsent, context: Ctx, partner: Partner, idempotency_key: IdempotencyKey
) -> PaymentConsentReply:
    """Ask a customer for consent: send the browser to `authorize_url` of the answer."""
    now, origin = context.clock(), resources.of(context).settings.public_url
    consent = PaymentConsent(
        consent_id=new_id(),
        partner_id=partner.partner_id,
        payee_account=body.payee.account_id,
        payee_name=body.payee.name,
        currency=body.currency,
        limit_minor=body.limit_minor,
        used_minor=0,
        expires_at=body.expires_at,
        debtor_account=body.debtor_account,
        debtor_named=body.debtor_account is not None,
        redirect_uri=body.redirect_uri,
        stored_state="awaiting_authorization",
        customer_id=None,
        code_failures=0,
        created_at=now,
        updated_at=now,
    )
    async with context.database.transaction() as session:

        async def create() -> PaymentConsentReply:
            created = await service.create_consent(session, consent=consent, now=now)
            return reply_of(created, origin=origin, now=now)

        return await idempotency.once(
            session,
            scope=f"partner:{partner.partner_id}:payment_consents",
            key=idempotency_key,
            body=body,
            now=now,
            reply=PaymentConsentReply,
            act=create,
        )


@router.get("/v1/payment-consents", responses=answers(401, 403, 422, 429))
async def list_payment_consents(
    context: Ctx,
    partner: Partner,
    before: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 20,
) -> PaymentConsentPage:
    """Your consents, the youngest first."""
    async with context.database.transaction() as session:
        found = await service.list_of_partner(
            session, partner_id=partner.partner_id, before=before, limit=limit
        )
    now, origin = context.clock(), resources.of(context).settings.public_url
    return PaymentConsentPage(
        items=[reply_of(consent, origin=origin, now=now) for consent in found],
        next_before=found[-1].consent_id if len(found) == limit else None,
    )


@router.get(
    "/v1/payment-consents/{consent_id}",
    responses=answers(401, 403, 404, 422, 429, codes=("consent_not_found",)),
)
async def get_payment_consent(
    consent_id: UUID, context: Ctx, partner: Partner
) -> PaymentConsentReply:
    async with context.database.transaction() as session:
        consent = await service.get_of_partner(
            session, consent_id=consent_id, partner_id=partner.partner_id
        )
    origin = resources.of(context).settings.public_url
    return reply_of(consent, origin=origin, now=context.clock())


@router.post(
    "/v1/payment-consents/{consent_id}/revocation",
    responses=answers(
        401, 403, 404, 409, 422, 429, codes=("consent_not_found", "consent_not_revocable")
    ),
)
async def revoke_payment_consent(
    consent_id: UUID, context: Ctx, partner: Partner
) -> PaymentConsentReply:
    """End a consent; again is the same as once. Payments accepted before go on."""
    now = context.clock()
    async with context.database.transaction() as session:
        consent = await service.revoke_by_partner(
            session, consent_id=consent_id, partner_id=partner.partner_id, now=now
        )
    return reply_of(consent, origin=resources.of(context).settings.public_url, now=now)
