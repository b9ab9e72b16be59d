"""Values of UK Open Banking Read/Write v4.0: amounts, times, pages. No I/O."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Literal

from shared.contracts.values import MAX_AMOUNT_MINOR
from shared.kit.clock import BANK_TIME
from shared.kit.money import EXPONENTS
from shared.kit.problems import BankError

PREFIX: Final = "/open-banking/v4.0"
MEDIA_TYPE: Final = "application/json; charset=utf-8"
#: Account numbers of this bank, in a namespace of its own: the standard lets other schemes in.
SCHEME: Final = "CN.Tongbao.AccountNumber"
#: Entries of one page of transactions, and of statements.
PAGE_SIZE: Final = 100
STATEMENT_PAGE_SIZE: Final = 12
MAX_PAGE: Final = 100_000
#: Where a period is open, it reaches so far.
FIRST_DAY: Final = date(1900, 1, 1)
LAST_DAY: Final = date(2999, 12, 31)
_AMOUNT: Final = re.compile(r"([0-9]{1,13})(?:\.([0-9]{1,5}))?")
_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_STATEMENT: Final = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])")


class ResourceNotFound(BankError):
    """400, as the standard has it: 404 is for addresses that do not exist at all."""

    status, code, title = 400, "resource_not_found", "There is no such resource in this consent"


class AmountRefused(BankError):
    status, code, title = 400, "amount_refused", "The amount cannot be"


class SchemeRefused(BankError):
    status, code, title = 400, "scheme_refused", "Accounts of this scheme are not paid from here"


class HeaderRefused(BankError):
    status, code, title = 400, "header_refused", "A header is not as expected"


def decimal_of(amount_minor: int, currency: str) -> str:
    """The size of an amount as the standard writes it: `-12345` fen is `123.45`."""
    exponent = EXPONENTS.get(currency, 2)
    whole, rest = divmod(abs(amount_minor), 10**exponent)
    return f"{whole}.{rest:0{exponent}d}" if exponent else str(whole)


def minor_of(amount: str, currency: str, *, field: str) -> int:
    """Minor units of an amount in the standard's form. Raises `AmountRefused`."""
    found = _AMOUNT.fullmatch(amount)
    exponent = EXPONENTS.get(currency, 2)
    if found is None or (found[2] is not None and found[2].rstrip("0")[exponent:]):
        raise AmountRefused(field=field, expected=f"a number of at most {exponent} decimals")
    decimals = (found[2] or "")[:exponent].ljust(exponent, "0")
    minor = int(found[1] + decimals)
    if not 0 < minor <= MAX_AMOUNT_MINOR:
        raise AmountRefused(field=field, expected="more than nothing, and no more than can be kept")
    return minor


def direction_of(amount_minor: int) -> Literal["Credit", "Debit"]:
    return "Credit" if amount_minor >= 0 else "Debit"


def sensible(moment: datetime) -> datetime:
    """Whole seconds, in a century in which time zones can be reckoned. Raises `ValueError`."""
    if not FIRST_DAY.year <= moment.year < LAST_DAY.year:
        raise ValueError(f"a time of the years {FIRST_DAY.year} to {LAST_DAY.year - 1}")
    return moment.replace(microsecond=0)


def in_words(value: object) -> object:
    """ISO 8601 text alone: a bare number would pass for a time. Raises `ValueError`."""
    if not isinstance(value, str) or not _TIME.match(value):
        raise ValueError("a date and time of ISO 8601")
    return value


def written(moment: datetime) -> str:
    """ISO 8601 with its offset, whole seconds."""
    return moment.astimezone(UTC).replace(microsecond=0).isoformat()


def start_of(day: date) -> str:
    """The bank's day as a moment: booking dates have no time of their own."""
    return datetime.combine(day, time(), BANK_TIME).isoformat()


def end_of(day: date) -> str:
    return datetime.combine(day, time(23, 59, 59), BANK_TIME).isoformat()


@dataclass(frozen=True, slots=True)
class Days:
    """Booking days, both included; empty where `first` is after `last`."""

    first: date = FIRST_DAY
    last: date = LAST_DAY

    @property
    def is_empty(self) -> bool:
        return self.first > self.last

    def within(self, other: "Days") -> "Days":
        return Days(max(self.first, other.first), min(self.last, other.last))


def days_between(first: datetime | None, last: datetime | None) -> Days:
    """The days whose beginning lies between two local times; zones do not count (the standard).

    An entry's booking time is the beginning of its day.
    """
    begins = FIRST_DAY
    if first is not None:
        later = first.replace(tzinfo=None).time() > time()
        begins = min(first.date(), LAST_DAY) + timedelta(days=1 if later else 0)
    return Days(begins, LAST_DAY if last is None else last.date())


def permitted_days(first: datetime | None, last: datetime | None) -> Days:
    """As `days_between`, for the consent's own moments: in the bank's zone."""
    return days_between(
        first.astimezone(BANK_TIME) if first else None,
        last.astimezone(BANK_TIME) if last else None,
    )


def pages_of(total: int, *, size: int) -> int:
    """How many pages there are; an empty list has one."""
    return max(1, -(-total // size))


def month_days(statement_id: str) -> Days | None:
    """The days of a statement, which is named by its month; None where it is no month."""
    found = _STATEMENT.fullmatch(statement_id)
    if found is None or not FIRST_DAY.year <= int(found[1]) < LAST_DAY.year:
        return None
    first = date(int(found[1]), int(found[2]), 1)
    return Days(first, _next_month(first) - timedelta(days=1))


def _next_month(first: date) -> date:
    return (first + timedelta(days=32)).replace(day=1)


def statement_months(opened_on: date, *, today: date) -> list[Days]:
    """The whole months since an account was opened, the youngest first."""
    found = []
    month = opened_on.replace(day=1)
    while (following := _next_month(month)) <= today:
        found.append(Days(month, following - timedelta(days=1)))
        month = following
    return found[::-1]


def day_before(day: date) -> str:
    return (day - timedelta(days=1)).isoformat()
