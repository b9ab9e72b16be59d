"""Reads a book in the documented CSV format: UTF-8, commas, a header, one row a line."""

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from deploy.book.checks import check_book
from deploy.book.csv_tables import (
    ABOUT,
    ACCOUNTS,
    CARDS,
    CUSTOMERS,
    ENTRIES,
    FORMAT,
    LOANS,
    ORDERS,
    ORIGIN_COLUMNS,
    RIGHTS,
    Table,
)
from deploy.book.fields import FieldProblem, Fields, bounded, read_records, read_rows
from deploy.book.records import (
    About,
    Account,
    AccountRight,
    Book,
    Card,
    Customer,
    Entry,
    Kind,
    Loan,
    LoanStatus,
    Origin,
    Role,
    StandingOrder,
    Statement,
)
from deploy.book.refusal import Findings, refused

Record = TypeVar("Record")

_ABOUT_TEXTS = ("name", "bank_name", "currency", "first_day", "last_day", "id_prefix")


def read_book(folder: Path) -> Book:
    """Reads and checks a whole book; raises `BookRefused` with all that is wrong."""
    about = read_about(folder)
    findings = Findings()

    def table(table: Table, make: Callable[[Fields], Record]) -> tuple[Record, ...]:
        return tuple(_read(folder, table, make, findings))

    book = Book(
        about=about,
        customers=table(CUSTOMERS, _customer),
        accounts=table(ACCOUNTS, _account),
        rights=table(RIGHTS, _right),
        entries=table(ENTRIES, _entry),
        standing_orders=table(ORDERS, _order),
        cards=table(CARDS, _card),
        loans=table(LOANS, _loan),
    )
    findings.refuse_if_any()  # references into rows that were not read would mislead
    check_book(book, findings)
    findings.refuse_if_any()
    return book


def _read(
    folder: Path, table: Table, make: Callable[[Fields], Record], findings: Findings
) -> list[Record]:
    path = folder / table.file
    if table.may_be_absent and not path.exists():
        return []
    rows = read_rows(
        path,
        delimiter=",",
        required=table.required,
        optional=(*table.optional, *ORIGIN_COLUMNS),
        findings=findings,
    )
    return read_records(_with_origin(rows, findings), make, findings)


def _with_origin(rows: Iterable[Fields], findings: Findings) -> Iterator[Fields]:
    """The rows, each with the origin that it names itself, if it does."""
    for fields in rows:
        try:
            source_file = fields.text("source_file")
            source_line = fields.optional_minor("source_line")
        except FieldProblem as problem:
            findings.add(fields.origin, str(problem))
            continue
        if source_file and source_line is not None:
            fields.origin = Origin(source_file, source_line)
        yield fields


def _customer(fields: Fields) -> Customer:
    sex = fields.raw("sex")
    if sex not in ("", "F", "M"):
        raise FieldProblem(f"sex is neither F nor M nor empty: {sex[:40]!r}")
    return Customer(
        id=fields.key("customer"),
        name=fields.text("name", required=True),
        birth_date=fields.optional_day("birth_date"),
        sex=sex,
        region=fields.text("region"),
        origin=fields.origin,
    )


def _account(fields: Fields) -> Account:
    statement = fields.choice("statement", Statement) if fields.raw("statement") else None
    return Account(
        id=fields.key("account"),
        currency=fields.currency("currency"),
        opened_on=fields.day("opened_on"),
        opening_balance_minor=fields.optional_minor("opening_balance_minor") or 0,
        floor_minor=fields.optional_minor("floor_minor") or 0,
        statement=statement or Statement.MONTHLY,
        region=fields.text("region"),
        origin=fields.origin,
    )


def _right(fields: Fields) -> AccountRight:
    return AccountRight(
        id=fields.key("right"),
        customer=fields.key("customer"),
        account=fields.key("account"),
        role=fields.choice("role", Role),
        origin=fields.origin,
    )


def _entry(fields: Fields) -> Entry:
    return Entry(
        id=fields.key("transaction"),
        account=fields.key("account"),
        booking_date=fields.day("booking_date"),
        value_date=fields.day("value_date"),
        amount_minor=fields.minor("amount_minor"),
        currency=fields.currency("currency"),
        kind=fields.choice("kind", Kind),
        purpose=fields.word("purpose"),
        counterparty_bank=fields.text("counterparty_bank"),
        counterparty_account=fields.text("counterparty_account"),
        balance_after_minor=fields.optional_minor("balance_after_minor"),
        origin=fields.origin,
    )


def _order(fields: Fields) -> StandingOrder:
    return StandingOrder(
        id=fields.key("order"),
        account=fields.key("account"),
        amount_minor=fields.minor("amount_minor"),
        currency=fields.currency("currency"),
        counterparty_bank=fields.text("counterparty_bank", limit=35),
        counterparty_account=fields.text("counterparty_account", required=True, limit=34),
        purpose=fields.word("purpose"),
        origin=fields.origin,
    )


def _card(fields: Fields) -> Card:
    return Card(
        id=fields.key("card"),
        customer=fields.key("customer"),
        account=fields.key("account"),
        type=fields.word("type"),
        issued_on=fields.day("issued_on"),
        origin=fields.origin,
    )


def _loan(fields: Fields) -> Loan:
    return Loan(
        id=fields.key("loan"),
        account=fields.key("account"),
        granted_on=fields.day("granted_on"),
        amount_minor=fields.minor("amount_minor"),
        currency=fields.currency("currency"),
        months=fields.minor("months"),
        payment_minor=fields.minor("payment_minor"),
        status=fields.choice("status", LoanStatus),
        origin=fields.origin,
    )


def read_about(folder: Path) -> About:
    """Reads `book.json`; raises `BookRefused`."""
    try:
        loaded = json.loads((folder / ABOUT).read_text("utf-8"))
    except OSError as error:
        raise refused(ABOUT, f"cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise refused(ABOUT, f"is not JSON: {error}") from error
    if not isinstance(loaded, dict) or loaded.get("format") != FORMAT:
        raise refused(ABOUT, f'is not an object with "format": "{FORMAT}"')
    left_out = loaded.get("left_out", {})
    known = {"format", "left_out", *_ABOUT_TEXTS, "rounding_tolerance_minor"}
    fields = Fields({name: loaded.get(name, "") for name in _ABOUT_TEXTS}, Origin(ABOUT, 0))
    try:
        if unknown := sorted(set(loaded) - known):
            raise FieldProblem(f"has unknown fields {', '.join(unknown)}")
        if not all(isinstance(loaded.get(name, ""), str) for name in _ABOUT_TEXTS):
            raise FieldProblem(f"must give {', '.join(_ABOUT_TEXTS)} as text")
        return About(
            name=fields.key("name"),
            bank_name=fields.text("bank_name"),
            currency=fields.currency("currency"),
            first_day=fields.day("first_day"),
            last_day=fields.day("last_day"),
            rounding_tolerance_minor=_tolerance(loaded.get("rounding_tolerance_minor", 0)),
            id_prefix=fields.prefix("id_prefix"),
            left_out=_counts(left_out),
        )
    except FieldProblem as problem:
        raise refused(ABOUT, str(problem)) from None


def _tolerance(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise FieldProblem("rounding_tolerance_minor is not a whole number of 0 or more")
    return bounded("rounding_tolerance_minor", value)


def _counts(value: object) -> tuple[tuple[str, int], ...]:
    if not isinstance(value, dict) or not all(isinstance(n, int) for n in value.values()):
        raise FieldProblem("left_out is not an object of counts")
    return tuple((str(reason), count) for reason, count in value.items())
