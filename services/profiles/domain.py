"""What a profile makes of its facts: totals, habits, tags and segments.

Every number of a tag stands in the versioned rule file. Windows of months count back from the
customer's latest month with a transfer, not from today: an imported book keeps its own dates,
and the same facts give the same tags whenever they are read.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import ClassVar, Literal

from shared.contracts.values import Localized
from shared.kit.problems import BankError

Grade = Literal["C1", "C2", "C3", "C4", "C5"]


class InvalidRules(ValueError):
    """A rule file that contradicts itself; the service does not start with it."""


class ProfileNotFound(BankError):
    status = 404
    code = "profile_not_found"
    title = "Nothing is known of this customer yet"


class Rule:
    """The base of what a rule file holds: nothing unknown, nothing converted."""

    __pydantic_config__: ClassVar[dict[str, object]] = {"extra": "forbid", "strict": True}


@dataclass(frozen=True, slots=True)
class Flow:
    """What one month's transfers of one kind did to a customer's accounts in one currency.

    `month` is the first day of the month of the value date; amounts are in minor units.
    """

    month: date
    kind: str
    currency: str
    in_minor: int
    out_minor: int
    in_count: int
    out_count: int


@dataclass(frozen=True, slots=True)
class Sum:
    """Totals of several flows, in minor units of one currency."""

    in_minor: int = 0
    out_minor: int = 0
    transfers: int = 0

    def plus(self, flow: Flow) -> "Sum":
        """Both together: the sum and one flow more."""
        return Sum(
            self.in_minor + flow.in_minor,
            self.out_minor + flow.out_minor,
            self.transfers + flow.in_count + flow.out_count,
        )


@dataclass(frozen=True, slots=True)
class PayeeHabit:
    account_id: str
    currency: str
    payments: int
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Assessment:
    """The risk grade as the advisor told it; `valid_until` is the first day it does not count."""

    grade: Grade
    valid_until: date

    def live_grade(self, today: date) -> Grade | None:
        """The grade on that day, or None once it has expired."""
        return self.grade if today < self.valid_until else None


@dataclass(frozen=True, slots=True)
class Facts:
    """All that is known of one customer, as events told it.

    `payments_by_hour` counts settled payments by the hour of the day in UTC.
    """

    customer_id: str
    registered_on: date | None = None
    accounts: tuple[str, ...] = ()
    flows: tuple[Flow, ...] = ()
    payees: tuple[PayeeHabit, ...] = ()
    payments_by_hour: tuple[tuple[int, int], ...] = ()
    payments_rejected: int = 0
    assessment: Assessment | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True)
class IncomeTag(Rule):
    """Regular income: one of `kinds` came in, in each of the latest active `months`."""

    kinds: tuple[str, ...]
    months: int
    minimum_minor_by_currency: dict[str, int]


@dataclass(frozen=True)
class SaverTag(Rule):
    """At least `kept_percent` of what came in during the latest active `months` stayed."""

    months: int
    kept_percent: int


@dataclass(frozen=True)
class FrequentPayerTag(Rule):
    """At least `transfers` debits in one of the two latest active months."""

    transfers: int


@dataclass(frozen=True)
class NewCustomerTag(Rule):
    """Registered within the last `days`."""

    days: int


@dataclass(frozen=True)
class TagRules(Rule):
    salary_earner: IncomeTag
    saver: SaverTag
    frequent_payer: FrequentPayerTag
    new_customer: NewCustomerTag


TAGS = ("frequent_payer", "new_customer", "risk_graded", "salary_earner", "saver")


@dataclass(frozen=True)
class SegmentRule(Rule):
    """Who has all of `all_tags` and none of `no_tags` is in the segment."""

    segment: str
    name: Localized
    all_tags: tuple[str, ...]
    no_tags: tuple[str, ...]

    def __post_init__(self) -> None:
        unknown = (set(self.all_tags) | set(self.no_tags)) - set(TAGS)
        if unknown or not self.all_tags:
            raise InvalidRules(f"segment {self.segment}: tags of {TAGS}, not {sorted(unknown)}")


@dataclass(frozen=True)
class ProfileRules(Rule):
    """One version of the tag thresholds and the segments."""

    version: str
    tags: TagRules
    segments: tuple[SegmentRule, ...]

    def __post_init__(self) -> None:
        names = [rule.segment for rule in self.segments]
        if len(set(names)) != len(names):
            raise InvalidRules("two segments have the same name")


def totals_by_currency(flows: Iterable[Flow]) -> dict[str, Sum]:
    """Totals of all time, by currency in its alphabetical order."""
    sums: dict[str, Sum] = {}
    for flow in flows:
        sums[flow.currency] = sums.get(flow.currency, Sum()).plus(flow)
    return dict(sorted(sums.items()))


def totals_by_month(flows: Iterable[Flow]) -> dict[tuple[date, str], Sum]:
    """Totals by month and currency, the oldest month first."""
    sums: dict[tuple[date, str], Sum] = {}
    for flow in flows:
        key = (flow.month, flow.currency)
        sums[key] = sums.get(key, Sum()).plus(flow)
    return dict(sorted(sums.items()))


def totals_by_kind(flows: Iterable[Flow]) -> dict[tuple[str, str], Sum]:
    """Totals by kind of transfer and currency, in alphabetical order."""
    sums: dict[tuple[str, str], Sum] = {}
    for flow in flows:
        key = (flow.kind, flow.currency)
        sums[key] = sums.get(key, Sum()).plus(flow)
    return dict(sorted(sums.items()))


def favorite_payees(payees: Iterable[PayeeHabit], *, limit: int) -> list[PayeeHabit]:
    """The accounts paid most often; of equals the higher amount, then the account number."""
    ranked = sorted(payees, key=lambda p: (-p.payments, -p.amount_minor, p.account_id, p.currency))
    return ranked[:limit]


def busiest_hour(payments_by_hour: Iterable[tuple[int, int]]) -> int | None:
    """The hour (UTC) with the most settled payments, the earlier one of equals."""
    counted = [(-count, hour) for hour, count in payments_by_hour if count > 0]
    return min(counted)[1] if counted else None


def mean_payment_minor(payees: Sequence[PayeeHabit]) -> int | None:
    """The mean settled payment, rounded down, in the currency that the customer pays in most.

    Amounts of several currencies are never added up.
    """
    counts: dict[str, list[int]] = {}
    for payee in payees:
        count = counts.setdefault(payee.currency, [0, 0])
        count[0] += payee.payments
        count[1] += payee.amount_minor
    if not counts:
        return None
    payments, amount_minor = min(counts.items(), key=lambda item: (-item[1][0], item[0]))[1]
    return amount_minor // payments


def tags(rules: TagRules, facts: Facts, *, today: date) -> list[str]:
    """The customer's tags on that day, in alphabetical order."""
    found = []
    if _pays_often(rules.frequent_payer, facts.flows):
        found.append("frequent_payer")
    since = today - timedelta(days=rules.new_customer.days)
    if facts.registered_on is not None and since <= facts.registered_on <= today:
        found.append("new_customer")
    if facts.assessment is not None and facts.assessment.live_grade(today) is not None:
        found.append("risk_graded")
    if _has_regular_income(rules.salary_earner, facts.flows):
        found.append("salary_earner")
    if _saves(rules.saver, facts.flows):
        found.append("saver")
    return found


