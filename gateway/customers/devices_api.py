"""Routes of customers about their ways in: passkeys, and where they are signed in."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Response

from gateway import resources
from gateway.customers import passkeys
from gateway.customers.callers import Customer
from shared.contracts.http.identity_passkeys import (
    AskRegistration,
    Credential,
    Passkey,
    PasskeyChallenge,
    PasskeyList,
    RegisterPasskey,
    SessionList,
)
from shared.contracts.values import Contract, Name
from shared.kit.app import Ctx

router = APIRouter(tags=["customers"], include_in_schema=False)

PasskeyId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,400}$")]


class NewPasskey(Contract):
    """`RegisterPasskey` without customer and origin, which are known here."""

    challenge_id: UUID
    credential: Credential
    name: Name


@router.post("/v1/me/passkeys/challenges", status_code=201)
async def ask_registration(context: Ctx, customer: Customer) -> PasskeyChallenge:
    """Hand `options` to `navigator.credentials.create` on the bank's own pages."""
    asked = AskRegistration(
        customer_id=customer.customer_id, origin=resources.of(context).settings.public_url
    )
    return await passkeys.ask_registration(context, asked=asked)


@router.post("/v1/me/passkeys", status_code=201)
async def add_passkey(body: NewPasskey, context: Ctx, customer: Customer) -> Passkey:
    wanted = RegisterPasskey(
        customer_id=customer.customer_id,
        origin=resources.of(context).settings.public_url,
        challenge_id=body.challenge_id,
        credential=body.credential,
        name=body.name,
    )
    return await passkeys.register(context, wanted=wanted)


@router.get("/v1/me/passkeys")
async def my_passkeys(context: Ctx, customer: Customer) -> PasskeyList:
    return await passkeys.passkeys_of(context, customer_id=customer.customer_id)


@router.delete("/v1/me/passkeys/{passkey_id}", status_code=204)
async def remove_passkey(passkey_id: PasskeyId, context: Ctx, customer: Customer) -> Response:
    await passkeys.remove(context, customer_id=customer.customer_id, passkey_id=passkey_id)
    return Response(status_code=204)


@router.get("/v1/me/sessions")
async def my_sessions(context: Ctx, customer: Customer) -> SessionList:
    """Where the customer is signed in now, the youngest first."""
    return await passkeys.sessions_of(context, customer_id=customer.customer_id)


@router.delete("/v1/me/sessions/{session_id}", status_code=204)
async def end_session(session_id: UUID, context: Ctx, customer: Customer) -> Response:
    """Signs out another device; again is the same as once."""
    await passkeys.end_session(context, customer_id=customer.customer_id, session_id=session_id)
    return Response(status_code=204)
