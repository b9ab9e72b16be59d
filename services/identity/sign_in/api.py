"""Routes of sign-in: credentials, sessions, staff.

Sign-ins take no idempotency key: its stored answer would be a token at rest.
"""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, status

from services.identity.domain import KEEPS_CUSTOMERS, KEEPS_STAFF
from services.identity.sign_in import flows, service
from shared.contracts.http import identity as http
from shared.contracts.http import identity_passkeys as passkeys_http
from shared.contracts.values import CustomerId
from shared.kit.app import Ctx
from shared.kit.auth import Caller, allow

router = APIRouter(tags=["sign-in"])

Keeper = Annotated[Caller, Depends(allow(roles=KEEPS_CUSTOMERS))]
StaffKeeper = Annotated[Caller, Depends(allow(roles=KEEPS_STAFF))]
Gateway = Annotated[Caller, Depends(allow("gateway"))]


@router.put("/v1/customers/{customer_id}/credentials", status_code=status.HTTP_204_NO_CONTENT)
async def set_credentials(
    customer_id: CustomerId, body: http.SetCredentials, context: Ctx, caller: Keeper
) -> None:
    """Give a customer a login name and a password; sessions under the old ones end."""
    await flows.set_credentials(context, customer_id=customer_id, wanted=body, caller=caller)


@router.post("/v1/customers/sign-ins", status_code=status.HTTP_201_CREATED)
async def sign_in(body: http.SignIn, context: Ctx, _: Gateway) -> http.CustomerSession:
    """Begin a customer's session: 30 minutes idle, 8 hours in all."""
    return await flows.sign_in(context, tried=body)


@router.post("/v1/sessions/verification")
async def verify_session(body: http.SessionToken, context: Ctx, _: Gateway) -> http.SessionOwner:
    """Whose session a token is; its idle time starts anew."""
    async with context.database.transaction() as session:
        return await service.verify_session(
            session, token=body.session_token.get_secret_value(), now=context.clock()
        )


@router.post("/v1/sessions/end", status_code=status.HTTP_204_NO_CONTENT)
async def end_session(body: http.SessionToken, context: Ctx, _: Gateway) -> None:
    """End a session; one that is over stays so."""
    async with context.database.transaction() as session:
        await service.end_session(
            session, token=body.session_token.get_secret_value(), now=context.clock()
        )


@router.get("/v1/customers/{customer_id}/sessions")
async def list_sessions(
    customer_id: CustomerId, context: Ctx, _: Gateway
) -> passkeys_http.SessionList:
    """Where the customer is signed in now."""
    async with context.database.transaction() as session:
        return await service.sessions_of(session, customer_id=customer_id, now=context.clock())


@router.post(
    "/v1/customers/{customer_id}/sessions/{session_id}/end",
    status_code=status.HTTP_204_NO_CONTENT,
)
async def end_session_of(
    customer_id: CustomerId, session_id: UUID, context: Ctx, _: Gateway
) -> None:
    """End a session on another device; one that is over stays so."""
    async with context.database.transaction() as session:
        await service.end_session_of(
            session, customer_id=customer_id, session_id=session_id, now=context.clock()
        )


@router.post("/v1/staff", status_code=status.HTTP_201_CREATED)
async def register_staff(
    body: http.RegisterStaff, context: Ctx, caller: StaffKeeper
) -> http.StaffMember:
    """Register a member of staff. The same again changes nothing."""
    member = await flows.register_staff(
        context.database,
        flows.passwords_of(context),
        wanted=body,
        caller=caller,
        clock=context.clock,
    )
    context.published()
    return member


@router.post("/v1/staff/sign-ins", status_code=status.HTTP_201_CREATED)
async def sign_in_staff(body: http.SignIn, context: Ctx) -> http.StaffToken:
    """A member of staff's token, good for 15 minutes. Open to operators: it needs no token."""
    return await flows.sign_in_staff(context, tried=body)