def segments(rules: Iterable[SegmentRule], held: Collection[str]) -> list[str]:
    """The segments of a customer who holds these tags, in the order of the rules."""
    return [
        rule.segment
        for rule in rules
        if set(rule.all_tags) <= set(held) and not set(rule.no_tags) & set(held)
    ]


def _active_months(flows: Iterable[Flow]) -> list[date]:
    """The months in which money moved, the latest first: a pause says nothing of a habit."""
    return sorted({flow.month for flow in flows}, reverse=True)


def _has_regular_income(rule: IncomeTag, flows: Sequence[Flow]) -> bool:
    """The running month may not have its salary yet: then those before it count."""
    active = _active_months(flows)
    income: dict[tuple[str, date], int] = {}
    for flow in flows:
        if flow.kind in rule.kinds:
            key = (flow.currency, flow.month)
            income[key] = income.get(key, 0) + flow.in_minor
    windows = [active[first : first + rule.months] for first in (0, 1)]
    return any(
        len(months) == rule.months
        and all(income.get((currency, month), 0) >= minimum for month in months)
        for months in windows
        for currency, minimum in rule.minimum_minor_by_currency.items()
    )


def _saves(rule: SaverTag, flows: Sequence[Flow]) -> bool:
    months = set(_active_months(flows)[: rule.months])
    recent = totals_by_currency(flow for flow in flows if flow.month in months)
    return any(
        total.in_minor > 0
        and (total.in_minor - total.out_minor) * 100 >= total.in_minor * rule.kept_percent
        for total in recent.values()
    )


def _pays_often(rule: FrequentPayerTag, flows: Sequence[Flow]) -> bool:
    """In the running month or, since that has only begun, in the one before it."""
    return any(
        sum(flow.out_count for flow in flows if flow.month == month) >= rule.transfers
        for month in _active_months(flows)[:2]
    )


def merged(flows: Iterable[Flow]) -> tuple[Flow, ...]:
    """Flows of several accounts as those of one customer, in a fixed order."""
    sums: dict[tuple[date, str, str], Flow] = {}
    for flow in flows:
        key = (flow.month, flow.kind, flow.currency)
        known = sums.get(key)
        sums[key] = flow if known is None else _added(known, flow)
    return tuple(flow for _, flow in sorted(sums.items()))


def _added(one: Flow, other: Flow) -> Flow:
    return Flow(
        month=one.month,
        kind=one.kind,
        currency=one.currency,
        in_minor=one.in_minor + other.in_minor,
        out_minor=one.out_minor + other.out_minor,
        in_count=one.in_count + other.in_count,
        out_count=one.out_count + other.out_count,
    )


def grade_fits(highest_rating: Mapping[Grade, str], *, grade: Grade | None, rating: str) -> bool:
    """Whether a product of `rating` may be shown to a customer of `grade`; None: never."""
    return grade is not None and rating <= highest_rating[grade]
