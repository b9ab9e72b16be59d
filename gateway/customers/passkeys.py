"""Calls to identity about passkeys and sessions: one function for each that the gateway asks."""

from uuid import UUID

from gateway.clients import READ_TIMEOUT_MS, ask
from shared.contracts.http.identity_passkeys import (
    AskAssertion,
    AskRegistration,
    Passkey,
    PasskeyChallenge,
    PasskeyList,
    PasskeyVerified,
    RegisterPasskey,
    SessionList,
    VerifyAssertion,
)
from shared.kit.app import Context
from shared.kit.peers import OnBehalfOf


async def ask_registration(context: Context, *, asked: AskRegistration) -> PasskeyChallenge:
    """Raises `PeerRefused` (`too_many_passkeys`, `no_place_for_passkeys`), `PeerUnavailable`."""
    return await ask(
        context,
        "identity",
        "POST",
        "/v1/passkeys/registration-challenges",
        customer_id=asked.customer_id,
        reply=PasskeyChallenge,
        body=asked,
    )


async def register(context: Context, *, wanted: RegisterPasskey) -> Passkey:
    """Raises `PeerRefused` (`passkey_refused`, `passkey_exists`), `PeerUnavailable`."""
    return await ask(
        context,
        "identity",
        "POST",
        "/v1/passkeys",
        customer_id=wanted.customer_id,
        reply=Passkey,
        body=wanted,
    )


async def ask_assertion(context: Context, *, asked: AskAssertion) -> PasskeyChallenge:
    """Raises `PeerRefused` (`passkey_not_found`, `no_place_for_passkeys`), `PeerUnavailable`."""
    return await context.peers["identity"].call(
        "POST",
        "/v1/passkeys/challenges",
        reply=PasskeyChallenge,
        body=asked,
        timeout_ms=READ_TIMEOUT_MS,
    )


async def verify_assertion(context: Context, *, answered: VerifyAssertion) -> PasskeyVerified:
    """Raises `PeerRefused` (`passkey_refused`), `PeerUnavailable`."""
    return await context.peers["identity"].call(
        "POST",
        "/v1/passkeys/verifications",
        reply=PasskeyVerified,
        body=answered,
        timeout_ms=READ_TIMEOUT_MS,
    )


async def passkeys_of(context: Context, *, customer_id: str) -> PasskeyList:
    path = f"/v1/customers/{customer_id}/passkeys"
    return await ask(context, "identity", "GET", path, customer_id=customer_id, reply=PasskeyList)


async def remove(context: Context, *, customer_id: str, passkey_id: str) -> None:
    """Raises `PeerRefused` (`passkey_not_found`), `PeerUnavailable`."""
    await context.peers["identity"].send(
        "DELETE",
        f"/v1/customers/{customer_id}/passkeys/{passkey_id}",
        timeout_ms=READ_TIMEOUT_MS,
        behalf=OnBehalfOf(customer_id=customer_id),
    )


async def sessions_of(context: Context, *, customer_id: str) -> SessionList:
    path = f"/v1/customers/{customer_id}/sessions"
    return await ask(context, "identity", "GET", path, customer_id=customer_id, reply=SessionList)


async def end_session(context: Context, *, customer_id: str, session_id: UUID) -> None:
    await context.peers["identity"].send(
        "POST",
        f"/v1/customers/{customer_id}/sessions/{session_id}/end",
        timeout_ms=READ_TIMEOUT_MS,
        behalf=OnBehalfOf(customer_id=customer_id),
    )
