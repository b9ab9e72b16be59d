"""The loans of a real bank's book, scored by what was known before each was granted.

The book is the one of the PKDD'99 discovery challenge (Berka): Czech loans of 1993 to 1998, with
`;`-separated tables. It is not part of the project; whoever has it gives its folder.

Finished without trouble or running well is good, unpaid or in debt is bad. Standing orders have no
date and may be those of the loan itself, so that none is used; sex and age are left out too.
"""

import csv
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import numpy as np

from services.risk.training.german import Table
from services.risk.training.woe import Column

BAD = frozenset("BD")
TABLES = ("account.asc", "card.asc", "disp.asc", "district.asc", "loan.asc", "trans.asc")
#: How far back an account's own behaviour is looked at.
DAYS_BACK = 180


class BookUnreadable(Exception):
    """The folder does not hold the book; the text is one clear line."""


@dataclass(frozen=True, slots=True)
class Booked:
    """One row of an account: amount with its sign, and the balance after it, in crowns."""

    on: date
    amount: float
    balance: float
    is_penalty: bool


def read(folder: Path) -> Table:
    """One row per loan in order of its date; NaN where the book says nothing before that day."""
    missing = [name for name in TABLES if not (folder / name).is_file()]
    if missing:
        raise BookUnreadable(f"{folder} has no {', '.join(missing)}")
    loans = sorted(_rows(folder / "loan.asc"), key=lambda row: (row["date"], row["loan_id"]))
    accounts = {row["account_id"]: row for row in _rows(folder / "account.asc")}
    owners, users = _people(folder)
    cards = {row["disp_id"]: _day(row["issued"][:6]) for row in _rows(folder / "card.asc")}
    districts = {row["A1"]: row for row in _rows(folder / "district.asc")}
    booked = _booked(folder, {row["account_id"] for row in loans})
    found: dict[str, list[float]] = defaultdict(list)
    for row in loans:
        on, account = _day(row["date"]), accounts[row["account_id"]]
        before = [one for one in booked[row["account_id"]] if one.on < on]
        card = cards.get(owners[row["account_id"]])
        district = districts[account["district_id"]]
        values = {
            "amount": float(row["amount"]),
            "months": float(row["duration"]),
            "monthly_payment": float(row["payments"]),
            "account_age_days": float((on - _day(account["date"])).days),
            "is_weekly_statement": float(account["frequency"] != "POPLATEK MESICNE"),
            "second_user": float(users[row["account_id"]] > 1),
            "card_before": float(card is not None and card < on),
            "district_salary": float(district["A11"]),
            "district_unemployment": float(district["A13"]),
            **_behaviour(before, on, payment=float(row["payments"])),
        }
        for name, value in values.items():
            found[name].append(value)
    columns: dict[str, Column] = {name: np.array(values) for name, values in found.items()}
    return Table(columns, np.array([row["status"] in BAD for row in loans]))


def _behaviour(before: list[Booked], on: date, *, payment: float) -> dict[str, float]:
    """What the account did in the months before; NaN throughout where it did nothing there."""
    near = [one for one in before if (on - one.on).days <= DAYS_BACK]
    names = ("balance_least", "balance_mean", "income_to_payment", "flow", "penalties")
    if not near:
        return dict.fromkeys(names, np.nan)
    balances = [one.balance for one in near]
    months = max((on - near[0].on).days / 30.4, 1.0)
    income = sum(one.amount for one in near if one.amount > 0) / months
    return {
        "balance_least": min(balances),
        "balance_mean": float(np.mean(balances)),
        "income_to_payment": income / payment,
        "flow": sum(one.amount for one in near) / months,
        "penalties": float(sum(one.is_penalty for one in near)),
    }


def _people(folder: Path) -> tuple[dict[str, str], dict[str, int]]:
    """By account, the owner's `disp_id` and how many may use it."""
    owners: dict[str, str] = {}
    users: dict[str, int] = defaultdict(int)
    for row in _rows(folder / "disp.asc"):
        users[row["account_id"]] += 1
        if row["type"] == "OWNER":
            owners[row["account_id"]] = row["disp_id"]
    return owners, users


def _booked(folder: Path, accounts: set[str]) -> dict[str, list[Booked]]:
    """The rows of some accounts in order of their days."""
    found: dict[str, list[Booked]] = defaultdict(list)
    for row in _rows(folder / "trans.asc"):
        if row["account_id"] in accounts:
            sign = 1 if row["type"] == "PRIJEM" else -1
            found[row["account_id"]].append(
                Booked(
                    on=_day(row["date"]),
                    amount=sign * float(row["amount"]),
                    balance=float(row["balance"]),
                    is_penalty=row["k_symbol"] == "SANKC. UROK",
                )
            )
    for rows in found.values():
        rows.sort(key=lambda one: one.on)
    return found


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(newline="", encoding="latin-1") as file:
        yield from csv.DictReader(file, delimiter=";")


def _day(written: str) -> date:
    return datetime.strptime(written, "%y%m%d").date()  # noqa: DTZ007 - a day has no zone
