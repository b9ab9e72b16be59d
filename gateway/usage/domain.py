"""Counts of calls: by partner, route, kind of answer and day of the bank."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from shared.kit.problems import BankError

#: Different counts kept between two writes; more would be calls without names.
MAX_COUNTS: Final = 10_000
MAX_DAYS: Final = 92
KEPT_DAYS: Final = 400

#: Partner, day, route, and the first digit of the status.
Counted = tuple[str, date, str, int]


class UsageSpanRefused(BankError):
    status, code, title = 422, "usage_span_refused", "The span of days is not one to ask for"


@dataclass(frozen=True, slots=True)
class Usage:
    partner_id: str
    day: date
    endpoint: str
    status_class: int
    calls: int


def check_span(first: date, last: date) -> None:
    """Raises `UsageSpanRefused`."""
    if not 0 <= (last - first).days < MAX_DAYS:
        raise UsageSpanRefused(field="to_day", expected=f"{MAX_DAYS} days from from_day at most")


def merge(counts: dict[Counted, int], more: Mapping[Counted, int]) -> None:
    for counted, calls in more.items():
        counts[counted] = counts.get(counted, 0) + calls
