"""Measures of policies and models, their limits, and when an alarm opens and closes. Pure.

What is above its limit is bad for every measure here: a limit is never passed downward.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, get_args
from uuid import UUID

from services.risk.policies.domain import Product
from services.risk.watch import drift

Span = Literal["hour", "day", "week"]
SPANS: Final[dict[Span, timedelta]] = {
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(days=7),
}
#: Decisions are counted by quarters of an hour, and their features by hours.
SLOT: Final = timedelta(minutes=15)
FEATURE_SLOT: Final = timedelta(hours=1)
#: What a new version is compared with: the decisions of its product in the days before it.
REFERENCE_SPAN: Final = timedelta(days=7)
#: From 10 µs to 10 s, an eighth of a decade each: a quantile is right within a seventh.
LATENCY_EDGES_US: Final = drift.growing(10, 1e7, 8)
#: From a minute to about a year.
DELAY_EDGES_S: Final = drift.growing(60, 3.2e7, 8)

Kind = Literal["policy", "model"]
Severity = Literal["warning", "critical"]
Measure = Literal[
    "score_psi",
    "score_ks",
    "feature_psi",
    "feature_ks",
    "approval_moved",
    "alert_rate",
    "decline_rate",
    "latency_p99_ms",
    "degraded_share",
    "failed_share",
    "label_delay_h",
]
MEASURES: Final[tuple[Measure, ...]] = get_args(Measure)
#: An alarm closes below this part of the limit that opened it, so that none flutters.
HYSTERESIS: Final = 0.8
#: Shares of what was asked by fewer are shown with their intervals, and moved against nothing.
LEAST_OF_REFERENCE: Final = 100


@dataclass(frozen=True, slots=True)
class Limit:
    """From where a measure over `span` alarms; below `least` observations nothing is said."""

    measure: Measure
    span: Span
    warning: float
    critical: float | None
    least: int
    product: str = ""
    changed_by: str | None = None
    reason: str | None = None
    changed_at: datetime | None = None

    def of(self, severity: Severity) -> float | None:
        return self.warning if severity == "warning" else self.critical


#: Where no operator said otherwise. Of loans and cards more are declined than of payments.
DEFAULT_LIMITS: Final = (
    Limit("score_psi", "day", 0.10, 0.25, 500),
    Limit("score_ks", "day", 0.10, 0.20, 500),
    Limit("feature_psi", "day", 0.25, None, 500),
    Limit("feature_ks", "day", 0.20, None, 500),
    Limit("approval_moved", "hour", 0.05, 0.15, 100),
    Limit("alert_rate", "hour", 0.20, 0.40, 100),
    Limit("alert_rate", "day", 0.80, 0.95, 50, product="loan"),
    Limit("alert_rate", "day", 0.80, 0.95, 50, product="card"),
    Limit("decline_rate", "hour", 0.10, 0.30, 100),
    Limit("decline_rate", "day", 0.60, 0.80, 50, product="loan"),
    Limit("decline_rate", "day", 0.60, 0.80, 50, product="card"),
    Limit("latency_p99_ms", "hour", 5.0, 50.0, 200),
    Limit("degraded_share", "hour", 0.05, 0.25, 50),
    Limit("failed_share", "hour", 0.001, 0.02, 50),
    Limit("label_delay_h", "week", 72.0, 240.0, 20),
)


@dataclass(frozen=True, slots=True)
class Guard:
    """When a version that came into force within `hours` is taken back without being asked for.

    A rate breaks it where it lies certainly more than `rise` above that of the days before; where
    those are too few, above the ceiling of that name. Rules that fail have a ceiling alone.
    """

    product: Product
    is_on: bool
    hours: int
    least: int
    rise: float
    decline_rate: float
    review_rate: float
    failed_share: float
    changed_by: str | None = None
    reason: str | None = None
    changed_at: datetime | None = None


def _guard(product: Product, *, decline: float, review: float) -> Guard:
    return Guard(product, True, 24, 100, 0.15, decline, review, 0.05)


DEFAULT_GUARDS: Final[dict[Product, Guard]] = {
    "payment": _guard("payment", decline=0.20, review=0.40),
    "account_opening": _guard("account_opening", decline=0.60, review=0.80),
    "loan": _guard("loan", decline=0.90, review=0.90),
    "card": _guard("card", decline=0.90, review=0.90),
}


@dataclass(frozen=True, slots=True)
class Share:
    """`hits` of `seen`, with the interval of 95% around it."""

    hits: int
    seen: int

    @property
    def value(self) -> float:
        return self.hits / self.seen if self.seen else 0.0

    @property
    def low(self) -> float:
        return drift.wilson(self.hits, self.seen)[0]

    @property
    def high(self) -> float:
        return drift.wilson(self.hits, self.seen)[1]


@dataclass(frozen=True, slots=True)
class Tally:
    """Decisions of some span, by outcome, and what else was counted of them."""

    approve: int = 0
    review: int = 0
    decline: int = 0
    degraded: int = 0
    failed: int = 0
    #: Scores from the model's own threshold for a review on.
    alerts: int = 0

    @property
    def decisions(self) -> int:
        return self.approve + self.review + self.decline

    def share(self, hits: int) -> Share:
        return Share(hits, self.decisions)

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.approve + other.approve,
            self.review + other.review,
            self.decline + other.decline,
            self.degraded + other.degraded,
            self.failed + other.failed,
            self.alerts + other.alerts,
        )


@dataclass(frozen=True, slots=True)
class Shift:
    """How far a distribution lies from its reference, and what chance alone would give."""

    name: str
    seen: int
    psi: float
    psi_by_chance: float
    ks: float
    ks_by_chance: float
    missing: Share
    missing_before: Share


@dataclass(frozen=True, slots=True)
class Labels:
    """What decisions turned out to be: `fraud` of those whose label says so or not."""

    labelled: Share
    fraud: Share
    delays: Sequence[int] = ()

    def delay_h(self, share: float) -> float | None:
        """Within how many hours that share of the labels came that came in the span."""
        found = drift.quantile(DELAY_EDGES_S, self.delays, share)
        return None if found is None else found / 3600


@dataclass(frozen=True, slots=True)
class Measured:
    """A measure of a policy or a model now. `certain` is what it is at the least, chance aside."""

    kind: Kind
    subject: str
    product: str
    measure: Measure
    value: float
    certain: float
    seen: int
    name: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        return self.subject, self.measure, self.name


@dataclass(frozen=True, slots=True)
class Alarm:
    """What a measure that passed its limit is told by, until it is well below it again."""

    alarm_id: UUID
    kind: Kind
    subject: str
    product: str
    measure: Measure
    name: str
    span: Span
    severity: Severity
    value: float
    peak: float
    bound: float
    seen: int
    opened_at: datetime
    updated_at: datetime
    closed_at: datetime | None = None
    closed_why: str | None = None
    acknowledged_by: str | None = None
    acknowledged_at: datetime | None = None
    note: str | None = field(default=None)

    @property
    def key(self) -> tuple[str, str, str]:
        return self.subject, self.measure, self.name


def limit_for(
    changed: Mapping[tuple[str, str], Limit], measure: Measure, product: str
) -> Limit | None:
    """The limit that counts: an operator's for the product, or for all, or the packaged one.

    None where there is none: then the measure is only shown.
    """
    packaged = {(one.measure, one.product): one for one in DEFAULT_LIMITS}
    for known, place in (
        (changed, (measure, product)),
        (packaged, (measure, product)),
        (changed, (measure, "")),
        (packaged, (measure, "")),
    ):
        if place in known:
            return known[place]
    return None


def severity_of(limit: Limit, found: Measured, before: Severity | None) -> Severity | None:
    """How bad it is: None is good. A limit once passed holds until well below it.

    With too few observations everything stays as it was.
    """
    if found.seen < limit.least:
        return before
    for severity in ("critical", "warning"):
        bound = limit.of(severity)
        if bound is None:
            continue
        is_held = before == severity or (before == "critical" and severity == "warning")
        if found.certain >= bound or (is_held and found.value >= HYSTERESIS * bound):
            return severity
    return None


def with_measure(alarm: Alarm, found: Measured, limit: Limit, now: datetime) -> Alarm:
    """The alarm as it stands after another look."""
    severity = severity_of(limit, found, alarm.severity)
    if severity is None:
        return closed(replace(alarm, value=found.value, seen=found.seen), why="below", now=now)
    return replace(
        alarm,
        severity=severity,
        value=found.value,
        peak=max(alarm.peak, found.value),
        bound=limit.of(severity) or alarm.bound,
        seen=found.seen,
        updated_at=now,
    )


def closed(alarm: Alarm, *, why: str, now: datetime) -> Alarm:
    return replace(alarm, updated_at=now, closed_at=now, closed_why=why)


def slot_of(moment: datetime, slot: timedelta = SLOT) -> datetime:
    """The beginning of the slot in which a moment lies."""
    epoch = datetime.fromtimestamp(0, UTC)
    return moment - (moment - epoch) % slot


def since(now: datetime, span: Span, slot: timedelta = SLOT) -> datetime:
    """Where a window begins: with the slot in which the moment `span` ago lies."""
    return slot_of(now - SPANS[span], slot)


def shift(name: str, expected: Sequence[int], found: Sequence[int]) -> Shift:
    """How far `found` lies from `expected`: counts over the same bins, the missing first."""
    return Shift(
        name=name,
        seen=sum(found),
        psi=drift.psi(expected, found),
        psi_by_chance=drift.psi_by_chance(expected, found),
        ks=drift.ks(expected, found),
        ks_by_chance=drift.ks_by_chance(expected, found),
        missing=Share(found[0], sum(found)),
        missing_before=Share(expected[0], sum(expected)),
    )
