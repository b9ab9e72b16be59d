"""Routes of the authorization server that clients call: tokens, keys, metadata."""

from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from gateway import resources
from gateway.forms import NotAForm, read_form
from gateway.grants import service as grants
from gateway.grants.service import GrantInvalid
from gateway.limits.domain import headers
from gateway.oauth import domain, inspection, service
from gateway.oauth.callers import public_url
from gateway.oauth.domain import GrantRefused, TokenRequestRefused
from gateway.oauth.inspection import Presented
from gateway.oauth.metadata import DISCOVERY_PATH, METADATA_PATH, metadata
from gateway.oauth.problems import OAUTH_ANSWERS
from gateway.oauth.service import Asked, IssuedToken, Issuing
from gateway.tokens.assertions import ASSERTION_TYPE
from gateway.tokens.signed import id_token, introspection_response
from shared.contracts.values import Reply
from shared.kit.app import Context, Ctx
from shared.kit.clock import new_id

router = APIRouter(tags=["tokens"])

INTROSPECTION_JWT = "application/token-introspection+jwt"


class AccessToken(Reply):
    """RFC 6749, 5.1, with the token type of RFC 9449; `id_token` where `openid` was granted."""

    access_token: str
    token_type: Literal["DPoP"] = "DPoP"  # noqa: S105 - a word of the standard
    expires_in: int
    scope: str
    refresh_token: str | None = None
    id_token: str | None = None


def _form(required: list[str], **properties: Any) -> dict[str, Any]:
    """How a form is described, with the client's credentials that each of them carries."""
    credentials = {
        "client_assertion_type": {"const": ASSERTION_TYPE},
        "client_assertion": {"type": "string"},
        "client_id": {"type": "string"},
    }
    schema = {
        "type": "object",
        "required": [*required, "client_assertion_type", "client_assertion"],
        "properties": {**properties, **credentials},
    }
    content = {"application/x-www-form-urlencoded": {"schema": schema}}
    return {"required": True, "content": content}


_TEXT = {"type": "string"}
_PROOF = {
    "name": "DPoP",
    "in": "header",
    "required": True,
    "schema": _TEXT,
    "description": "A proof of possession of your key (RFC 9449)",
}


@router.post(
    domain.TOKEN_PATH,
    response_model=AccessToken,
    responses=OAUTH_ANSWERS,
    openapi_extra={
        "requestBody": _form(
            ["grant_type"],
            grant_type={"enum": ["authorization_code", "refresh_token", "client_credentials"]},
            scope={**_TEXT, "example": "consents payments"},
            code=_TEXT,
            redirect_uri=_TEXT,
            code_verifier=_TEXT,
            refresh_token=_TEXT,
        ),
        "parameters": [_PROOF],
    },
)
async def token(request: Request, context: Ctx) -> Response:
    """A DPoP-bound access token for five minutes, for a client that signs with its own key.

    `aud` of the client assertion is the issuer as a single string: neither this URL nor a list.
    """
    own = resources.of(context)
    now = context.clock()
    given = await _given(request)
    asked = Asked(
        request=domain.read_token_request(given),
        credentials=domain.read_credentials(given),
        proofs=request.headers.getlist("dpop"),
        url=public_url(request, own.settings.public_url),
    )
    by = Issuing(
        issuer=own.settings.public_url,
        key=await own.token_keys.signing(context.database, now=now),
        nonces=await own.nonces(context),
        subject_secret=await own.subject_secret(context),
    )
    try:
        async with context.database.transaction() as session:
            issued = await service.issue(
                session, asked=asked, by=by, token_id=str(new_id()), now=now
            )
    except GrantInvalid as error:
        if error.revokes is not None:
            async with context.database.transaction() as session:
                await grants.revoke(session, grant_id=error.revokes, now=now)
        raise GrantRefused(str(error)) from error
    told = headers(issued.verdict)
    if by.nonces.required or issued.client.options.dpop_nonce:
        told["DPoP-Nonce"] = by.nonces.new(now=now)
    request.state.answer_headers = told
    reply = AccessToken(
        access_token=issued.access_token,
        expires_in=service.expires_in_s(),
        scope=" ".join(issued.scopes),
        refresh_token=issued.refresh_token,
        id_token=await _id_token(context, issued),
    )
    return JSONResponse(reply.model_dump(exclude_none=True))


