"""What the standard's resources ask of the services behind, each within a customer's consent."""

from collections.abc import Sequence

from gateway.clients import READ_TIMEOUT_MS, account_rights, accounts
from gateway.open_banking.domain import Days
from shared.contracts.http.identity import AccountRight, AccountRights, Customer
from shared.contracts.http.ledger import Account, BalanceAsOf, Direction, EntryPage
from shared.contracts.http.payments import Payee, PayeeList, StandingOrderList, StandingOrderState
from shared.kit.app import Context
from shared.kit.peers import OnBehalfOf


async def usable_accounts(
    context: Context, *, customer_id: str, among: Sequence[str]
) -> list[Account]:
    """Those of `among` that the customer may still use, as the ledger has them now."""
    rights = await account_rights(context, customer_id=customer_id)
    allowed = [right for right in rights if right.account_id in set(among)]
    found = await accounts(context, rights=allowed)
    return [account for account in found if account is not None]


async def entries(
    context: Context,
    *,
    account_id: str,
    days: Days,
    direction: Direction | None,
    offset: int,
    limit: int,
) -> EntryPage:
    params = {
        "first": days.first.isoformat(),
        "last": days.last.isoformat(),
        "offset": str(offset),
        "limit": str(limit),
    }
    if direction is not None:
        params["direction"] = direction
    return await context.peers["ledger"].call(
        "GET",
        f"/v1/accounts/{account_id}/entries",
        reply=EntryPage,
        params=params,
        timeout_ms=READ_TIMEOUT_MS,
    )


async def balance_on(context: Context, *, account_id: str, on: str) -> BalanceAsOf:
    """The balance at the end of a booking day."""
    return await context.peers["ledger"].call(
        "GET",
        f"/v1/accounts/{account_id}/balance",
        reply=BalanceAsOf,
        params={"on": on, "by": "booking"},
        timeout_ms=READ_TIMEOUT_MS,
    )


async def customer(context: Context, *, customer_id: str) -> Customer:
    return await context.peers["identity"].call(
        "GET",
        f"/v1/customers/{customer_id}",
        reply=Customer,
        timeout_ms=READ_TIMEOUT_MS,
        behalf=OnBehalfOf(customer_id=customer_id),
    )


async def holders(context: Context, *, account_id: str) -> list[AccountRight]:
    """Who may use an account."""
    found = await context.peers["identity"].call(
        "GET",
        "/v1/account-rights",
        reply=AccountRights,
        params={"account_id": account_id},
        timeout_ms=READ_TIMEOUT_MS,
    )
    return found.items


async def payees(context: Context, *, customer_id: str) -> list[Payee]:
    found = await context.peers["payments"].call(
        "GET",
        f"/v1/customers/{customer_id}/payees",
        reply=PayeeList,
        timeout_ms=READ_TIMEOUT_MS,
        behalf=OnBehalfOf(customer_id=customer_id),
    )
    return found.items


async def standing_orders(
    context: Context, *, customer_id: str, account_id: str
) -> list[StandingOrderState]:
    found = await context.peers["payments"].call(
        "GET",
        "/v1/standing-orders",
        reply=StandingOrderList,
        params={"debtor_account": account_id},
        timeout_ms=READ_TIMEOUT_MS,
        behalf=OnBehalfOf(customer_id=customer_id),
    )
    return found.items
