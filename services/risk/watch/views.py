"""What staff send and see of the watch, as HTTP models."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, StringConstraints

from services.risk.policies.domain import Product
from services.risk.watch.domain import Alarm, Guard, Limit, Measure, Span, Tally
from services.risk.watch.domain import Share as Shared
from services.risk.watch.domain import Shift as Shifted
from services.risk.watch.reports import ModelReport, PolicyReport, ReferenceOf
from services.risk.watch.reports import Window as Windowed
from services.risk.watch.repository import RollBack
from services.risk.watch.service import Looked
from shared.contracts.values import Contract, Name, Reply

Note = Annotated[str, StringConstraints(strip_whitespace=True, max_length=140)]
Ratio = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
Bound = Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)]
Least = Annotated[int, Field(ge=1, le=1_000_000)]


class Acknowledge(Contract):
    """Whoever saw an alarm says so, and what comes of it."""

    note: Note = ""


class ChangeLimit(Contract):
    """From where a measure over `span` is a warning, and critical; with less than `least`
    observations nothing is said.
    """

    span: Span
    warning: Bound
    critical: Bound | None = None
    least: Least
    reason: Name


class ChangeGuard(Contract):
    """When a new version is rolled back by itself. See `GuardReply`."""

    is_on: bool
    hours: Annotated[int, Field(ge=1, le=720)]
    least: Least
    rise: Ratio
    decline_rate: Ratio
    review_rate: Ratio
    failed_share: Ratio
    reason: Name


class LimitReply(Reply):
    """`product` is empty where it holds for every product without one of its own."""

    measure: Measure
    product: str
    span: Span
    warning: float
    critical: float | None
    least: int
    changed_by: str | None
    reason: str | None
    changed_at: datetime | None

    @classmethod
    def of(cls, limit: Limit) -> Self:
        return cls.model_validate(limit, from_attributes=True)


class LimitList(Reply):
    items: list[LimitReply]


class GuardReply(Reply):
    """A version within `hours` of its activation is rolled back where a rate lies certainly more
    than `rise` above that of the seven days before; where those are too few, above the ceiling.
    """

    product: Product
    is_on: bool
    hours: int
    least: int
    rise: float
    decline_rate: float
    review_rate: float
    failed_share: float
    changed_by: str | None
    reason: str | None
    changed_at: datetime | None

    @classmethod
    def of(cls, guard: Guard) -> Self:
        return cls.model_validate(guard, from_attributes=True)


class GuardList(Reply):
    items: list[GuardReply]


class AlarmReply(Reply):
    alarm_id: UUID
    kind: Literal["policy", "model"]
    subject: str
    product: str
    measure: Measure
    #: The feature, where the measure is of one.
    name: str
    span: Span
    severity: Literal["warning", "critical"]
    value: float
    peak: float
    bound: float
    seen: int
    opened_at: datetime
    updated_at: datetime
    closed_at: datetime | None
    closed_why: str | None
    acknowledged_by: str | None
    acknowledged_at: datetime | None
    note: str | None

    @classmethod
    def of(cls, alarm: Alarm) -> Self:
        return cls.model_validate(alarm, from_attributes=True)


class Share(Reply):
    """A share with its interval of 95% (Wilson); null where nothing was seen."""

    hits: int
    seen: int
    value: float | None
    low: float
    high: float

    @classmethod
    def of(cls, share: Shared) -> Self:
        value = share.value if share.seen else None
        return cls(hits=share.hits, seen=share.seen, value=value, low=share.low, high=share.high)


class Window(Reply):
    """`alerts` are scores from the model's own threshold for a review on."""

    decisions: int
    approved: Share
    reviewed: Share
    declined: Share
    degraded: Share
    failed: Share
    alerts: Share
    latency_p50_ms: float | None
    latency_p99_ms: float | None
    causes: dict[str, int]
    labelled: Share
    fraud: Share
    label_delay_p50_h: float | None
    label_delay_p90_h: float | None

    @classmethod
    def of(cls, window: Windowed) -> Self:
        tally, labels = window.tally, window.labels
        return cls(
            decisions=tally.decisions,
            approved=Share.of(tally.share(tally.approve)),
            reviewed=Share.of(tally.share(tally.review)),
            declined=Share.of(tally.share(tally.decline)),
            degraded=Share.of(tally.share(tally.degraded)),
            failed=Share.of(tally.share(tally.failed)),
            alerts=Share.of(tally.share(tally.alerts)),
            latency_p50_ms=window.latency_ms(0.5),
            latency_p99_ms=window.latency_ms(0.99),
            causes=dict(window.causes),
            labelled=Share.of(labels.labelled),
            fraud=Share.of(labels.fraud),
            label_delay_p50_h=labels.delay_h(0.5),
            label_delay_p90_h=labels.delay_h(0.9),
        )