async def _id_token(context: Context, issued: IssuedToken) -> str | None:
    if "openid" not in issued.scopes or issued.sign_in is None:
        return None
    own, now = resources.of(context), context.clock()
    key = await own.token_keys.signing(
        context.database, now=now, algorithm=issued.client.options.id_token_alg
    )
    return id_token(
        key=key,
        issuer=own.settings.public_url,
        client_id=issued.client.client_id,
        sign_in=issued.sign_in,
        access_token=issued.access_token,
        nonce=issued.nonce,
        intent_id=issued.intent_id,
        now=now,
    )


@router.post(
    domain.INTROSPECTION_PATH,
    responses=OAUTH_ANSWERS,
    openapi_extra={"requestBody": _form(["token"], token=_TEXT)},
)
async def introspect(request: Request, context: Ctx) -> Response:
    """What a token of yours is worth now (RFC 7662); signed where you accept that (RFC 9701)."""
    own, now = resources.of(context), context.clock()
    presented = await _presented(request, context)
    secret = await own.subject_secret(context)
    async with context.database.transaction() as session:
        client, answer = await inspection.introspect(
            session, presented=presented, subject_secret=secret, now=now
        )
    if INTROSPECTION_JWT not in request.headers.get("accept", ""):
        return JSONResponse(answer)
    key = await own.token_keys.signing(
        context.database, now=now, algorithm=client.options.introspection_alg
    )
    signed = introspection_response(
        answer,
        key=key,
        issuer=own.settings.public_url,
        client_id=client.client_id,
        now=now,
    )
    return Response(signed, media_type=INTROSPECTION_JWT)


@router.post(
    domain.REVOCATION_PATH,
    responses=OAUTH_ANSWERS,
    openapi_extra={"requestBody": _form(["token"], token=_TEXT, token_type_hint=_TEXT)},
)
async def revoke(request: Request, context: Ctx) -> Response:
    """End a token of your own (RFC 7009): a refresh token ends the whole grant."""
    presented = await _presented(request, context)
    async with context.database.transaction() as session:
        await inspection.revoke(session, presented=presented, now=context.clock())
    return Response(status_code=200)


@router.get(domain.KEYS_PATH)
async def keys(context: Ctx) -> dict[str, Any]:
    """The public keys that verify what the bank signs: tokens, ID tokens, signed answers."""
    own, now = resources.of(context).token_keys, context.clock()
    # A client may look before anything was signed: then too there is what will sign.
    for algorithm in ("Ed25519", "PS256", "ES256"):
        await own.signing(context.database, now=now, algorithm=algorithm)
    return {"keys": await own.published(context.database, now=now)}


@router.get(METADATA_PATH)
async def server_metadata(context: Ctx) -> dict[str, Any]:
    """What this authorization server offers (RFC 8414)."""
    return metadata(resources.of(context).settings.public_url)


@router.get(DISCOVERY_PATH)
async def discovery(context: Ctx) -> dict[str, Any]:
    """The same where OpenID Connect looks for it."""
    return metadata(resources.of(context).settings.public_url)


async def _given(request: Request) -> dict[str, str]:
    try:
        return domain.read_fields(await read_form(request))
    except NotAForm as error:
        raise TokenRequestRefused(str(error)) from error


async def _presented(request: Request, context: Context) -> Presented:
    own = resources.of(context)
    given = await _given(request)
    if "token" not in given:
        raise TokenRequestRefused("token is missing")
    return Presented(
        token=given["token"],
        credentials=domain.read_credentials(given),
        issuer=own.settings.public_url,
        keys=await own.token_keys.public(context.database, now=context.clock()),
    )
