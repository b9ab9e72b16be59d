"""Routes of account-access consents: the client's own, and the customer's view of them."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from gateway.customers.callers import Customer
from gateway.oauth.callers import PartnerCaller, partner_with
from gateway.open_banking.access import domain, repository, service
from gateway.open_banking.access.domain import (
    ACCOUNT_ACCESS,
    STATUS,
    ConsentKindName,
    DataAccessConsent,
    DataAccessState,
)
from gateway.open_banking.api import address, said
from gateway.open_banking.domain import PREFIX, written
from gateway.open_banking.views import (
    Links,
    Meta,
    OBReadConsent1,
    OBReadConsentResponse1,
    OBRisk2,
    ReadConsentState,
    one_page,
)
from gateway.problems import answers
from gateway.registrations import service as registrations
from shared.contracts.values import Reply
from shared.kit.app import Context, Ctx
from shared.kit.clock import new_id
from shared.kit.database import Session

PATH = f"{PREFIX}/aisp/account-access-consents"
router = APIRouter(tags=["open banking"], responses=answers(401, 403, 429, 503))
customers = APIRouter(tags=["customers"], include_in_schema=False)

Client = Annotated[PartnerCaller, Depends(partner_with("accounts"))]
PageSize = Annotated[int, Query(ge=1, le=100)]


@router.post(
    PATH,
    status_code=201,
    response_model=OBReadConsentResponse1,
    responses=answers(400, codes=("permissions_refused", "date_refused")),
)
async def create_consent(
    body: OBReadConsent1, request: Request, context: Ctx, client: Client
) -> Response:
    """Say what you want to see; then send the customer to authorize this consent."""
    now = context.clock()
    data = body.Data
    domain.check_permissions(data.Permissions)
    domain.check_future(data.ExpirationDateTime, field="Data.ExpirationDateTime", now=now)
    domain.check_order(
        data.TransactionFromDateTime,
        data.TransactionToDateTime,
        field="Data.TransactionToDateTime",
    )
    consent = DataAccessConsent(
        consent_id=new_id(),
        kind=ACCOUNT_ACCESS,
        client_id=client.client_id,
        request=body.model_dump(mode="json", exclude_none=True),
        stored_state="awaiting_authorization",
        customer_id=None,
        accounts=(),
        expires_at=data.ExpirationDateTime,
        created_at=now,
        updated_at=now,
    )
    async with context.database.transaction() as session:
        await service.create(session, consent=consent)
    url = f"{address(request, context)}/{consent.consent_id}"
    return said(_document(consent, url=url, now=now), status=201)


@router.get(
    PATH + "/{consent_id}",
    response_model=OBReadConsentResponse1,
    responses=answers(400, codes=("data_consent_not_found",)),
)
async def read_consent(
    consent_id: UUID, request: Request, context: Ctx, client: Client
) -> Response:
    async with context.database.transaction() as session:
        consent = await service.of_client(
            session, consent_id=consent_id, kind=ACCOUNT_ACCESS, client_id=client.client_id
        )
    return said(_document(consent, url=address(request, context), now=context.clock()))


@router.delete(
    PATH + "/{consent_id}",
    status_code=204,
    responses=answers(400, codes=("data_consent_not_found",)),
)
async def delete_consent(consent_id: UUID, context: Ctx, client: Client) -> Response:
    """The customer told you to stop: every token that rests on it ends. Again is no error."""
    async with context.database.transaction() as session:
        consent = await service.of_client(
            session, consent_id=consent_id, kind=ACCOUNT_ACCESS, client_id=client.client_id
        )
        await service.revoke(session, consent=consent, now=context.clock())
    return Response(status_code=204)


def _document(consent: DataAccessConsent, *, url: str, now: datetime) -> OBReadConsentResponse1:
    links: Links
    meta: Meta
    links, meta = one_page(url)
    state = ReadConsentState.model_validate(
        {
            **consent.request["Data"],
            "ConsentId": str(consent.consent_id),
            "CreationDateTime": written(consent.created_at),
            "Status": STATUS[consent.state(now=now)],
            "StatusUpdateDateTime": written(consent.updated_at),
        }
    )
    return OBReadConsentResponse1(Data=state, Risk=OBRisk2(), Links=links, Meta=meta)


class DataAccessConsentReply(Reply):
    """Whom the customer lets see what; `looks` counts, `last_looked_at` is the youngest."""

    consent_id: UUID
    kind: ConsentKindName
    client_id: str
    client_name: str
    permissions: list[str]
    accounts: list[str]
    transactions_from: datetime | None
    transactions_to: datetime | None
    state: DataAccessState
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None
    looks: int
    last_looked_at: datetime | None


class DataAccessConsentPage(Reply):
    items: list[DataAccessConsentReply]
    next_before: UUID | None


class DataAccess(Reply):
    """One look: what was asked for, about which account, under the client's own id of it."""

    access_id: UUID
    resource: str
    account_id: str | None
    interaction_id: str
    at: datetime


