"""Who calls: a dependency that admits a customer in a session of the customer's own."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from gateway import clients, resources
from gateway.limits.domain import headers
from gateway.oauth.service import too_many
from shared.kit.app import Context, Ctx
from shared.kit.peers import PeerRefused
from shared.kit.problems import BankError

MAX_TOKEN = 128


class SessionMissing(BankError):
    status, code, title = 401, "session_missing", "The call carries no live customer session"


class CustomerSessionNeeded(BankError):
    status, code = 403, "customer_session_needed"
    title = "Only the customer may do this, in a session of the customer's own"


@dataclass(frozen=True, slots=True)
class CustomerCaller:
    customer_id: str
    session_token: str


def presented_session(request: Request) -> str:
    """The session token of the one `Authorization: Bearer` header.

    Raises `SessionMissing`, and `CustomerSessionNeeded` for a partner's token.
    """
    values = request.headers.getlist("authorization")
    scheme, _, token = (values[0] if len(values) == 1 else "").strip().partition(" ")
    if scheme.lower() == "dpop":
        raise CustomerSessionNeeded("A partner never acts as the customer here")
    token = token.strip()
    if scheme.lower() != "bearer" or not 0 < len(token) <= MAX_TOKEN or not token.isascii():
        raise SessionMissing(
            "Sign in at /v1/sessions and send the session token as Bearer",
            headers={"WWW-Authenticate": "Bearer"},
        )
    return token


async def signed_in(request: Request, context: Ctx) -> CustomerCaller:
    """Raises `SessionMissing`, `CustomerSessionNeeded`, `TooManyRequests`."""
    token = presented_session(request)
    caller = await _owner(context, token)
    own = resources.of(context)
    verdict = own.limiter.take(
        f"customer:{caller.customer_id}",
        limit_per_minute=own.settings.customer_rate_limit_per_minute,
    )
    if not verdict.allowed:
        raise too_many(verdict)
    request.state.answer_headers = headers(verdict)
    return caller


async def _owner(context: Context, token: str) -> CustomerCaller:
    try:
        owner = await clients.session_owner(context, session_token=token)
    except PeerRefused as refusal:
        raise SessionMissing(
            "The session has ended or never was", headers={"WWW-Authenticate": "Bearer"}
        ) from refusal
    return CustomerCaller(customer_id=owner.customer_id, session_token=token)


Customer = Annotated[CustomerCaller, Depends(signed_in)]
