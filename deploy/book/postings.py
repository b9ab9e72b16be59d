"""From a book's ordered entries to the transfers that the ledger posts.

Ids are derived from the book's name and the transaction's number, so that the same book gives
the same transfers and a second import posts nothing twice.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID, uuid5

from deploy.book.ordering import Step
from deploy.book.records import Account, Book, Entry, Kind
from shared.contracts.http.ledger import Direction, Leg, OpenAccount, PostTransfer

NAMESPACE = UUID("6f0f7a52-9a0f-5c5e-8d0b-6f1f3a1f5b10")
MAX_REFERENCE = 140


@dataclass(frozen=True, slots=True)
class OwnAccount:
    """One of the bank's own accounts, on the other side of customers' entries."""

    name: str
    chart_code: str

    def account_id(self, currency: str) -> str:
        """Its number: there is one for each currency."""
        return f"bank.{self.name}.{currency}"


CASH = OwnAccount("cash", "1001")
INTERBANK = OwnAccount("interbank", "3001")
TRANSIT = OwnAccount("transit", "3001")  # transfers inside the bank: nets to zero
CARDS = OwnAccount("cards", "3001")
INTEREST_EXPENSE = OwnAccount("interest-expense", "6411")
FEES = OwnAccount("fees", "6021")
PENALTY_INTEREST = OwnAccount("penalty-interest", "6011")
ROUNDING = OwnAccount("rounding", "6711")
OPENING = OwnAccount("opening", "2241")  # what the old system owed when it handed over

OTHER_SIDES = {
    Kind.CASH_IN: CASH,
    Kind.CASH_OUT: CASH,
    Kind.CARD: CARDS,
    Kind.SCAN: CARDS,
    Kind.TRANSFER_IN: INTERBANK,
    Kind.TRANSFER_OUT: INTERBANK,
    Kind.INTEREST: INTEREST_EXPENSE,
    Kind.FEE: FEES,
    Kind.PENALTY_INTEREST: PENALTY_INTEREST,
}
OWN_ACCOUNTS = (*dict.fromkeys(OTHER_SIDES.values()), TRANSIT, ROUNDING, OPENING)


def own_account_openings(currencies: Iterable[str]) -> list[OpenAccount]:
    """The bank's own accounts, without a floor.

    They are the bank's and not the book's: no opening date, so that a second book finds the
    same accounts.
    """
    return [
        OpenAccount(
            account_id=own.account_id(currency),
            chart_code=own.chart_code,
            currency=currency,
            floor_minor=None,
        )
        for currency in sorted(set(currencies))
        for own in OWN_ACCOUNTS
    ]


def transfer_id(book: str, transaction: str) -> UUID:
    """The id of a transaction's transfer."""
    return uuid5(NAMESPACE, f"{book}/{transaction}")


def transfer_of(book: Book, step: Step, *, inside: frozenset[str]) -> PostTransfer | None:
    """The transfer of an entry in its place; None for an entry that moves nothing.

    `inside` are the book's account numbers. Legs: the account, the other side, and where the
    source rounded, the account again and the rounding account.
    """
    entry = step.entry
    number = book.about.id_prefix + entry.account
    against = other_side(entry, inside).account_id(entry.currency)
    rounding = ROUNDING.account_id(entry.currency)
    legs = [
        *_legs(number, against, entry.amount_minor, entry.currency),
        *_legs(number, rounding, step.rounding_minor, entry.currency),
    ]
    if not legs:
        return None
    return PostTransfer(
        transfer_id=transfer_id(book.about.name, entry.id),
        kind=entry.purpose or entry.kind.value,
        legs=legs,
        value_date=entry.value_date,
        booking_date=entry.booking_date,
        reference=_reference(entry),
    )


def other_side(entry: Entry, inside: frozenset[str]) -> OwnAccount:
    """The bank's own account that an entry is posted against."""
    side = OTHER_SIDES[entry.kind]
    within = not entry.counterparty_bank and entry.counterparty_account in inside
    return TRANSIT if side is INTERBANK and within else side


def opening_transfer(book: Book, account: Account) -> PostTransfer | None:
    """What the account holds on the book's first day, before its entries."""
    if not account.opening_balance_minor:
        return None
    day = max(book.about.first_day, account.opened_on)
    return PostTransfer(
        transfer_id=transfer_id(book.about.name, f"opening {account.id}"),
        kind="opening_balance",
        legs=_legs(
            book.about.id_prefix + account.id,
            OPENING.account_id(account.currency),
            account.opening_balance_minor,
            account.currency,
        ),
        value_date=day,
        booking_date=day,
    )


def _legs(account: str, against: str, amount_minor: int, currency: str) -> list[Leg]:
    """Two legs that add a signed amount to the account; none for nothing."""
    if not amount_minor:
        return []
    sides: tuple[Direction, Direction] = (
        ("credit", "debit") if amount_minor > 0 else ("debit", "credit")
    )
    return [
        Leg(
            account_id=number,
            direction=direction,
            amount_minor=abs(amount_minor),
            currency=currency,
        )
        for number, direction in zip((account, against), sides, strict=True)
    ]


def _reference(entry: Entry) -> str:
    """The source's transaction number, kind and other side, for statements."""
    parts = [entry.id, entry.kind.value, entry.counterparty_bank, entry.counterparty_account]
    return " ".join(part for part in parts if part)[:MAX_REFERENCE]


def lanes(steps: dict[str, list[Step]], count: int) -> list[list[Step]]:
    """Splits accounts over `count` streams of similar length, each in the order of booking.

    An account is in one stream alone, so its entries stay in order.
    """
    members: list[list[str]] = [[] for _ in range(count)]
    sizes = [0] * count
    for account in sorted(steps, key=lambda account: (-len(steps[account]), account)):
        lane = sizes.index(min(sizes))
        members[lane].append(account)
        sizes[lane] += len(steps[account])
    return [
        sorted(
            (step for account in sorted(accounts) for step in steps[account]),
            key=lambda step: step.entry.booking_date,  # stable: an account keeps its order
        )
        for accounts in members
    ]