class DataAccessPage(Reply):
    items: list[DataAccess]
    next_before: UUID | None


async def _replies(
    session: Session, context: Context, consents: list[DataAccessConsent]
) -> list[DataAccessConsentReply]:
    now = context.clock()
    last = await repository.last_accesses(
        session, consent_ids=[consent.consent_id for consent in consents]
    )
    found = []
    for consent in consents:
        client = await registrations.get_client(session, client_id=consent.client_id)
        looked_at, looks = last.get(consent.consent_id, (None, 0))
        found.append(
            DataAccessConsentReply(
                consent_id=consent.consent_id,
                kind=consent.kind,
                client_id=consent.client_id,
                client_name=client.name,
                permissions=list(consent.permissions),
                accounts=list(consent.accounts),
                transactions_from=consent.moment("TransactionFromDateTime"),
                transactions_to=consent.moment("TransactionToDateTime"),
                state=consent.state(now=now),
                created_at=consent.created_at,
                updated_at=consent.updated_at,
                expires_at=consent.expires_at,
                looks=looks,
                last_looked_at=looked_at,
            )
        )
    return found


@customers.get("/v1/me/data-consents")
async def my_data_consents(
    context: Ctx, customer: Customer, before: UUID | None = None, limit: PageSize = 20
) -> DataAccessConsentPage:
    """Everybody who may or might see one's data, the youngest first; nothing is ever dropped."""
    async with context.database.transaction() as session:
        found = await repository.consents_of_customer(
            session, customer_id=customer.customer_id, before=before, limit=limit
        )
        items = await _replies(session, context, found)
    more = len(found) == limit
    return DataAccessConsentPage(items=items, next_before=found[-1].consent_id if more else None)


@customers.get("/v1/me/data-consents/{consent_id}/accesses")
async def my_data_accesses(
    consent_id: UUID,
    context: Ctx,
    customer: Customer,
    before: UUID | None = None,
    limit: PageSize = 20,
) -> DataAccessPage:
    """Every look, the youngest first."""
    async with context.database.transaction() as session:
        await service.of_customer(session, consent_id=consent_id, customer_id=customer.customer_id)
        found = await repository.accesses_of_consent(
            session, consent_id=consent_id, before=before, limit=limit
        )
    return DataAccessPage(
        items=[DataAccess.model_validate(one, from_attributes=True) for one in found],
        next_before=found[-1].access_id if len(found) == limit else None,
    )


@customers.post("/v1/me/data-consents/{consent_id}/revocation")
async def revoke_my_data_consent(
    consent_id: UUID, context: Ctx, customer: Customer
) -> DataAccessConsentReply:
    """Takes it back: the very next call of the client is refused. Again is the same as once."""
    async with context.database.transaction() as session:
        consent = await service.of_customer(
            session, consent_id=consent_id, customer_id=customer.customer_id
        )
        await service.revoke(session, consent=consent, now=context.clock())
        consent = await service.of_customer(
            session, consent_id=consent_id, customer_id=customer.customer_id
        )
        return (await _replies(session, context, [consent]))[0]
