"""HTTP routes of holds. Payments alone places them; an operator may look."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Response

from services.ledger.holds import service
from services.ledger.queues import queues_of
from shared.contracts.http import ledger as contract
from shared.kit.app import Ctx
from shared.kit.auth import Caller, allow
from shared.kit.replies import written

Payments = Annotated[Caller, Depends(allow("payments"))]
Viewer = Annotated[Caller, Depends(allow("payments", roles=("operator", "reviewer")))]

router = APIRouter(prefix="/v1/holds", tags=["holds"])


@router.post("", status_code=201, response_model=contract.Hold)
async def place_hold(body: contract.PlaceHold, context: Ctx, _: Payments) -> Response:
    order = service.placing(body, now=context.clock())
    return written(await queues_of(context).places.submit(order), status=201)


@router.post("/{hold_id}/capture", response_model=contract.Hold)
async def capture_hold(
    hold_id: UUID, body: contract.CaptureHold, context: Ctx, _: Payments
) -> Response:
    order = service.capturing(hold_id, body)
    return written(await queues_of(context).captures.submit(order), status=200)


@router.get("/{hold_id}")
async def read_hold(hold_id: UUID, context: Ctx, _: Viewer) -> contract.Hold:
    async with context.database.statement() as session:
        return await service.read(session, hold_id=hold_id, now=context.clock())


@router.post("/{hold_id}/extension")
async def extend_hold(
    hold_id: UUID, body: contract.ExtendHold, context: Ctx, _: Payments
) -> contract.Hold:
    async with context.database.statement() as session:
        return await service.extend(session, hold_id=hold_id, body=body, now=context.clock())


@router.post("/{hold_id}/release")
async def release_hold(hold_id: UUID, context: Ctx, _: Payments) -> contract.Hold:
    async with context.database.statement() as session:
        return await service.release(session, hold_id=hold_id, now=context.clock())
