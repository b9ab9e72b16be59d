"""Routes of one-time codes.

They take no idempotency key: asked again, a new code is sent and both are counted.
"""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, status

from services.identity.codes import flows
from shared.contracts.http import identity as http
from shared.kit.app import Ctx
from shared.kit.auth import Caller, allow

router = APIRouter(tags=["one-time codes"])

Gateway = Annotated[Caller, Depends(allow("gateway"))]


@router.post("/v1/one-time-codes", status_code=status.HTTP_201_CREATED)
async def send_code(body: http.SendOneTimeCode, context: Ctx, _: Gateway) -> http.OneTimeCodeSent:
    """Send a customer a six-digit code for one purpose and one subject."""
    return await flows.send_code(context, wanted=body)


@router.post("/v1/one-time-codes/{challenge_id}/verification")
async def verify_code(
    challenge_id: UUID, body: http.VerifyOneTimeCode, context: Ctx, _: Gateway
) -> http.OneTimeCodeVerified:
    """Try a code: it counts once, within five minutes and five tries."""
    return await flows.verify_code(context, challenge_id=challenge_id, tried=body)
