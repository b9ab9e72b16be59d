"""Routes of the authorization server."""

from typing import Any, Literal

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import JSONResponse

from gateway import resources
from gateway.forms import NotAForm, read_form
from gateway.limits.domain import headers
from gateway.oauth import domain, service
from gateway.oauth.callers import public_url
from gateway.tokens.access import TOKEN_LIFETIME
from gateway.tokens.assertions import ASSERTION_TYPE
from shared.contracts.values import Reply
from shared.kit.app import Ctx
from shared.kit.clock import new_id

router = APIRouter(tags=["tokens"])


class AccessToken(Reply):
    """RFC 6749, 5.1, with the token type of RFC 9449."""

    access_token: str
    token_type: Literal["DPoP"] = "DPoP"  # noqa: S105 - a word of the standard
    expires_in: int
    scope: str


class OAuthProblem(Reply):
    """RFC 6749, 5.2."""

    error: str
    error_description: str


@router.post(
    domain.TOKEN_PATH,
    response_model=AccessToken,
    responses={
        400: {"model": OAuthProblem, "description": "The request or the proof does not hold"},
        401: {"model": OAuthProblem, "description": "The client is not authenticated"},
        429: {"model": OAuthProblem, "description": "Too many requests"},
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/x-www-form-urlencoded": {
                    "schema": {
                        "type": "object",
                        "required": ["grant_type", "client_assertion_type", "client_assertion"],
                        "properties": {
                            "grant_type": {"const": "client_credentials"},
                            "client_assertion_type": {"const": ASSERTION_TYPE},
                            "client_assertion": {"type": "string"},
                            "client_id": {"type": "string"},
                            "scope": {"type": "string", "example": "consents payments"},
                        },
                    }
                }
            },
        },
        "parameters": [
            {
                "name": "DPoP",
                "in": "header",
                "required": True,
                "schema": {"type": "string"},
                "description": "A proof of possession of your key (RFC 9449)",
            }
        ],
    },
)
async def token(request: Request, context: Ctx) -> Response:
    """A DPoP-bound access token for five minutes, for a client that signs with its own key.

    `aud` of the client assertion is the issuer as a single string: neither this URL nor a list.
    """
    own = resources.of(context)
    now = context.clock()
    try:
        fields = await read_form(request)
    except NotAForm as error:
        raise domain.TokenRequestRefused(str(error)) from error
    asked = domain.read_token_request(fields)
    key = await own.token_keys.signing(context.database, now=now)
    async with context.database.transaction() as session:
        issued = await service.issue(
            session,
            request=asked,
            proofs=request.headers.getlist("dpop"),
            token_url=public_url(request, own.settings.public_url),
            issuer=own.settings.public_url,
            key=key,
            limiter=own.limiter,
            token_id=str(new_id()),
            now=now,
        )
    request.state.answer_headers = headers(issued.verdict)
    reply = AccessToken(
        access_token=issued.access_token,
        expires_in=int(TOKEN_LIFETIME.total_seconds()),
        scope=" ".join(issued.scopes),
    )
    return JSONResponse(reply.model_dump())


@router.get(domain.KEYS_PATH)
async def keys(context: Ctx) -> dict[str, Any]:
    """The public keys that verify our access tokens."""
    own = resources.of(context).token_keys
    return {"keys": await own.published(context.database, now=context.clock())}


@router.get(domain.METADATA_PATH)
async def metadata(context: Ctx) -> dict[str, Any]:
    """What this authorization server offers (RFC 8414)."""
    return domain.metadata(resources.of(context).settings.public_url)


async def on_oauth_error(_: Request, error: Exception) -> JSONResponse:
    """Renders an `OAuthError` as RFC 6749 says, in place of a problem document."""
    if not isinstance(error, domain.OAuthError):  # pragma: no cover - Starlette's signature
        raise error
    return JSONResponse(
        {"error": error.error, "error_description": error.detail},
        status_code=error.status,
        headers=error.headers,
    )


def install(app: FastAPI) -> None:
    app.add_exception_handler(domain.OAuthError, on_oauth_error)
