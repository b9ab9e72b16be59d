"""What must hold between the rows of a book, whichever format it came from."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import replace
from typing import Protocol

from deploy.book.ordering import Step, order_account
from deploy.book.records import (
    INCOMING,
    OUTGOING,
    About,
    Account,
    Book,
    Customer,
    Entry,
    Loan,
    Origin,
    Role,
    StandingOrder,
)
from deploy.book.refusal import Findings, place

# Characters that the bank takes for a number, with the book's prefix.
MAX_ACCOUNT = 34
MAX_CUSTOMER = 40


class Identified(Protocol):
    """A record with an id and an origin."""

    @property
    def id(self) -> str:
        """Unique within its file."""

    @property
    def origin(self) -> Origin:
        """Where it came from."""


def check_unique(records: Iterable[Identified], what: str, findings: Findings) -> None:
    """Each id once; a second one is named with the place of the first."""
    first: dict[str, Origin] = {}
    for record in records:
        if (seen := first.setdefault(record.id, record.origin)) is not record.origin:
            findings.add(
                record.origin,
                f"duplicate {what} id {record.id}, first in {place(seen)}",
            )


def check_book(book: Book, findings: Findings) -> None:
    """Ids, references, dates, currencies, signs and floors of a whole book."""
    tables: tuple[tuple[str, Iterable[Identified]], ...] = (
        ("customer", book.customers),
        ("account", book.accounts),
        ("right", book.rights),
        ("transaction", book.entries),
        ("standing order", book.standing_orders),
        ("card", book.cards),
        ("loan", book.loans),
    )
    for what, records in tables:
        check_unique(records, what, findings)
    customers = {customer.id: customer for customer in book.customers}
    accounts = {account.id: account for account in book.accounts}
    _check_accounts(book, accounts, findings)
    _check_rights(book, customers, accounts, findings)
    for entry in book.entries:
        for reason in entry_problems(entry, accounts.get(entry.account), book.about):
            findings.add(entry.origin, reason)
    agreements: list[StandingOrder | Loan] = [*book.standing_orders, *book.loans]
    for paid in agreements:
        for reason in _agreement_problems(paid, accounts.get(paid.account)):
            findings.add(paid.origin, reason)
    if not findings.count:
        _check_floors(book, findings)


def _check_accounts(book: Book, accounts: dict[str, Account], findings: Findings) -> None:
    about = book.about
    longest = MAX_ACCOUNT - len(about.id_prefix)
    if about.first_day > about.last_day:
        findings.add(Origin("book.json", 0), "first_day is after last_day")
    owners = Counter(right.account for right in book.rights if right.role is Role.OWNER)
    for customer in book.customers:
        if len(about.id_prefix) + len(customer.id) > MAX_CUSTOMER:
            findings.add(
                customer.origin, f"customer number and prefix are longer than {MAX_CUSTOMER}"
            )
    for account in accounts.values():
        if owners[account.id] != 1:
            findings.add(
                account.origin,
                f"account {account.id} has {owners[account.id] or 'no'} owners instead of one",
            )
        if account.opened_on > about.last_day:
            findings.add(account.origin, f"opened_on is after the last day {about.last_day}")
        if len(account.id) > longest:
            findings.add(account.origin, f"account number and prefix are longer than {MAX_ACCOUNT}")
        if account.floor_minor > 0:
            findings.add(account.origin, "floor_minor is above 0")
        if account.opening_balance_minor < account.floor_minor:
            findings.add(account.origin, "opening_balance_minor is below floor_minor")


def _check_rights(
    book: Book,
    customers: dict[str, Customer],
    accounts: dict[str, Account],
    findings: Findings,
) -> None:
    held: set[tuple[str, str]] = set()
    for right in book.rights:
        if right.customer not in customers:
            findings.add(right.origin, f"unknown customer {right.customer}")
        if right.account not in accounts:
            findings.add(right.origin, f"unknown account {right.account}")
        if (right.customer, right.account) in held:
            findings.add(right.origin, "the customer already has a right to this account")
        held.add((right.customer, right.account))
    for card in book.cards:
        if (card.customer, card.account) not in held:
            findings.add(
                card.origin, f"customer {card.customer} has no right to account {card.account}"
            )


def entry_problems(entry: Entry, account: Account | None, about: About) -> list[str]:
    """What is wrong with an entry in the light of its account and book."""
    if account is None:
        return [f"unknown account {entry.account}"]
    problems = []
    if entry.currency != account.currency:
        problems.append(f"currency {entry.currency} is not the account's {account.currency}")
    if entry.booking_date < account.opened_on:
        problems.append(
            f"booking date {entry.booking_date} is before account {account.id} "
            f"was opened on {account.opened_on}"
        )
    if not about.first_day <= entry.booking_date <= about.last_day:
        problems.append(
            f"booking date {entry.booking_date} is outside the book's days "
            f"{about.first_day} to {about.last_day}"
        )
    if entry.kind in INCOMING and entry.amount_minor < 0:
        problems.append(f"{entry.kind} with a negative amount")
    if entry.kind in OUTGOING and entry.amount_minor > 0:
        problems.append(f"{entry.kind} with a positive amount")
    return problems


def _agreement_problems(paid: StandingOrder | Loan, account: Account | None) -> list[str]:
    if account is None:
        return [f"unknown account {paid.account}"]
    problems = []
    if paid.currency != account.currency:
        problems.append(f"currency {paid.currency} is not the account's {account.currency}")
    if paid.amount_minor <= 0:
        problems.append("amount is not above 0")
    if isinstance(paid, Loan) and (paid.months < 1 or paid.payment_minor < 0):
        problems.append("months or payment is not above 0")
    return problems


def steps_by_account(book: Book) -> dict[str, list[Step]]:
    """The entries of every account in the order of booking; accounts in the book's order."""
    entries: dict[str, list[Entry]] = defaultdict(list)
    for entry in book.entries:
        entries[entry.account].append(entry)
    return {
        account.id: order_account(
            entries[account.id],
            opening_minor=account.opening_balance_minor,
            tolerance_minor=book.about.rounding_tolerance_minor,
        )
        for account in book.accounts
        if account.id in entries
    }


def with_floors(book: Book) -> Book:
    """The book with a floor for every account that its own entries take below zero."""
    lowest = {
        account: min(min(step.balance_minor, step.entry.balance_after_minor or 0) for step in steps)
        for account, steps in steps_by_account(book).items()
    }
    accounts = tuple(
        replace(account, floor_minor=min(account.floor_minor, lowest.get(account.id, 0)))
        for account in book.accounts
    )
    return replace(book, accounts=accounts)


def _check_floors(book: Book, findings: Findings) -> None:
    """The ledger would refuse an entry below the floor in the middle of an import."""
    steps = steps_by_account(book)
    for account in book.accounts:
        for step in steps.get(account.id, ()):
            if step.balance_minor < account.floor_minor and step.change_minor < 0:
                findings.add(
                    step.entry.origin,
                    f"takes account {account.id} to {step.balance_minor}, "
                    f"below its floor_minor {account.floor_minor}",
                )
                break
