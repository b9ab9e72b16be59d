"""Who calls: dependencies that admit a partner's call, as `allow` of the kit does inside."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from fastapi import Request

from gateway import resources
from gateway.grants import service as grants
from gateway.grants.domain import CustomerGrant
from gateway.limits.domain import headers
from gateway.oauth import service
from gateway.oauth.domain import ScopeMissing, TokenRefused, challenge
from gateway.tokens.access import Grant
from gateway.tokens.jose import Refused, parse_compact
from shared.kit.app import Context, Ctx


@dataclass(frozen=True, slots=True)
class PartnerCaller:
    partner_id: str
    client_id: str = ""


@dataclass(frozen=True, slots=True)
class GrantCaller:
    """A client that acts within what a customer allowed it."""

    partner_id: str
    client_id: str
    grant: CustomerGrant


def public_url(request: Request, origin: str) -> str:
    """The request's URL as the public sees it: behind a proxy the host seen here is another.

    The path is taken as it was sent, since a proof names that and not what it decodes to.
    """
    raw = request.scope.get("raw_path") or request.scope["path"].encode()
    return origin + bytes(raw).partition(b"?")[0].decode("latin-1")


def endpoint_of(request: Request) -> str:
    """Method and path of the route, as the description has them: never what a caller made up."""
    return f"{request.method} {request.scope['route'].path}"


def partner_with(scope: str) -> Callable[..., Awaitable[PartnerCaller]]:
    """A dependency that lets in clients that act for themselves, with `scope`.

    Raises `TokenRefused`, `CallProofRefused`, `CallNonceMissing`, `ScopeMissing`,
    `TooManyRequests`.
    """

    async def dependency(request: Request, context: Ctx) -> PartnerCaller:
        token, partner_id = await _admitted(request, context)
        # Of a customer's grant nothing follows for what the client may do by itself.
        if scope not in token.scopes or token.grant_id is not None:
            raise _scope_missing(scope)
        return PartnerCaller(partner_id=partner_id, client_id=token.client_id)

    return dependency


def granted(scope: str) -> Callable[..., Awaitable[GrantCaller]]:
    """A dependency that lets in clients within a customer's grant that has `scope`.

    Raises as `partner_with`, and `TokenRefused` where the customer's consent has ended.
    """

    async def dependency(request: Request, context: Ctx) -> GrantCaller:
        token, partner_id = await _admitted(request, context)
        if token.grant_id is None or scope not in token.scopes:
            raise _scope_missing(scope)
        async with context.database.transaction() as session:
            grant = await grants.use(session, grant_id=token.grant_id, now=context.clock())
        if grant is None:
            raise service.refused_token("the customer's consent has ended")
        return GrantCaller(partner_id=partner_id, client_id=token.client_id, grant=grant)

    return dependency


async def _admitted(request: Request, context: Context) -> tuple[Grant, str]:
    """What the token says, and the partner behind its client."""
    own = resources.of(context)
    token = presented_token(request)
    now = context.clock()
    nonces = await own.nonces(context)
    try:
        kid = parse_compact(token).header.get("kid")
    except Refused as refusal:
        raise service.refused_token(str(refusal)) from refusal
    keys = await own.token_keys.of_token(
        kid if isinstance(kid, str) else None, context.database, now=now
    )
    grant, proof = service.check_call(
        token=token,
        proofs=request.headers.getlist("dpop"),
        method=request.method,
        url=public_url(request, own.settings.public_url),
        keys=keys,
        issuer=own.settings.public_url,
        nonces=nonces,
        now=now,
    )
    async with context.database.statement() as session:
        admitted = await service.admit(
            session, grant=grant, proof=proof, endpoint=endpoint_of(request), now=now
        )
    request.state.count_call = lambda status: own.meter.count(
        partner_id=admitted.partner_id, endpoint=endpoint_of(request), status=status, now=now
    )
    if admitted.needs_nonce and not proof.has_nonce:
        raise service.nonce_missing(nonces, now=now)
    if not admitted.verdict.allowed:
        raise service.too_many(admitted.verdict)
    told = headers(admitted.verdict)
    if admitted.needs_nonce or nonces.required:
        told["DPoP-Nonce"] = nonces.new(now=now)
    request.state.answer_headers = getattr(request.state, "answer_headers", {}) | told
    return grant, admitted.partner_id


def _scope_missing(scope: str) -> ScopeMissing:
    return ScopeMissing(
        f"The token does not have the scope {scope}",
        headers={"WWW-Authenticate": challenge("insufficient_scope", f"scope {scope}")},
    )


def presented_token(request: Request) -> str:
    """The token of the one `Authorization: DPoP` header. Raises `TokenRefused`."""
    if "access_token" in request.query_params:
        raise service.refused_token("it belongs into the Authorization header")
    values = request.headers.getlist("authorization")
    if not values:
        # A call without any credential is told how to come, not what went wrong (RFC 6750, 3.1).
        raise TokenRefused(
            "The call carries no access token", headers={"WWW-Authenticate": challenge(None)}
        )
    scheme, _, token = values[0].strip().partition(" ")
    if len(values) > 1:
        raise service.refused_token("there is more than one Authorization header")
    if scheme.lower() != "dpop":
        raise service.refused_token("it must be presented as DPoP, with a proof")
    return token.strip()
