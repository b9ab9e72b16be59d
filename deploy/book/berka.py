"""Converts the PKDD'99 financial data set (`.asc` files) to a book.

The last day of the book is the day of its last transaction. What is dated after it, or belongs
to an account opened after it, is of the time after the book: it is left out and counted. What
points nowhere is an error.
"""

import re
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TypeVar

from deploy.book import berka_rows as rows
from deploy.book.checks import check_book, check_unique, with_floors
from deploy.book.fields import Fields, read_records, read_rows
from deploy.book.records import (
    About,
    Account,
    AccountRight,
    Book,
    Card,
    Customer,
    Entry,
    Loan,
    StandingOrder,
)
from deploy.book.refusal import Findings, refused

BANK_NAME = "PKDD'99 bank"
# The source rounded amounts and balances to a tenth of a crown, each for itself.
ROUNDING_TOLERANCE_MINOR = 10

Record = TypeVar("Record")


def is_berka(folder: Path) -> bool:
    """Whether a folder holds the files of the data set."""
    return (folder / "trans.asc").is_file()


def book_name(folder: Path) -> str:
    """A book's name made of its folder's."""
    return re.sub(r"[^A-Za-z0-9]+", "-", folder.resolve().name).strip("-")[:24] or "berka"


def convert(folder: Path, *, name: str) -> Book:
    """Reads and checks the data set in `folder` as the book `name`.

    Raises `BookRefused` with file, line and reason of everything that is wrong.
    """
    findings = Findings()

    def table(file: str, make: Callable[[Fields], Record]) -> list[Record]:
        return read_records(
            read_rows(
                folder / file,
                delimiter=";",
                required=rows.COLUMNS[file],
                optional=(),
                findings=findings,
            ),
            make,
            findings,
        )

    districts = table("district.asc", rows.district)
    regions = {district.id: district.name for district in districts}
    source = _Source(
        customers=table("client.asc", lambda fields: rows.customer(fields, regions)),
        accounts=table("account.asc", lambda fields: rows.account(fields, regions)),
        rights=table("disp.asc", rows.right),
        entries=table("trans.asc", rows.entry),
        orders=table("order.asc", rows.standing_order),
        cards=table("card.asc", rows.card),
        loans=table("loan.asc", rows.loan),
    )
    check_unique(districts, "district", findings)
    findings.refuse_if_any()
    source.check(findings)
    if not source.entries:
        raise refused("trans.asc", "holds no transactions, so the book has no last day")
    findings.refuse_if_any()
    book = with_floors(source.cut(name))
    check_book(book, findings)
    findings.refuse_if_any()
    return book


@dataclass(frozen=True, slots=True)
class _Source:
    """The files as they are, the accounts opened after the last day still among them."""

    customers: list[Customer]
    accounts: list[Account]
    rights: list[AccountRight]
    entries: list[Entry]
    orders: list[StandingOrder]
    cards: list[rows.SourceCard]
    loans: list[Loan]

    def check(self, findings: Findings) -> None:
        """Every id once, every reference to something that is in the files."""
        check_unique(self.customers, "client", findings)
        check_unique(self.accounts, "account", findings)
        check_unique(self.entries, "transaction", findings)
        check_unique(self.rights, "disposition", findings)
        check_unique(self.cards, "card", findings)
        check_unique(self.orders, "standing order", findings)
        check_unique(self.loans, "loan", findings)
        accounts = {account.id for account in self.accounts}
        customers = {customer.id for customer in self.customers}
        records: list[AccountRight | Entry | StandingOrder | Loan]
        records = [*self.rights, *self.entries, *self.orders, *self.loans]
        for record in records:
            if record.account not in accounts:
                findings.add(record.origin, f"unknown account {record.account}")
        for right in self.rights:
            if right.customer not in customers:
                findings.add(right.origin, f"unknown client {right.customer}")
        rights = {right.id for right in self.rights}
        for card in self.cards:
            if card.disposition not in rights:
                findings.add(card.origin, f"unknown disposition {card.disposition}")

    def cut(self, name: str) -> Book:
        """The book at the end of its last day."""
        last_day = max(entry.booking_date for entry in self.entries)
        accounts = [a for a in self.accounts if a.opened_on <= last_day]
        used = {entry.account for entry in self.entries}
        # An entry of an account that opens later stays an error that names its line.
        accounts += [a for a in self.accounts if a.opened_on > last_day and a.id in used]
        opened = {account.id for account in accounts}
        left_out: Counter[str] = Counter()
        left_out["accounts opened after the last day"] = len(self.accounts) - len(accounts)
        rights = [right for right in self.rights if right.account in opened]
        left_out["rights to accounts not opened"] = len(self.rights) - len(rights)
        orders = [order for order in self.orders if order.account in opened]
        left_out["standing orders of accounts not opened"] = len(self.orders) - len(orders)
        first_days = [a.opened_on for a in accounts] + [e.booking_date for e in self.entries]
        cards = self._cards(opened, last_day, left_out)
        loans = self._loans(opened, last_day, left_out)
        about = About(
            name=name,
            bank_name=BANK_NAME,
            currency=rows.CURRENCY,
            first_day=min(first_days),
            last_day=last_day,
            rounding_tolerance_minor=ROUNDING_TOLERANCE_MINOR,
            id_prefix=f"{name[:9]}-",
            left_out=tuple(left_out.items()),
        )
        return Book(
            about=about,
            customers=tuple(self.customers),
            accounts=tuple(accounts),
            rights=tuple(rights),
            entries=tuple(self.entries),
            standing_orders=tuple(orders),
            cards=tuple(cards),
            loans=tuple(loans),
        )

    def _cards(self, opened: Collection[str], last_day: date, left_out: Counter[str]) -> list[Card]:
        rights = {right.id: right for right in self.rights}
        cards = []
        for card in self.cards:
            right = rights[card.disposition]
            if right.account not in opened:
                left_out["cards on accounts not opened"] += 1
            elif card.issued_on > last_day:
                left_out["cards issued after the last day"] += 1
            else:
                cards.append(
                    Card(
                        id=card.id,
                        customer=right.customer,
                        account=right.account,
                        type=card.type,
                        issued_on=card.issued_on,
                        origin=card.origin,
                    )
                )
        return cards

    def _loans(self, opened: Collection[str], last_day: date, left_out: Counter[str]) -> list[Loan]:
        loans = []
        for loan in self.loans:
            if loan.account not in opened:
                left_out["loans of accounts not opened"] += 1
            elif loan.granted_on > last_day:
                left_out["loans granted after the last day"] += 1
            else:
                loans.append(loan)
        return loans
