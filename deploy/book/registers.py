"""From a book's records to what identity, payments and the ledger keep of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TypeVar

from pydantic import BaseModel

from deploy.book.records import Book, Role
from shared.contracts.http.identity import (
    GrantRight,
    GrantRights,
    ReferenceRecord,
    ReferenceRecords,
    RegisterCustomer,
    RegisterCustomers,
)
from shared.contracts.http.ledger import OpenAccount
from shared.contracts.http.payments import StandingOrder, StandingOrders

DEPOSITS = "2011"  # the chart's line of customers' accounts
BATCH = 1_000
MAX_DISTRICT = 80

Item = TypeVar("Item")


def owners(book: Book) -> dict[str, str]:
    """The owner of each account, both as the book numbers them."""
    return {right.account: right.customer for right in book.rights if right.role is Role.OWNER}


def customers(book: Book) -> list[RegisterCustomer]:
    """The customers, registered when their first account was opened.

    A customer without an account in the book is registered on its last day.
    """
    opened = {account.id: account.opened_on for account in book.accounts}
    since: dict[str, date] = {}
    for right in book.rights:
        day = opened[right.account]
        since[right.customer] = min(day, since.get(right.customer, day))
    return [
        RegisterCustomer(
            customer_id=book.about.id_prefix + customer.id,
            full_name=customer.name,
            born_on=customer.birth_date,
            district=customer.region[:MAX_DISTRICT] or None,
            registered_on=since.get(customer.id, book.about.last_day),
        )
        for customer in book.customers
    ]


def rights(book: Book) -> list[GrantRight]:
    """Who may use which account."""
    prefix = book.about.id_prefix
    return [
        GrantRight(
            account_id=prefix + right.account,
            customer_id=prefix + right.customer,
            right=right.role.value,
        )
        for right in book.rights
    ]


def account_openings(book: Book) -> list[OpenAccount]:
    """The customers' accounts; the holder is the owner."""
    prefix = book.about.id_prefix
    holder = owners(book)
    return [
        OpenAccount(
            account_id=prefix + account.id,
            chart_code=DEPOSITS,
            currency=account.currency,
            holder_id=prefix + holder[account.id],
            floor_minor=account.floor_minor,
            opened_on=account.opened_on,
        )
        for account in book.accounts
    ]


def reference_records(book: Book) -> list[ReferenceRecord]:
    """Cards of their customers, and loans of the accounts' owners."""
    prefix = book.about.id_prefix
    holder = owners(book)
    cards = [
        ReferenceRecord(
            record_id=f"{prefix}card:{card.id}",
            customer_id=prefix + card.customer,
            account_id=prefix + card.account,
            kind="card",
            facts={"type": card.type, "issued_on": card.issued_on.isoformat()},
        )
        for card in book.cards
    ]
    loans = [
        ReferenceRecord(
            record_id=f"{prefix}loan:{loan.id}",
            customer_id=prefix + holder[loan.account],
            account_id=prefix + loan.account,
            kind="loan",
            facts={
                "granted_on": loan.granted_on.isoformat(),
                "amount_minor": loan.amount_minor,
                "currency": loan.currency,
                "months": loan.months,
                "payment_minor": loan.payment_minor,
                "status": loan.status.value,
            },
        )
        for loan in book.loans
    ]
    return cards + loans


def standing_orders(book: Book) -> list[StandingOrder]:
    """Standing orders, which payments keep inactive."""
    prefix = book.about.id_prefix
    return [
        StandingOrder(
            order_id=f"{prefix}{order.id}",
            debtor_account=prefix + order.account,
            creditor_bank=order.counterparty_bank or None,
            creditor_account=order.counterparty_account,
            amount_minor=order.amount_minor,
            currency=order.currency,
            purpose=order.purpose or None,
        )
        for order in book.standing_orders
    ]


@dataclass(frozen=True, slots=True)
class Request:
    """One call that hands a batch over; `what` names it for people."""

    what: str
    service: str
    path: str
    body: BaseModel


def requests(book: Book) -> list[Request]:
    """The calls that fill identity and payments, customers first, since the rest names them."""
    found = [
        Request("customers", "identity", "/v1/customers/bulk", RegisterCustomers(customers=batch))
        for batch in batches(customers(book), BATCH)
    ]
    found += [
        Request("account rights", "identity", "/v1/account-rights/bulk", GrantRights(rights=batch))
        for batch in batches(rights(book), BATCH)
    ]
    found += [
        Request(
            "cards and loans",
            "identity",
            "/v1/reference-records/bulk",
            ReferenceRecords(records=batch),
        )
        for batch in batches(reference_records(book), BATCH)
    ]
    found += [
        Request(
            "standing orders",
            "payments",
            "/v1/standing-orders/bulk",
            StandingOrders(orders=batch),
        )
        for batch in batches(standing_orders(book), BATCH)
    ]
    return found


def batches(items: Sequence[Item], size: int) -> Iterator[list[Item]]:
    """The items in their order, so many at a time."""
    for start in range(0, len(items), size):
        yield list(items[start : start + size])
