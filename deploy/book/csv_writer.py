"""Writes a book in the documented CSV format; the same book gives the same bytes."""

import csv
import json
from collections.abc import Iterable
from pathlib import Path

from deploy.book.csv_tables import (
    ABOUT,
    ACCOUNTS,
    CARDS,
    CUSTOMERS,
    ENTRIES,
    FORMAT,
    LABELS,
    LOANS,
    ORDERS,
    RIGHTS,
    Table,
)
from deploy.book.records import About, Account, Book, Customer, Entry, Loan, Origin, StandingOrder

Row = tuple[object, ...]


def write_book(book: Book, folder: Path) -> None:
    """Writes all files of a book into `folder`, which is made if it is not there.

    `book.json` goes first and comes back last: a folder without it is not a book.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ABOUT).unlink(missing_ok=True)
    _write(folder, CUSTOMERS, (_customer(c) for c in book.customers))
    _write(folder, ACCOUNTS, (_account(a) for a in book.accounts))
    _write(
        folder,
        RIGHTS,
        ((r.id, r.customer, r.account, r.role, *_origin(r.origin)) for r in book.rights),
    )
    _write(folder, ENTRIES, (_entry(e) for e in book.entries))
    _write(folder, ORDERS, (_order(o) for o in book.standing_orders))
    _write(
        folder,
        CARDS,
        (
            (c.id, c.customer, c.account, c.type, c.issued_on, *_origin(c.origin))
            for c in book.cards
        ),
    )
    _write(folder, LOANS, (_loan(loan) for loan in book.loans))
    if book.fraud_labels:
        _write_rows(folder / LABELS, ("transaction", "pattern"), book.fraud_labels)
    (folder / ABOUT).write_text(_about(book.about), "utf-8")


def _write(folder: Path, table: Table, rows: Iterable[Row]) -> None:
    _write_rows(folder / table.file, table.columns, rows)


def _write_rows(path: Path, header: tuple[str, ...], rows: Iterable[Row]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def _origin(origin: Origin) -> tuple[str, int | str]:
    """The two origin columns, empty for a record that was made and not read."""
    return (origin.file, origin.line) if origin.file else ("", "")


def _customer(c: Customer) -> Row:
    return (c.id, c.name, c.birth_date, c.sex, c.region, *_origin(c.origin))


def _account(a: Account) -> Row:
    return (
        a.id,
        a.currency,
        a.opened_on,
        a.opening_balance_minor,
        a.floor_minor,
        a.statement,
        a.region,
        *_origin(a.origin),
    )


def _entry(e: Entry) -> Row:
    return (
        e.id,
        e.account,
        e.booking_date,
        e.value_date,
        e.amount_minor,
        e.currency,
        e.kind,
        e.purpose,
        e.counterparty_bank,
        e.counterparty_account,
        e.balance_after_minor,
        *_origin(e.origin),
    )


def _order(o: StandingOrder) -> Row:
    return (
        o.id,
        o.account,
        o.amount_minor,
        o.currency,
        o.counterparty_bank,
        o.counterparty_account,
        o.purpose,
        *_origin(o.origin),
    )


def _loan(loan: Loan) -> Row:
    return (
        loan.id,
        loan.account,
        loan.granted_on,
        loan.amount_minor,
        loan.currency,
        loan.months,
        loan.payment_minor,
        loan.status,
        *_origin(loan.origin),
    )


def _about(about: About) -> str:
    document = {
        "format": FORMAT,
        "name": about.name,
        "bank_name": about.bank_name,
        "currency": about.currency,
        "first_day": about.first_day.isoformat(),
        "last_day": about.last_day.isoformat(),
        "rounding_tolerance_minor": about.rounding_tolerance_minor,
        "id_prefix": about.id_prefix,
        "left_out": dict(about.left_out),
    }
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"
