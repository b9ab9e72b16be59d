"""The HTTP routes of risk."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query

from services.risk import service
from services.risk.service import Engine
from shared.contracts.http import risk as contract
from shared.contracts.values import AccountId, Contract, Name
from shared.kit.app import Context, Ctx
from shared.kit.auth import Caller, allow
from shared.kit.idempotency import IdempotencyKey, once

Payments = Annotated[Caller, Depends(allow("payments"))]
Operator = Annotated[Caller, Depends(allow(roles=("operator",)))]
Viewer = Annotated[Caller, Depends(allow("payments", roles=("operator", "reviewer")))]
AccountPath = Annotated[AccountId, Path()]
PageSize = Annotated[int, Query(ge=1, le=1_000)]

router = APIRouter(prefix="/v1", tags=["risk"])


def engine_of(context: Context) -> Engine:
    """What the start-up has built."""
    engine: Engine = context.resources["engine"]
    return engine


@router.post("/decisions")
async def decide_payment(
    body: contract.DecidePayment, context: Ctx, caller: Payments
) -> contract.Decision:
    """Approve, review or decline one payment. The decision's id is the idempotency key."""
    async with context.database.statement() as session:
        reply = await service.decide_payment(
            session, engine=engine_of(context), body=body, caller=caller, now=context.clock()
        )
    context.published()
    return reply


@router.get("/decisions/{decision_id}")
async def read_decision(decision_id: UUID, context: Ctx, _: Viewer) -> contract.DecisionRecord:
    """A decision as it was made: features, versions, time taken."""
    async with context.database.statement() as session:
        return await service.read_decision(session, decision_id=decision_id)


@router.get("/model")
async def read_model(context: Ctx, _: Viewer) -> contract.ModelCard:
    """The model in use and its measures out of time."""
    return service.model_card(engine_of(context))


@router.get("/listed-accounts")
async def listed_accounts(
    context: Ctx,
    _: Operator,
    after: Annotated[AccountId | None, Query()] = None,
    limit: PageSize = 100,
) -> contract.ListedAccounts:
    """The black list."""
    async with context.database.transaction() as session:
        return await service.listed_accounts(session, after=after, now=context.clock(), limit=limit)


@router.post("/listed-accounts", status_code=201)
async def list_account(
    body: contract.ListAccount, context: Ctx, caller: Operator, key: IdempotencyKey
) -> contract.ListedAccount:
    """Put an account on the black list: payments to it are declined from now on."""
    now = context.clock()
    async with context.database.transaction() as session:
        reply = await once(
            session,
            scope=f"{caller.staff_id} list",
            key=key,
            body=body,
            now=now,
            reply=contract.ListedAccount,
            act=lambda: service.list_account(session, body=body, caller=caller, now=now),
        )
    context.published()
    return reply


class UnlistAccount(Contract):
    reason: Name


@router.post("/listed-accounts/{account_id}/removal")
async def unlist_account(
    account_id: AccountPath,
    body: UnlistAccount,
    context: Ctx,
    caller: Operator,
    key: IdempotencyKey,
) -> contract.ListedAccount:
    """Take an account off the black list; the answer is what was listed."""
    now = context.clock()
    async with context.database.transaction() as session:
        reply = await once(
            session,
            scope=f"{caller.staff_id} unlist {account_id}",
            key=key,
            body=body,
            now=now,
            reply=contract.ListedAccount,
            act=lambda: service.unlist_account(
                session, account_id=account_id, reason=body.reason, caller=caller, now=now
            ),
        )
    context.published()
    return reply
