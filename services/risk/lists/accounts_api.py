"""HTTP routes of the black list of accounts, for operators."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from services.risk.lists import accounts
from shared.contracts.http import risk as contract
from shared.contracts.values import AccountId, Contract, Name
from shared.kit.app import Ctx
from shared.kit.auth import Caller, allow
from shared.kit.idempotency import IdempotencyKey, once_in

Operator = Annotated[Caller, Depends(allow(roles=("operator",)))]
AccountPath = Annotated[AccountId, Path()]
PageSize = Annotated[int, Query(ge=1, le=1_000)]

router = APIRouter(prefix="/v1", tags=["risk"])


@router.get("/listed-accounts")
async def listed_accounts(
    context: Ctx,
    _: Operator,
    after: Annotated[AccountId | None, Query()] = None,
    limit: PageSize = 100,
) -> contract.ListedAccounts:
    """The black list."""
    async with context.database.transaction() as session:
        return await accounts.listed_accounts(
            session, after=after, now=context.clock(), limit=limit
        )


@router.post("/listed-accounts", status_code=201)
async def list_account(
    body: contract.ListAccount, context: Ctx, caller: Operator, key: IdempotencyKey
) -> contract.ListedAccount:
    """Put an account on the black list: payments to it are declined from now on."""
    now = context.clock()
    return await once_in(
        context,
        scope=f"{caller.staff_id} list",
        key=key,
        body=body,
        reply=contract.ListedAccount,
        act=lambda session: accounts.list_account(session, body=body, caller=caller, now=now),
    )


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
    return await once_in(
        context,
        scope=f"{caller.staff_id} unlist {account_id}",
        key=key,
        body=body,
        reply=contract.ListedAccount,
        act=lambda session: accounts.unlist_account(
            session, account_id=account_id, reason=body.reason, caller=caller, now=now
        ),
    )
