"""The HTTP routes of risk."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import ValidationError

from services.risk import service
from services.risk.engine import Engine
from services.risk.payments import service as payments
from services.risk.payments.queue import queue_of
from shared.contracts.http import risk as contract
from shared.kit.app import Context, Ctx
from shared.kit.auth import Caller, allow
from shared.kit.replies import written

let_in_payments = allow("payments")
Payments = Annotated[Caller, Depends(let_in_payments)]
Viewer = Annotated[Caller, Depends(allow("payments", roles=("operator", "reviewer")))]

router = APIRouter(prefix="/v1", tags=["risk"])


def engine_of(context: Context) -> Engine:
    """What the start-up has built."""
    engine: Engine = context.resources["engine"]
    return engine


class PaymentRoute(APIRoute):
    """Reads caller and body itself, in one step from the bytes: every payment waits for this
    route, and what FastAPI does for any signature took an eighth of the service's time.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        async def handle(request: Request) -> Response:
            caller = await let_in_payments(request)
            try:
                body = contract.DecidePayment.model_validate_json(await request.body())
            except ValidationError as error:
                raise RequestValidationError(error.errors()) from error
            return await decide_payment(body, request.app.state.context, caller)

        return handle


async def decide_payment(body: contract.DecidePayment, context: Ctx, caller: Payments) -> Response:
    """Approve, review or decline one payment. The decision's id is the idempotency key."""
    order = payments.order_of(body, caller=caller, now=context.clock())
    return written(await queue_of(context).submit(order), status=200)


router.add_api_route(
    "/decisions",
    decide_payment,
    methods=["POST"],
    response_model=contract.Decision,
    route_class_override=PaymentRoute,
)


@router.get("/decisions/{decision_id}")
async def read_decision(decision_id: UUID, context: Ctx, _: Viewer) -> contract.DecisionRecord:
    """A decision as it was made: features, versions, time taken."""
    async with context.database.statement() as session:
        return await service.read_decision(session, decision_id=decision_id)


@router.get("/model")
async def read_model(context: Ctx, _: Viewer) -> contract.ModelCard:
    """The model in use and its measures out of time."""
    return service.model_card(engine_of(context))
