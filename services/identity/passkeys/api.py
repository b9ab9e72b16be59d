"""Routes of passkeys: the gateway asks for a customer in a session or on a page of its own.

They take no idempotency key: a challenge is asked for again, and answered once.
"""

import secrets
from typing import Annotated

from fastapi import APIRouter, Depends, status
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url

from services.identity.passkeys import service
from services.identity.passkeys.domain import NONCE_BYTES, PasskeyNotFound, StoredPasskey
from shared.contracts.http import identity_passkeys as http
from shared.contracts.values import CustomerId
from shared.kit.app import Ctx
from shared.kit.auth import Caller, allow
from shared.kit.clock import new_id

router = APIRouter(tags=["passkeys"])

Gateway = Annotated[Caller, Depends(allow("gateway"))]


@router.post("/v1/passkeys/registration-challenges", status_code=status.HTTP_201_CREATED)
async def ask_registration(
    body: http.AskRegistration, context: Ctx, _: Gateway
) -> http.PasskeyChallenge:
    """What a customer's authenticator needs to make a passkey."""
    async with context.database.transaction() as session:
        return await service.ask_registration(
            session,
            asked=body,
            challenge_id=new_id(),
            nonce=secrets.token_bytes(NONCE_BYTES),
            now=context.clock(),
        )


@router.post("/v1/passkeys", status_code=status.HTTP_201_CREATED)
async def register(body: http.RegisterPasskey, context: Ctx, _: Gateway) -> http.Passkey:
    """Keep the passkey that an authenticator made."""
    async with context.database.transaction() as session:
        return _reply(await service.register(session, wanted=body, now=context.clock()))


@router.post("/v1/passkeys/challenges", status_code=status.HTTP_201_CREATED)
async def ask_assertion(body: http.AskAssertion, context: Ctx, _: Gateway) -> http.PasskeyChallenge:
    """A challenge to sign in, or to confirm one subject with its message."""
    async with context.database.transaction() as session:
        return await service.ask_assertion(
            session,
            asked=body,
            challenge_id=new_id(),
            nonce=secrets.token_bytes(NONCE_BYTES),
            now=context.clock(),
        )


@router.post("/v1/passkeys/verifications")
async def verify_assertion(
    body: http.VerifyAssertion, context: Ctx, _: Gateway
) -> http.PasskeyVerified:
    """Who signed: a challenge counts once, for its purpose, subject and message."""
    async with context.database.transaction() as session:
        return await service.verify_assertion(session, answered=body, now=context.clock())


@router.get("/v1/customers/{customer_id}/passkeys")
async def list_passkeys(customer_id: CustomerId, context: Ctx, _: Gateway) -> http.PasskeyList:
    async with context.database.transaction() as session:
        found = await service.passkeys_of(session, customer_id=customer_id)
    return http.PasskeyList(items=[_reply(one) for one in found])


@router.delete(
    "/v1/customers/{customer_id}/passkeys/{passkey_id}", status_code=status.HTTP_204_NO_CONTENT
)
async def remove_passkey(
    customer_id: CustomerId, passkey_id: str, context: Ctx, _: Gateway
) -> None:
    try:
        credential_id = base64url_to_bytes(passkey_id)
    except ValueError as error:
        raise PasskeyNotFound from error
    async with context.database.transaction() as session:
        await service.remove(session, customer_id=customer_id, credential_id=credential_id)


def _reply(passkey: StoredPasskey) -> http.Passkey:
    return http.Passkey(
        passkey_id=bytes_to_base64url(passkey.credential_id),
        name=passkey.name,
        created_at=passkey.created_at,
        last_used_at=passkey.last_used_at,
    )
