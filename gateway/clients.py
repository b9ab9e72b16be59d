"""Calls to the services behind the gateway: one function for each that it asks."""

import asyncio
import json
from collections.abc import Sequence
from uuid import UUID

from pydantic import BaseModel, SecretStr

from shared.contracts.http.identity import (
    AccountRight,
    AccountRights,
    CustomerSession,
    OneTimeCodeSent,
    OneTimeCodeVerified,
    SendOneTimeCode,
    SessionOwner,
    SessionToken,
    SignIn,
    VerifyOneTimeCode,
)
from shared.contracts.http.ledger import Account
from shared.contracts.http.payments import InitiatePayment, Payment, PaymentPage
from shared.kit.app import Context
from shared.kit.peers import OnBehalfOf, PeerRefused, ReplyT

#: Accounts of one customer that are looked up; a person has a few.
MAX_ACCOUNTS = 50
#: Verifying a password takes time by design.
SIGN_IN_TIMEOUT_MS = 5_000.0
#: Longest wait for one answer where the request brings no shorter deadline.
READ_TIMEOUT_MS = 2_000.0


async def initiate_payment(
    context: Context, *, order: InitiatePayment, timeout_ms: float
) -> Payment:
    """Idempotent by `payment_id`. Raises `PeerRefused`, `PeerUnavailable`."""
    return await context.peers["payments"].call(
        "POST",
        "/v1/payments",
        reply=Payment,
        body=order,
        timeout_ms=timeout_ms,
        behalf=OnBehalfOf(partner_id=order.partner_id, customer_id=order.customer_id),
        idempotency_key=str(order.payment_id),
    )


async def find_payment(context: Context, *, payment_id: UUID, partner_id: str) -> Payment | None:
    """None where payments has no such payment. Raises `PeerUnavailable`."""
    try:
        return await context.peers["payments"].call(
            "GET",
            f"/v1/payments/{payment_id}",
            reply=Payment,
            timeout_ms=READ_TIMEOUT_MS,
            behalf=OnBehalfOf(partner_id=partner_id),
        )
    except PeerRefused as refusal:
        if refusal.status == 404:
            return None
        raise


async def list_payments(
    context: Context,
    *,
    partner_id: str | None = None,
    customer_id: str | None = None,
    before: UUID | None,
    limit: int,
) -> PaymentPage:
    """The payments of one partner or of one customer, the youngest first."""
    given = {
        "partner_id": partner_id,
        "customer_id": customer_id,
        "before": str(before) if before else None,
        "limit": str(limit),
    }
    params = {name: value for name, value in given.items() if value is not None}
    return await context.peers["payments"].call(
        "GET",
        "/v1/payments",
        reply=PaymentPage,
        params=params,
        timeout_ms=READ_TIMEOUT_MS,
        behalf=OnBehalfOf(partner_id=partner_id, customer_id=customer_id),
    )


async def sign_in(context: Context, *, body: SignIn) -> CustomerSession:
    """Raises `PeerRefused` (`sign_in_refused`, `locked_out`), `PeerUnavailable`."""
    content = await context.peers["identity"].send(
        "POST", "/v1/customers/sign-ins", content=_revealed(body), timeout_ms=SIGN_IN_TIMEOUT_MS
    )
    return CustomerSession.model_validate_json(content)


async def session_owner(context: Context, *, session_token: str) -> SessionOwner:
    """Whose session it is. Raises `PeerRefused` (`session_over`), `PeerUnavailable`."""
    content = await context.peers["identity"].send(
        "POST",
        "/v1/sessions/verification",
        content=_token_body(session_token),
        timeout_ms=READ_TIMEOUT_MS,
    )
    return SessionOwner.model_validate_json(content)


async def sign_out(context: Context, *, session_token: str) -> None:
    await context.peers["identity"].send(
        "POST",
        "/v1/sessions/end",
        content=_token_body(session_token),
        timeout_ms=READ_TIMEOUT_MS,
    )


async def account_rights(context: Context, *, customer_id: str) -> list[AccountRight]:
    """The accounts that the customer owns or may use, a bounded number."""
    rights = await context.peers["identity"].call(
        "GET",
        f"/v1/customers/{customer_id}/account-rights",
        reply=AccountRights,
        timeout_ms=READ_TIMEOUT_MS,
        behalf=OnBehalfOf(customer_id=customer_id),
    )
    return rights.items[:MAX_ACCOUNTS]


async def send_code(context: Context, *, body: SendOneTimeCode) -> OneTimeCodeSent:
    """Raises `PeerRefused` (`too_many_codes`), `PeerUnavailable` (no way to the customer)."""
    return await context.peers["identity"].call(
        "POST",
        "/v1/one-time-codes",
        reply=OneTimeCodeSent,
        body=body,
        timeout_ms=READ_TIMEOUT_MS,
        behalf=OnBehalfOf(customer_id=body.customer_id),
    )


async def verify_code(
    context: Context, *, challenge_id: UUID, body: VerifyOneTimeCode
) -> OneTimeCodeVerified:
    """Raises `PeerRefused` (`code_wrong`, `code_expired`, `code_spent`), `PeerUnavailable`."""
    content = await context.peers["identity"].send(
        "POST",
        f"/v1/one-time-codes/{challenge_id}/verification",
        content=_revealed(body),
        timeout_ms=READ_TIMEOUT_MS,
        behalf=OnBehalfOf(customer_id=body.customer_id),
    )
    return OneTimeCodeVerified.model_validate_json(content)


async def accounts(context: Context, *, rights: Sequence[AccountRight]) -> list[Account | None]:
    """The ledger's account behind each right, in order; None where the ledger has none."""
    return list(
        await asyncio.gather(*(_account(context, account_id=right.account_id) for right in rights))
    )


async def _account(context: Context, *, account_id: str) -> Account | None:
    try:
        return await context.peers["ledger"].call(
            "GET", f"/v1/accounts/{account_id}", reply=Account, timeout_ms=READ_TIMEOUT_MS
        )
    except PeerRefused as refusal:
        if refusal.status == 404:
            return None
        raise


async def ask(
    context: Context,
    service: str,
    method: str,
    path: str,
    *,
    customer_id: str,
    reply: type[ReplyT],
    body: BaseModel | None = None,
    params: dict[str, str] | None = None,
    idempotency_key: str | None = None,
    timeout_ms: float = READ_TIMEOUT_MS,
) -> ReplyT:
    """One call to `service` for a customer in a session of the customer's own."""
    return await context.peers[service].call(
        method,
        path,
        reply=reply,
        body=body,
        params=params,
        timeout_ms=timeout_ms,
        behalf=OnBehalfOf(customer_id=customer_id),
        idempotency_key=idempotency_key,
    )


def _revealed(body: BaseModel) -> bytes:
    """The body with its secrets, which a model's own JSON masks."""
    values = {
        name: value.get_secret_value() if isinstance(value, SecretStr) else value
        for name, value in body
    }
    return json.dumps(values).encode()


def _token_body(session_token: str) -> bytes:
    return _revealed(SessionToken(session_token=SecretStr(session_token)))
