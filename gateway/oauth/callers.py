"""Who calls: a dependency that admits a partner's call, as `allow` of the kit does inside."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from fastapi import Request

from gateway import resources
from gateway.limits.domain import headers
from gateway.oauth import service
from gateway.oauth.domain import ScopeMissing, TokenRefused, challenge
from gateway.tokens.jose import Refused, parse_compact
from shared.kit.app import Ctx


@dataclass(frozen=True, slots=True)
class PartnerCaller:
    partner_id: str


def public_url(request: Request, origin: str) -> str:
    """The request's URL as the public sees it: behind a proxy the host seen here is another.

    The path is taken as it was sent, since a proof names that and not what it decodes to.
    """
    raw = request.scope.get("raw_path") or request.scope["path"].encode()
    return origin + bytes(raw).partition(b"?")[0].decode("latin-1")


def partner_with(scope: str) -> Callable[..., Awaitable[PartnerCaller]]:
    """A dependency that lets in partners whose DPoP-bound token has `scope`.

    Raises `TokenRefused`, `CallProofRefused`, `ScopeMissing`, `TooManyRequests`.
    """

    async def dependency(request: Request, context: Ctx) -> PartnerCaller:
        own = resources.of(context)
        token = presented_token(request)
        now = context.clock()
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
            now=now,
        )
        async with context.database.statement() as session:
            verdict = await service.admit(session, grant=grant, proof=proof, limiter=own.limiter)
        if not verdict.allowed:
            raise service.too_many(verdict)
        request.state.answer_headers = headers(verdict)
        if scope not in grant.scopes:
            raise ScopeMissing(
                f"The token does not have the scope {scope}",
                headers={"WWW-Authenticate": challenge("insufficient_scope", f"scope {scope}")},
            )
        return PartnerCaller(partner_id=grant.client_id)

    return dependency


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
