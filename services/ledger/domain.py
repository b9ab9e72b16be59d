"""Rules of the ledger that touch nothing outside: what a transfer is, and what it may not be."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal
from uuid import UUID

from shared.kit.problems import BankError


class AccountNotFound(BankError):
    status, code, title = 404, "account_not_found", "There is no such account"


class DestinationNotFound(BankError):
    status, code, title = 404, "destination_not_found", "The account to be paid does not exist"


class AccountExists(BankError):
    status, code, title = 409, "account_exists", "Another account has this number"


class ChartLineNotFound(BankError):
    status, code, title = 422, "chart_line_not_found", "The chart has no such line"


class CurrencyMismatch(BankError):
    status, code, title = 422, "currency_mismatch", "The account is kept in another currency"


class AccountFrozen(BankError):
    status, code, title = 409, "account_frozen", "The account is frozen: nothing leaves it"


class InsufficientFunds(BankError):
    status, code, title = 422, "insufficient_funds", "The account does not carry this amount"


class UnbalancedTransfer(BankError):
    status, code, title = 422, "unbalanced_transfer", "Debits and credits differ"


class TransferExists(BankError):
    status, code, title = 409, "transfer_exists", "Another transfer has this id"


class TransferNotFound(BankError):
    status, code, title = 404, "transfer_not_found", "There is no such transfer"


class TransferTwiceInBatch(BankError):
    status, code, title = 422, "transfer_twice_in_batch", "The batch names a transfer id twice"


class AlreadyReversed(BankError):
    status, code, title = 409, "already_reversed", "The transfer has been reversed already"


class NotReversible(BankError):
    status, code, title = 409, "not_reversible", "A reversal is not itself reversed"


#: The refusals that a posting may meet, by the code that the database function gives.
REFUSALS: dict[str, type[BankError]] = {
    error.code: error
    for error in (AccountNotFound, CurrencyMismatch, AccountFrozen, InsufficientFunds)
}


@dataclass(frozen=True, slots=True)
class Leg:
    """One posting to be: a signed amount in minor units, credit positive."""

    account_id: str
    amount_minor: int
    currency: str


@dataclass(frozen=True, slots=True)
class Transfer:
    """What is to be posted. `body_hash` tells a repeated request from another one."""

    transfer_id: UUID
    kind: str
    value_date: date
    booking_date: date
    reference: str | None
    reverses: UUID | None
    legs: tuple[Leg, ...]
    body_hash: bytes


@dataclass(frozen=True, slots=True)
class Posted:
    """A transfer that is in the books: for each leg the balance after it and its holder."""

    balances: tuple[int, ...]
    holders: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """A transfer that left nothing behind, and why; `leg` is the place of the leg at fault."""

    code: str
    leg: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one transfer of a batch."""

    kind: Literal["posted", "duplicate", "conflict", "refused"]
    posted: Posted | None = None
    refused: Refused | None = None


@dataclass(frozen=True, slots=True)
class BalanceRow:
    """An account's row: amounts in minor units; `floor_minor` is None where there is no limit."""

    posted_minor: int
    held_minor: int
    floor_minor: int | None

    def available_minor(self) -> int | None:
        """What a debit may take: posted - held - floor; None for an account without a floor."""
        if self.floor_minor is None:
            return None
        return self.posted_minor - self.held_minor - self.floor_minor

    def carries(self, amount_minor: int) -> bool:
        available = self.available_minor()
        return available is None or available >= amount_minor


def check_balanced(legs: Sequence[Leg]) -> None:
    """Double entry: in every currency the legs add up to zero.

    Raises:
        UnbalancedTransfer: they do not; names the currency and the difference.
    """
    sums: dict[str, int] = {}
    for leg in legs:
        sums[leg.currency] = sums.get(leg.currency, 0) + leg.amount_minor
    for currency, total in sorted(sums.items()):
        if total:
            raise UnbalancedTransfer(
                f"Credits exceed debits by {total} minor units of {currency}"
                if total > 0
                else f"Debits exceed credits by {-total} minor units of {currency}",
                field="legs",
                expected="the same sum of debits and credits in each currency",
            )


def reversed_legs(legs: Sequence[Leg]) -> tuple[Leg, ...]:
    """The legs that undo `legs`."""
    return tuple(Leg(leg.account_id, -leg.amount_minor, leg.currency) for leg in legs)


@dataclass(frozen=True, slots=True)
class AccountRow:
    """An account with its balance, as stored."""

    account_id: str
    chart_code: str
    currency: str
    holder_id: str | None
    frozen: bool
    opened_on: date
    body_hash: bytes
    balance: BalanceRow


@dataclass(frozen=True, slots=True)
class TransferRow:
    """A posted transfer's own facts."""

    transfer_id: UUID
    kind: str
    value_date: date
    booking_date: date
    recorded_at: datetime
    reference: str | None
    reverses: UUID | None
    body_hash: bytes
