"""The synthetic city as it grows: its people, shops, accounts and entries.

All chance comes from one generator of whole numbers in a fixed order, so no float and no order
of a set or dict reaches an amount.
"""

import random
from dataclasses import dataclass, field
from datetime import date

from deploy.book.records import Account, AccountRight, Customer, Entry, Kind, Origin

CURRENCY = "CNY"
NOWHERE = Origin("", 0)  # records that were made and not read


class Dice:
    """Whole numbers by chance. Only `getrandbits` is used: its sequence is the same anywhere."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def below(self, count: int) -> int:
        """0 to `count` - 1."""
        return self._random.getrandbits(48) % count

    def between(self, low: int, high: int) -> int:
        """`low` to `high`, both included."""
        return low + self.below(high - low + 1)

    def hits(self, per_mille: int) -> bool:
        """True so many times in a thousand."""
        return self.below(1000) < per_mille


@dataclass(slots=True)
class Person:
    """A customer of the city and how they live; amounts in fen."""

    customer: Customer
    account: str
    employer: int
    salary_minor: int
    salary_day: int
    rent_minor: int
    landlord: str
    scans_per_mille: int
    cards_per_mille: int


@dataclass(slots=True)
class City:
    """The book as it grows, day by day."""

    dice: Dice
    customers: list[Customer] = field(default_factory=list)
    accounts: list[Account] = field(default_factory=list)
    rights: list[AccountRight] = field(default_factory=list)
    people: list[Person] = field(default_factory=list)
    shops: list[str] = field(default_factory=list)
    balances: dict[str, int] = field(default_factory=dict)
    floors: dict[str, int] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    labels: list[tuple[str, str]] = field(default_factory=list)
    takings: dict[tuple[str, Kind], int] = field(default_factory=dict)

    def book(
        self,
        account: str,
        day: date,
        amount_minor: int,
        kind: Kind,
        purpose: str,
        *,
        bank: str = "",
        other: str = "",
        pattern: str = "",
    ) -> bool:
        """Adds an entry, unless the account cannot pay it; whether it did."""
        after = self.balances[account] + amount_minor
        if amount_minor < 0 and after < self.floors[account]:
            return False
        self.balances[account] = after
        entry = Entry(
            id=f"T{len(self.entries) + 1:08d}",
            account=account,
            booking_date=day,
            value_date=day,
            amount_minor=amount_minor,
            currency=CURRENCY,
            kind=kind,
            purpose=purpose,
            counterparty_bank=bank,
            counterparty_account=other,
            balance_after_minor=after,
            origin=NOWHERE,
        )
        self.entries.append(entry)
        if pattern:
            self.labels.append((entry.id, pattern))
        return True

    def transfer(
        self,
        source: str,
        target: str,
        day: date,
        amount_minor: int,
        purpose: str,
        *,
        pattern: str = "",
    ) -> bool:
        """A transfer between two accounts of the bank: an entry on each."""
        paid = self.book(
            source, day, -amount_minor, Kind.TRANSFER_OUT, purpose, other=target, pattern=pattern
        )
        return paid and self.book(
            target, day, amount_minor, Kind.TRANSFER_IN, purpose, other=source, pattern=pattern
        )

    def shop_payment(
        self,
        payer: str,
        day: date,
        amount_minor: int,
        kind: Kind,
        store: str,
        *,
        pattern: str = "",
    ) -> None:
        """A card or scan payment; the shop gets the day's takings in one entry at its end."""
        if self.book(payer, day, -amount_minor, kind, "", other=store, pattern=pattern):
            key = (store, kind)
            self.takings[key] = self.takings.get(key, 0) + amount_minor
