"""What a client reads of a customer's accounts: never more than the customer's consent allows."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256

from gateway import resources
from gateway.grants.domain import subject_of
from gateway.open_banking import clients, shapes
from gateway.open_banking import domain as standard
from gateway.open_banking.access.domain import Reading
from gateway.open_banking.domain import Days, ResourceNotFound
from gateway.open_banking.views import (
    OBBeneficiary5,
    OBParty2,
    OBStandingOrder6,
    OBStatement2,
    OBTransaction6,
)
from shared.contracts.http.identity import Customer, Right
from shared.contracts.http.ledger import Account, Direction
from shared.kit.app import Context
from shared.kit.clock import bank_date


async def readable_accounts(context: Context, *, reading: Reading) -> list[Account]:
    """The accounts of the consent that the customer may still use."""
    return await clients.usable_accounts(
        context, customer_id=reading.customer_id, among=reading.accounts
    )


async def readable_account(context: Context, *, reading: Reading, account_id: str) -> Account:
    """Raises `ResourceNotFound`, alike for what does not exist and for what was not shared."""
    if account_id in reading.accounts:
        found = await clients.usable_accounts(
            context, customer_id=reading.customer_id, among=[account_id]
        )
        if found:
            return found[0]
    raise ResourceNotFound(field="AccountId", expected="an account of the consent")


async def transactions(
    context: Context, *, reading: Reading, account: Account, asked: Days, page: int
) -> tuple[list[OBTransaction6], int]:
    """One page of the booked entries in the order of posting, and how many there are in all.

    The consent's own period and directions narrow what was asked.
    """
    days = asked.within(standard.permitted_days(reading.booked_from, reading.booked_to))
    direction = _direction(reading)
    if days.is_empty:
        return [], 0
    found = await clients.entries(
        context,
        account_id=account.account_id,
        days=days,
        direction=direction,
        offset=(page - 1) * standard.PAGE_SIZE,
        limit=standard.PAGE_SIZE,
    )
    has_details = "ReadTransactionsDetail" in reading.permissions
    items = [
        shapes.transaction_of(entry, account_id=account.account_id, has_details=has_details)
        for entry in found.items
    ]
    return items, found.total


def _direction(reading: Reading) -> Direction | None:
    """The one direction that the consent lets through; None for both."""
    incoming = "ReadTransactionsCredits" in reading.permissions
    outgoing = "ReadTransactionsDebits" in reading.permissions
    if incoming and outgoing:
        return None
    return "credit" if incoming else "debit"


async def beneficiaries(
    context: Context, *, reading: Reading, account_id: str | None
) -> list[OBBeneficiary5]:
    """Whom the customer has paid. Payees are the customer's, whichever account they pay from."""
    found = await clients.payees(context, customer_id=reading.customer_id)
    has_details = "ReadBeneficiariesDetail" in reading.permissions
    return [
        shapes.beneficiary_of(payee, account_id=account_id, has_details=has_details)
        for payee in found
    ]


async def standing_orders(
    context: Context, *, reading: Reading, accounts: Sequence[Account]
) -> list[OBStandingOrder6]:
    has_details = "ReadStandingOrdersDetail" in reading.permissions
    lists = await asyncio.gather(
        *(
            clients.standing_orders(
                context, customer_id=reading.customer_id, account_id=account.account_id
            )
            for account in accounts
        )
    )
    return [
        shapes.standing_order_of(order, has_details=has_details)
        for orders in lists
        for order in orders
    ]


async def own_party(context: Context, *, reading: Reading) -> OBParty2:
    """The customer who gave the consent."""
    found = await clients.customer(context, customer_id=reading.customer_id)
    return await _party(context, reading, found, None)


async def parties(context: Context, *, reading: Reading, account: Account) -> list[OBParty2]:
    """Who may use the account, its owner first."""
    rights = await clients.holders(context, account_id=account.account_id)
    rights.sort(key=lambda right: (right.right != "owner", right.customer_id))
    people = await asyncio.gather(
        *(clients.customer(context, customer_id=right.customer_id) for right in rights)
    )
    return [
        await _party(context, reading, person, right.right)
        for person, right in zip(people, rights, strict=True)
    ]


async def _party(
    context: Context, reading: Reading, person: Customer, right: Right | None
) -> OBParty2:
    """The identifier is this partner's alone: partners cannot compare customers."""
    secret = await resources.of(context).subject_secret(context)
    subject = subject_of(person.customer_id, partner_id=reading.partner_id, secret=secret)
    return shapes.party_of(person, party_id=sha256(subject.encode()).hexdigest()[:40], right=right)


async def statements(
    context: Context,
    *,
    reading: Reading,
    account: Account,
    first: datetime | None,
    last: datetime | None,
    page: int,
) -> tuple[list[OBStatement2], int]:
    """One page of monthly statements, the youngest first, and how many there are in all."""
    asked = Days(
        first.date() if first else standard.FIRST_DAY, last.date() if last else standard.LAST_DAY
    )
    today = bank_date(context.clock())
    months = [
        month
        for month in standard.statement_months(account.opened_on, today=today)
        if asked.first <= month.last <= asked.last
    ]
    begin = (page - 1) * standard.STATEMENT_PAGE_SIZE
    chosen = months[begin : begin + standard.STATEMENT_PAGE_SIZE]
    items = await asyncio.gather(
        *(_statement(context, reading=reading, account=account, month=month) for month in chosen)
    )
    return list(items), len(months)


async def statement(
    context: Context, *, reading: Reading, account: Account, statement_id: str
) -> OBStatement2:
    """Raises `ResourceNotFound`."""
    month = statement_days(context, account=account, statement_id=statement_id)
    return await _statement(context, reading=reading, account=account, month=month)


def statement_days(context: Context, *, account: Account, statement_id: str) -> Days:
    """The days of a statement that this account has. Raises `ResourceNotFound`."""
    month = standard.month_days(statement_id)
    today = bank_date(context.clock())
    if month is None or month.last < account.opened_on or month.last >= today:
        raise ResourceNotFound(field="StatementId", expected="a whole month of this account")
    return month


async def _statement(
    context: Context, *, reading: Reading, account: Account, month: Days
) -> OBStatement2:
    if "ReadStatementsDetail" not in reading.permissions:
        return shapes.statement_of(month, account=account)
    opening, closing = await asyncio.gather(
        clients.balance_on(
            context, account_id=account.account_id, on=standard.day_before(month.first)
        ),
        clients.balance_on(context, account_id=account.account_id, on=month.last.isoformat()),
    )
    return shapes.statement_of(
        month, account=account, balances=(opening.posted_minor, closing.posted_minor)
    )