class Shift(Reply):
    """How far a distribution lies from training; beside it what one in 1,000 gives by chance."""

    name: str
    seen: int
    psi: float
    psi_by_chance: float
    ks: float
    ks_by_chance: float
    missing: Share
    missing_before: Share

    @classmethod
    def of(cls, shift: Shifted) -> Self:
        return cls(
            name=shift.name,
            seen=shift.seen,
            psi=shift.psi,
            psi_by_chance=shift.psi_by_chance,
            ks=shift.ks,
            ks_by_chance=shift.ks_by_chance,
            missing=Share.of(shift.missing),
            missing_before=Share.of(shift.missing_before),
        )


class Rates(Reply):
    """Of what a version is compared with."""

    decisions: int
    approved: Share
    reviewed: Share
    declined: Share

    @classmethod
    def of(cls, tally: Tally) -> Self:
        return cls(
            decisions=tally.decisions,
            approved=Share.of(tally.share(tally.approve)),
            reviewed=Share.of(tally.share(tally.review)),
            declined=Share.of(tally.share(tally.decline)),
        )


class PolicyWatch(Reply):
    product: Product
    policy: str
    in_force: bool
    activated_at: datetime | None
    windows: dict[Span, Window]
    reference: Rates | None
    reference_of: ReferenceOf | None

    @classmethod
    def of(cls, found: PolicyReport) -> Self:
        return cls(
            product=found.product,
            policy=found.policy,
            in_force=found.in_force,
            activated_at=found.activated_at,
            windows={span: Window.of(window) for span, window in found.windows.items()},
            reference=None if found.reference is None else Rates.of(found.reference),
            reference_of=found.reference_of,
        )


class ModelWatch(Reply):
    """`drift` has the score first; it is empty where training left no reference.

    `is_critical` where an alarm of the model is: nothing takes a model back by itself.
    """

    product: Product
    model: str
    in_use: bool
    is_critical: bool
    windows: dict[Span, Window]
    drift: dict[Span, list[Shift]]

    @classmethod
    def of(cls, found: ModelReport, *, alarms: Sequence[Alarm]) -> Self:
        return cls(
            product=found.product,
            model=found.model,
            in_use=found.in_use,
            is_critical=any(
                alarm.subject == found.model and alarm.severity == "critical" for alarm in alarms
            ),
            windows={span: Window.of(window) for span, window in found.windows.items()},
            drift={
                span: [Shift.of(shift) for shift in shifts] for span, shifts in found.shifts.items()
            },
        )


class RollBackReply(Reply):
    """What the guard took back, and for which figure."""

    activation_id: int
    product: Product
    version: str
    back_to: str
    measure: str
    value: float
    bound: float
    seen: int
    made_at: datetime

    @classmethod
    def of(cls, row: RollBack) -> Self:
        return cls.model_validate(row, from_attributes=True)


class WatchReply(Reply):
    """What was decided after `last_counted_at` is not in it yet."""

    at: datetime
    last_counted_at: datetime | None
    policies: list[PolicyWatch]
    models: list[ModelWatch]
    alarms: list[AlarmReply]
    closed_alarms: list[AlarmReply]
    roll_backs: list[RollBackReply]

    @classmethod
    def of(
        cls,
        looked: Looked,
        *,
        last_counted_at: datetime | None,
        closed: Sequence[Alarm],
        roll_backs: Sequence[RollBack],
    ) -> Self:
        return cls(
            at=looked.report.at,
            last_counted_at=last_counted_at,
            policies=[PolicyWatch.of(one) for one in looked.report.policies],
            models=[ModelWatch.of(one, alarms=looked.alarms) for one in looked.report.models],
            alarms=[AlarmReply.of(alarm) for alarm in looked.alarms],
            closed_alarms=[AlarmReply.of(alarm) for alarm in closed],
            roll_backs=[RollBackReply.of(row) for row in roll_backs],
        )
