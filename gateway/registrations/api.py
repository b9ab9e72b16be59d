"""Routes of clients: registered by staff, or by themselves with a directory's statement."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from gateway import resources
from gateway.oauth.problems import OAUTH_ANSWERS
from gateway.partners.domain import MAX_REDIRECT_URIS, MAX_URI_LENGTH
from gateway.problems import answers
from gateway.registrations import flows, service
from gateway.registrations.domain import (
    SCOPES,
    Client,
    ClientOptions,
    SignatureAlg,
    known_scopes,
    metadata_of,
)
from gateway.registrations.statements import REGISTRATION_PATH
from shared.contracts.values import Contract, Name, PartnerId, Reply
from shared.kit.app import Ctx
from shared.kit.auth import Caller, allow
from shared.kit.clock import new_id
from shared.kit.problems import InvalidRequest

router = APIRouter(tags=["registration"])
staff = APIRouter(tags=["staff"], include_in_schema=False)

ANSWERS = OAUTH_ANSWERS | answers(422)
Staff = Annotated[Caller, Depends(allow(roles=("operator", "admin")))]
RedirectUri = Annotated[str, Field(min_length=1, max_length=MAX_URI_LENGTH)]


class RegisterClient(Contract):
    """A further client of a partner, with keys and addresses of its own."""

    client_id: PartnerId
    name: Name
    jwks: dict[str, Any]
    redirect_uris: list[RedirectUri] = Field(default_factory=list, max_length=MAX_REDIRECT_URIS)
    scopes: list[str] = Field(default_factory=lambda: list(SCOPES), max_length=len(SCOPES))
    id_token_alg: SignatureAlg = "PS256"  # noqa: S105 - an algorithm
    response_alg: SignatureAlg = "PS256"
    introspection_alg: SignatureAlg = "PS256"
    signed_requests: bool = False
    dpop_nonce: bool = False


class ClientReply(Reply):
    client_id: PartnerId
    partner_id: PartnerId
    metadata: dict[str, Any]
    state: str
    created_at: datetime


class ClientList(Reply):
    items: list[ClientReply]


class TrustIssuer(Contract):
    """A directory whose software statements count from now on."""

    issuer: Annotated[str, Field(min_length=1, max_length=500)]
    jwks: dict[str, Any]


def _reply(client: Client) -> ClientReply:
    return ClientReply(
        client_id=client.client_id,
        partner_id=client.partner_id,
        metadata=metadata_of(client),
        state=client.state,
        created_at=client.created_at,
    )


@staff.post("/v1/partners/{partner_id}/clients", status_code=201)
async def register_client(
    partner_id: PartnerId, body: RegisterClient, context: Ctx, caller: Staff
) -> ClientReply:
    """The same again changes nothing; other content under the same id is refused."""
    now = context.clock()
    scopes = known_scopes(body.scopes)
    if not scopes:
        raise InvalidRequest(field="scopes", expected=f"of {', '.join(SCOPES)}")
    client = Client(
        client_id=body.client_id,
        partner_id=partner_id,
        name=body.name,
        jwks=body.jwks,
        redirect_uris=body.redirect_uris,
        scopes=scopes,
        options=ClientOptions(
            id_token_alg=body.id_token_alg,
            response_alg=body.response_alg,
            introspection_alg=body.introspection_alg,
            signed_requests=body.signed_requests,
            dpop_nonce=body.dpop_nonce,
        ),
        software_id=None,
        state="active",
        created_at=now,
        updated_at=now,
    )
    async with context.database.transaction() as session:
        client = await service.register_client(
            session, client=client, staff_id=caller.staff_id or "", now=now
        )
    context.published()
    return _reply(client)


@staff.get("/v1/partners/{partner_id}/clients")
async def list_clients(partner_id: PartnerId, context: Ctx, _: Staff) -> ClientList:
    async with context.database.transaction() as session:
        found = await service.clients_of(session, partner_id=partner_id)
    return ClientList(items=[_reply(client) for client in found])


@staff.put("/v1/software-issuers", status_code=204)
async def trust_issuer(body: TrustIssuer, context: Ctx, caller: Staff) -> Response:
    async with context.database.transaction() as session:
        await service.trust_issuer(
            session,
            issuer=body.issuer,
            jwks=body.jwks,
            staff_id=caller.staff_id or "",
            now=context.clock(),
        )
    context.published()
    return Response(status_code=204)


@router.post(REGISTRATION_PATH, status_code=201, responses=ANSWERS)
async def register(body: dict[str, Any], context: Ctx) -> Response:
    """Register a client with a software statement of a directory that the bank trusts."""
    issuer = resources.of(context).settings.public_url
    async with context.database.transaction() as session:
        made = await flows.register(
            session,
            body=body,
            client_id=f"c-{new_id().hex}",
            issuer=issuer,
            now=context.clock(),
        )
    context.published()
    return JSONResponse(made, status_code=201)


@router.get(REGISTRATION_PATH + "/{client_id}", responses=ANSWERS)
async def read_registration(client_id: str, request: Request, context: Ctx) -> dict[str, Any]:
    """The client as it is registered (RFC 7592); present its registration token as Bearer."""
    async with context.database.transaction() as session:
        client = await flows.registered(session, client_id=client_id, token=_bearer(request))
    return metadata_of(client)


@router.put(REGISTRATION_PATH + "/{client_id}", responses=ANSWERS)
async def change_registration(
    client_id: str, body: dict[str, Any], request: Request, context: Ctx
) -> dict[str, Any]:
    """Bring in a newer statement: new keys, new addresses."""
    async with context.database.transaction() as session:
        return await flows.change(
            session,
            client_id=client_id,
            token=_bearer(request),
            body=body,
            now=context.clock(),
        )


@router.delete(REGISTRATION_PATH + "/{client_id}", status_code=204, responses=ANSWERS)
async def end_registration(client_id: str, request: Request, context: Ctx) -> Response:
    """End the client: its tokens stop counting with the next call."""
    async with context.database.transaction() as session:
        await flows.end(session, client_id=client_id, token=_bearer(request), now=context.clock())
    return Response(status_code=204)


def _bearer(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
