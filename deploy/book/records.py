"""What a book holds, as frozen records. `docs/book-format.md` is the format in words.

Money is an integer number of minor units; a positive entry adds to the customer's balance.
"""

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum


class Kind(StrEnum):
    """How the money of an entry moved; it chooses the bank's own account on the other side."""

    CASH_IN = "cash_in"
    CASH_OUT = "cash_out"
    CARD = "card"
    SCAN = "scan"
    TRANSFER_IN = "transfer_in"
    TRANSFER_OUT = "transfer_out"
    INTEREST = "interest"
    FEE = "fee"
    PENALTY_INTEREST = "penalty_interest"


INCOMING = frozenset({Kind.CASH_IN, Kind.TRANSFER_IN})
OUTGOING = frozenset({Kind.CASH_OUT, Kind.TRANSFER_OUT, Kind.FEE, Kind.PENALTY_INTEREST})


class Role(StrEnum):
    """What a customer may do with an account."""

    OWNER = "owner"
    AUTHORIZED_USER = "authorized_user"


class Statement(StrEnum):
    """How often the source bank sent a statement."""

    MONTHLY = "monthly"
    WEEKLY = "weekly"
    EACH_ENTRY = "each_entry"


class LoanStatus(StrEnum):
    """The state of a loan as the source recorded it."""

    FINISHED = "finished"
    FINISHED_UNPAID = "finished_unpaid"
    RUNNING = "running"
    RUNNING_IN_DEBT = "running_in_debt"


@dataclass(frozen=True, slots=True)
class Origin:
    """The file and line (from 1, the header is line 1) that a record came from."""

    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Customer:
    """A person or an organization; `sex` is `F`, `M` or empty."""

    id: str
    name: str
    birth_date: date | None
    sex: str
    region: str
    origin: Origin


@dataclass(frozen=True, slots=True)
class Account:
    """A customer account; `floor_minor` is the lowest balance it may have (0 or negative)."""

    id: str
    currency: str
    opened_on: date
    opening_balance_minor: int
    floor_minor: int
    statement: Statement
    region: str
    origin: Origin


@dataclass(frozen=True, slots=True)
class AccountRight:
    """Who may use which account."""

    id: str
    customer: str
    account: str
    role: Role
    origin: Origin


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of `transactions.csv`: a change of one account's balance.

    `balance_after_minor` is the balance that the source recorded after it, if it did.
    """

    id: str
    account: str
    booking_date: date
    value_date: date
    amount_minor: int
    currency: str
    kind: Kind
    purpose: str
    counterparty_bank: str
    counterparty_account: str
    balance_after_minor: int | None
    origin: Origin


@dataclass(frozen=True, slots=True)
class StandingOrder:
    """A regular payment to a payee at another bank."""

    id: str
    account: str
    amount_minor: int
    currency: str
    counterparty_bank: str
    counterparty_account: str
    purpose: str
    origin: Origin


@dataclass(frozen=True, slots=True)
class Card:
    """A payment card of a customer on an account."""

    id: str
    customer: str
    account: str
    type: str
    issued_on: date
    origin: Origin


@dataclass(frozen=True, slots=True)
class Loan:
    """A loan beside an account; `payment_minor` is due every month for `months`."""

    id: str
    account: str
    granted_on: date
    amount_minor: int
    currency: str
    months: int
    payment_minor: int
    status: LoanStatus
    origin: Origin


@dataclass(frozen=True, slots=True)
class About:
    """`book.json`: what holds for the whole book.

    `id_prefix` stands before the book's account and customer numbers in the bank, so that two
    books can live in one bank.
    `left_out` counts, by a short reason, the rows of the source that are not in the book.
    """

    name: str
    bank_name: str
    currency: str
    first_day: date
    last_day: date
    rounding_tolerance_minor: int
    id_prefix: str = ""
    left_out: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Book:
    """A whole book, each table in the order of its file."""

    about: About
    customers: tuple[Customer, ...]
    accounts: tuple[Account, ...]
    rights: tuple[AccountRight, ...]
    entries: tuple[Entry, ...]
    standing_orders: tuple[StandingOrder, ...] = ()
    cards: tuple[Card, ...] = ()
    loans: tuple[Loan, ...] = ()
    # Synthetic books say which entries belong to a fraud pattern: (entry id, pattern).
    fraud_labels: tuple[tuple[str, str], ...] = field(default=())
