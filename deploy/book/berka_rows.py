"""The rows of the PKDD'99 files (`.asc`): their columns, codes and how each is read.

Two digits of a year mean 19xx: the data set is of the 1990s.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TypeVar

from deploy.book.fields import FieldProblem, Fields
from deploy.book.records import (
    Account,
    AccountRight,
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

CURRENCY = "CZK"

Meaning = TypeVar("Meaning")

_MONEY = re.compile(r"(-?)([0-9]{1,12})(?:\.([0-9]{1,2}))?")
_DAY = re.compile(r"([0-9]{2})([0-9]{2})([0-9]{2})(?: 00:00:00)?")

STATEMENTS = {
    "POPLATEK MESICNE": Statement.MONTHLY,
    "POPLATEK TYDNE": Statement.WEEKLY,
    "POPLATEK PO OBRATU": Statement.EACH_ENTRY,
}
ROLES = {"OWNER": Role.OWNER, "DISPONENT": Role.AUTHORIZED_USER}
SIGNS = {"PRIJEM": 1, "VYDAJ": -1, "VYBER": -1}
# Operation: the kind, and the sign that it must have.
OPERATIONS = {
    "VKLAD": (Kind.CASH_IN, 1),
    "VYBER": (Kind.CASH_OUT, -1),
    "VYBER KARTOU": (Kind.CARD, -1),
    "PREVOD Z UCTU": (Kind.TRANSFER_IN, 1),
    "PREVOD NA UCET": (Kind.TRANSFER_OUT, -1),
}
# What the bank books for itself stands in the purpose, whatever the operation says.
OWN_PURPOSES = {
    "UROK": Kind.INTEREST,
    "SLUZBY": Kind.FEE,
    "SANKC. UROK": Kind.PENALTY_INTEREST,
}
PURPOSES = {
    "": "",
    "UROK": "interest",
    "SLUZBY": "statement_fee",
    "SANKC. UROK": "penalty_interest",
    "SIPO": "household",
    "DUCHOD": "pension",
    "POJISTNE": "insurance",
    "UVER": "loan_payment",
    "LEASING": "leasing",
}
LOAN_STATUSES = {
    "A": LoanStatus.FINISHED,
    "B": LoanStatus.FINISHED_UNPAID,
    "C": LoanStatus.RUNNING,
    "D": LoanStatus.RUNNING_IN_DEBT,
}
CARD_TYPES = {"junior": "junior", "classic": "classic", "gold": "gold"}


def _table(text: str) -> tuple[str, ...]:
    return tuple(text.split())


COLUMNS = {
    "account.asc": _table("account_id district_id frequency date"),
    "client.asc": _table("client_id birth_number district_id"),
    "disp.asc": _table("disp_id client_id account_id type"),
    "trans.asc": _table(
        "trans_id account_id date type operation amount balance k_symbol bank account"
    ),
    "order.asc": _table("order_id account_id bank_to account_to amount k_symbol"),
    "loan.asc": _table("loan_id account_id date amount duration payments status"),
    "card.asc": _table("card_id disp_id type issued"),
    "district.asc": _table("A1 A2 A3 A4 A5 A6 A7 A8 A9 A10 A11 A12 A13 A14 A15 A16"),
}


@dataclass(frozen=True, slots=True)
class District:
    """A district of `district.asc`, of which a book keeps only the name."""

    id: str
    name: str
    origin: Origin


@dataclass(frozen=True, slots=True)
class SourceCard:
    """A card of `card.asc`, whose customer and account stand in `disp.asc`."""

    id: str
    disposition: str
    type: str
    issued_on: date
    origin: Origin


def money(fields: Fields, name: str) -> int:
    """An amount in crowns with up to two decimals, as haléře."""
    value = fields.raw(name)
    parts = _MONEY.fullmatch(value)
    if parts is None:
        raise FieldProblem(f"{name} is not an amount with two decimals: {value[:40]!r}")
    minor = int(parts[2]) * 100 + int((parts[3] or "").ljust(2, "0"))
    return -minor if parts[1] else minor


def positive_money(fields: Fields, name: str) -> int:
    """An amount that has no sign of its own."""
    minor = money(fields, name)
    if minor < 0:
        raise FieldProblem(f"{name} is negative: {fields.raw(name)!r}")
    return minor


def day(fields: Fields, name: str, *, women_month: bool = False) -> tuple[date, bool]:
    """A date `YYMMDD`, and whether 50 had been added to its month (a woman's birth number)."""
    value = fields.raw(name)
    parts = _DAY.fullmatch(value)
    if parts is None:
        raise FieldProblem(f"{name} is not a date YYMMDD: {value[:40]!r}")
    month = int(parts[2])
    woman = women_month and month > 50
    try:
        return date(1900 + int(parts[1]), month - 50 * woman, int(parts[3])), woman
    except ValueError:
        raise FieldProblem(f"{name} is an impossible date: {value!r}") from None


def coded(fields: Fields, name: str, codes: Mapping[str, Meaning]) -> Meaning:
    """What a code of the source means; a lone blank counts as empty."""
    code = fields.raw(name).strip()
    if code not in codes:
        known = ", ".join(repr(known) for known in codes)
        raise FieldProblem(f"{name} is unknown: {code[:40]!r} (known: {known})")
    return codes[code]


def district(fields: Fields) -> District:
    """A row of `district.asc`."""
    return District(fields.key("A1"), fields.text("A2", required=True), fields.origin)


def customer(fields: Fields, regions: Mapping[str, str]) -> Customer:
    """A row of `client.asc`; the data set has no names, so the number stands for one."""
    key = fields.key("client_id")
    born, woman = day(fields, "birth_number", women_month=True)
    return Customer(
        id=key,
        name=f"Client {key}",
        birth_date=born,
        sex="F" if woman else "M",
        region=_region(fields, regions),
        origin=fields.origin,
    )


def account(fields: Fields, regions: Mapping[str, str]) -> Account:
    """A row of `account.asc`."""
    return Account(
        id=fields.key("account_id"),
        currency=CURRENCY,
        opened_on=day(fields, "date")[0],
        opening_balance_minor=0,
        floor_minor=0,
        statement=coded(fields, "frequency", STATEMENTS),
        region=_region(fields, regions),
        origin=fields.origin,
    )


def _region(fields: Fields, regions: Mapping[str, str]) -> str:
    key = fields.key("district_id")
    if key not in regions:
        raise FieldProblem(f"unknown district {key}")
    return regions[key]


def right(fields: Fields) -> AccountRight:
    """A row of `disp.asc`."""
    return AccountRight(
        id=fields.key("disp_id"),
        customer=fields.key("client_id"),
        account=fields.key("account_id"),
        role=coded(fields, "type", ROLES),
        origin=fields.origin,
    )


def entry(fields: Fields) -> Entry:
    """A row of `trans.asc`; the source has one date, which is booking and value date."""
    booked, _ = day(fields, "date")
    sign = coded(fields, "type", SIGNS)
    bank, number = _counterparty(fields, "bank", "account")
    return Entry(
        id=fields.key("trans_id"),
        account=fields.key("account_id"),
        booking_date=booked,
        value_date=booked,
        amount_minor=sign * positive_money(fields, "amount"),
        currency=CURRENCY,
        kind=_kind(fields, sign),
        purpose=coded(fields, "k_symbol", PURPOSES),
        counterparty_bank=bank,
        counterparty_account=number,
        balance_after_minor=money(fields, "balance"),
        origin=fields.origin,
    )


def _kind(fields: Fields, sign: int) -> Kind:
    purpose = fields.raw("k_symbol").strip()
    operation = fields.raw("operation").strip()
    if operation and operation not in OPERATIONS:
        raise FieldProblem(f"operation is unknown: {operation[:40]!r}")
    if operation:
        kind, meant = OPERATIONS[operation]
        if sign != meant:
            raise FieldProblem(f"operation {operation!r} cannot be of type {fields.raw('type')!r}")
        return OWN_PURPOSES.get(purpose, kind)
    if purpose not in OWN_PURPOSES:
        raise FieldProblem(f"has no operation, and k_symbol {purpose!r} is not the bank's own")
    return OWN_PURPOSES[purpose]


def _counterparty(fields: Fields, bank: str, number: str) -> tuple[str, str]:
    """Bank and account of the other side; the source writes `0` for none."""
    account_number = fields.text(number).strip()
    return fields.text(bank).strip(), "" if account_number == "0" else account_number


def standing_order(fields: Fields) -> StandingOrder:
    """A row of `order.asc`."""
    bank, number = _counterparty(fields, "bank_to", "account_to")
    if not number:
        raise FieldProblem("account_to is empty")
    return StandingOrder(
        id=fields.key("order_id"),
        account=fields.key("account_id"),
        amount_minor=positive_money(fields, "amount"),
        currency=CURRENCY,
        counterparty_bank=bank,
        counterparty_account=number,
        purpose=coded(fields, "k_symbol", PURPOSES),
        origin=fields.origin,
    )


def card(fields: Fields) -> SourceCard:
    """A row of `card.asc`."""
    return SourceCard(
        id=fields.key("card_id"),
        disposition=fields.key("disp_id"),
        type=coded(fields, "type", CARD_TYPES),
        issued_on=day(fields, "issued")[0],
        origin=fields.origin,
    )


def loan(fields: Fields) -> Loan:
    """A row of `loan.asc`."""
    return Loan(
        id=fields.key("loan_id"),
        account=fields.key("account_id"),
        granted_on=day(fields, "date")[0],
        amount_minor=positive_money(fields, "amount"),
        currency=CURRENCY,
        months=fields.minor("duration"),
        payment_minor=positive_money(fields, "payments"),
        status=coded(fields, "status", LOAN_STATUSES),
        origin=fields.origin,
    )
