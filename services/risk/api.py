"""The HTTP routes of risk."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Response

from services.risk import service
from services.risk.engine import Engine
from services.risk.payments import service as payments
from services.risk.payments.queue import queue_of
from shared.contracts.http import risk as contract
from shared.kit.app import Context, Ctx
from shared.kit.auth import Caller, allow
from shared.kit.replies import written

Payments = Annotated[Caller, Depends(allow("payments"))]
Viewer = Annotated[Caller, Depends(allow("payments", roles=("operator", "reviewer")))]

router = APIRouter(prefix="/v1", tags=["risk"])


def engine_of(context: Context) -> Engine:
    """What the start-up has built."""
    engine: Engine = context.resources["engine"]
    return engine


@router.post("/decisions", response_model=contract.Decision)
async def decide_payment(body: contract.DecidePayment, context: Ctx, caller: Payments) -> Response:
    """Approve, review or decline one payment. The decision's id is the idempotency key."""
    order = payments.order_of(body, caller=caller, now=context.clock())
    return written(await queue_of(context).submit(order), status=200)


@router.get("/decisions/{decision_id}")
async def read_decision(decision_id: UUID, context: Ctx, _: Viewer) -> contract.DecisionRecord:
    """A decision as it was made: features, versions, time taken."""
    async with context.database.statement() as session:
        return await service.read_decision(session, decision_id=decision_id)


@router.get("/model")
async def read_model(context: Ctx, _: Viewer) -> contract.ModelCard:
    """The model in use and its measures out of time."""
    return service.model_card(engine_of(context))
