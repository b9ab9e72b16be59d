"""The ledger's HTTP routes for accounts and transfers. Holds have their own file."""

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Response

from services.ledger import service
from services.ledger.accounts import service as accounts
from services.ledger.queues import queues_of
from shared.contracts.http import ledger as contract
from shared.contracts.values import AccountId, CustomerId
from shared.kit.app import Ctx
from shared.kit.auth import Caller, allow
from shared.kit.idempotency import IdempotencyKey, once_in
from shared.kit.replies import written

Operator = Annotated[Caller, Depends(allow(roles=("operator",)))]
Poster = Annotated[Caller, Depends(allow("payments", roles=("operator",)))]
Viewer = Annotated[Caller, Depends(allow("gateway", "payments", roles=("operator", "reviewer")))]
AccountPath = Annotated[AccountId, Path()]
PageSize = Annotated[int, Query(ge=1, le=1_000)]
Basis = Annotated[Literal["value", "booking"], Query(description="By value or by booking date")]

router = APIRouter(prefix="/v1", tags=["ledger"])


# First, since routes are tried in order and this one is asked for most.
@router.post("/transfers", status_code=201, response_model=contract.Transfer)
async def post_transfer(body: contract.PostTransfer, context: Ctx, _: Poster) -> Response:
    order = service.order_of(body, now=context.clock())
    return written(await queues_of(context).transfers.submit(order), status=201)


@router.get("/chart")
async def get_chart(context: Ctx, _: Viewer) -> list[contract.ChartLine]:
    async with context.database.statement() as session:
        return await accounts.chart(session)


@router.post("/accounts", status_code=201)
async def open_account(body: contract.OpenAccount, context: Ctx, _: Operator) -> contract.Account:
    async with context.database.transaction() as session:
        reply = await accounts.open_account(session, body=body, now=context.clock())
    context.published()
    return reply


@router.get("/accounts")
async def list_accounts(
    context: Ctx,
    _: Viewer,
    holder_id: CustomerId | None = None,
    chart_code: str | None = None,
    after: AccountId | None = None,
    limit: PageSize = 100,
) -> contract.AccountPage:
    async with context.database.statement() as session:
        return await accounts.list_accounts(
            session, holder_id=holder_id, chart_code=chart_code, after=after, limit=limit
        )


@router.get("/accounts/{account_id}")
async def read_account(account_id: AccountPath, context: Ctx, _: Viewer) -> contract.Account:
    async with context.database.statement() as session:
        return await accounts.read_account(session, account_id=account_id)


@router.post("/accounts/{account_id}/freeze")
async def freeze_account(
    account_id: AccountPath,
    body: contract.FreezeAccount,
    context: Ctx,
    caller: Operator,
    key: IdempotencyKey,
) -> contract.Account:
    return await _set_frozen(context, caller, account_id, body, key, frozen=True)


@router.post("/accounts/{account_id}/unfreeze")
async def unfreeze_account(
    account_id: AccountPath,
    body: contract.FreezeAccount,
    context: Ctx,
    caller: Operator,
    key: IdempotencyKey,
) -> contract.Account:
    return await _set_frozen(context, caller, account_id, body, key, frozen=False)


async def _set_frozen(
    context: Ctx,
    caller: Caller,
    account_id: str,
    body: contract.FreezeAccount,
    key: str,
    *,
    frozen: bool,
) -> contract.Account:
    now = context.clock()
    return await once_in(
        context,
        scope=f"{caller.staff_id} frozen={frozen} {account_id}",
        key=key,
        body=body,
        reply=contract.Account,
        act=lambda session: accounts.set_frozen(
            session,
            account_id=account_id,
            frozen=frozen,
            reason=body.reason,
            caller=caller,
            now=now,
        ),
    )


@router.put("/accounts/{account_id}/floor")
async def set_floor(
    account_id: AccountPath,
    body: contract.SetFloor,
    context: Ctx,
    caller: Operator,
    key: IdempotencyKey,
) -> contract.Account:
    now = context.clock()
    return await once_in(
        context,
        scope=f"{caller.staff_id} floor {account_id}",
        key=key,
        body=body,
        reply=contract.Account,
        act=lambda session: accounts.set_floor(
            session,
            account_id=account_id,
            floor_minor=body.floor_minor,
            reason=body.reason,
            caller=caller,
            now=now,
        ),
    )


@router.get("/accounts/{account_id}/balance")
async def balance_as_of(
    account_id: AccountPath, context: Ctx, _: Viewer, on: date, by: Basis = "booking"
) -> contract.BalanceAsOf:
    async with context.database.statement() as session:
        return await accounts.balance_as_of(session, account_id=account_id, by=by, on=on)


@router.get("/accounts/{account_id}/statement")
async def statement(
    account_id: AccountPath,
    context: Ctx,
    _: Viewer,
    first: date,
    last: date,
    by: Basis = "booking",
    after: Annotated[int, Query(ge=0)] = 0,
    limit: PageSize = 100,
) -> contract.StatementPage:
    async with context.database.statement() as session:
        return await accounts.statement(
            session,
            account_id=account_id,
            by=by,
            first=first,
            last=last,
            after=after,
            limit=limit,
        )


@router.get("/accounts/{account_id}/entries")
async def list_entries(
    account_id: AccountPath,
    context: Ctx,
    _: Viewer,
    first: date,
    last: date,
    direction: contract.Direction | None = None,
    offset: Annotated[int, Query(ge=0, le=100_000_000)] = 0,
    limit: PageSize = 100,
) -> contract.EntryPage:
    """Entries booked on the days `first` to `last`, with the account on their other side."""
    async with context.database.transaction() as session:
        return await accounts.list_entries(
            session,
            account_id=account_id,
            first=first,
            last=last,
            direction=direction,
            offset=offset,
            limit=limit,
        )


@router.post("/transfers/bulk", response_model=contract.BulkResult)
async def post_transfers(body: contract.PostTransfers, context: Ctx, _: Poster) -> Response:
    async with context.database.statement() as session:
        reply = await service.post_transfers(session, body=body, now=context.clock())
    context.published()
    return written(reply, status=200)


@router.get("/transfers/{transfer_id}")
async def read_transfer(transfer_id: UUID, context: Ctx, _: Viewer) -> contract.Transfer:
    async with context.database.statement() as session:
        return await service.read_transfer(session, transfer_id=transfer_id)


@router.post("/transfers/{transfer_id}/reversal", status_code=201)
async def reverse_transfer(
    transfer_id: UUID, body: contract.ReverseTransfer, context: Ctx, caller: Poster
) -> contract.Transfer:
    async with context.database.transaction() as session:
        reply = await service.reverse_transfer(
            session, transfer_id=transfer_id, body=body, caller=caller, now=context.clock()
        )
    context.published()
    return reply
