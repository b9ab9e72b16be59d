"""The SQL of the watch: sums over slots, limits, guards, alarms, and what was rolled back."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import bindparam, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert

from services.risk.policies.domain import Product
from services.risk.policies.models import policy_activations
from services.risk.policies.repository import ActivationRow
from services.risk.watch.domain import Alarm, Guard, Labels, Limit, Share, Tally
from services.risk.watch.models import (
    watch_alarms,
    watch_bins,
    watch_counts,
    watch_guards,
    watch_labels,
    watch_limits,
    watch_places,
    watch_references,
    watch_roll_backs,
)
from services.risk.watch.references import SCORE
from shared.kit.database import Session

_COUNTS: Final = watch_counts.c
#: Measures of `watch_bins` that are no feature.
OWN_MEASURES: Final = ("latency", "delay")


@dataclass(frozen=True, slots=True)
class Seen:
    """Tallies of a span by policy and by model, and the model that scored last."""

    policies: Mapping[str, Tally]
    models: Mapping[str, Tally]
    last_model: str | None


@dataclass(frozen=True, slots=True)
class Kept:
    """A distribution to compare with, as training left it."""

    edges: Sequence[float]
    counts: Sequence[int]


@dataclass(frozen=True, slots=True)
class RollBack:
    """What the guard took back, and for which figure."""

    activation_id: int
    product: str
    version: str
    back_to: str
    measure: str
    value: float
    bound: float
    seen: int
    made_at: datetime


_TALLIES = (
    select(
        _COUNTS.policy,
        _COUNTS.model,
        _COUNTS.outcome,
        func.sum(_COUNTS.decisions).label("decisions"),
        func.sum(_COUNTS.degraded).label("degraded"),
        func.sum(_COUNTS.failed).label("failed"),
        func.sum(_COUNTS.alerts).label("alerts"),
        func.max(_COUNTS.slot).label("last"),
    )
    .where(
        _COUNTS.product == bindparam("of"),
        _COUNTS.slot >= bindparam("since"),
        _COUNTS.slot < bindparam("until"),
    )
    .group_by(_COUNTS.policy, _COUNTS.model, _COUNTS.outcome)
)


async def seen(session: Session, *, product: str, since: datetime, until: datetime) -> Seen:
    """What was decided of a product in the slots from `since` on and before `until`."""
    values = {"of": product, "since": since, "until": until}
    policies: dict[str, Tally] = defaultdict(Tally)
    models: dict[str, Tally] = defaultdict(Tally)
    last: tuple[datetime, int, str] | None = None
    for row in (await session.execute(_TALLIES, values)).all():
        tally = _tally(row)
        policies[row.policy] += tally
        if row.model:
            models[row.model] += tally
            found = (row.last, int(row.decisions), row.model)
            last = found if last is None else max(last, found)
    return Seen(dict(policies), dict(models), None if last is None else last[2])


def _tally(row: Any) -> Tally:
    return Tally(
        **{row.outcome: int(row.decisions)},
        degraded=int(row.degraded),
        failed=int(row.failed),
        alerts=int(row.alerts),
    )


_SERIES = text(
    """
    SELECT date_bin(:step, slot, TIMESTAMPTZ 'epoch') AS at, policy, model, outcome,
        sum(decisions) AS decisions, sum(degraded) AS degraded, sum(failed) AS failed,
        sum(alerts) AS alerts
    FROM watch_counts
    WHERE product = :product AND slot >= :since
    GROUP BY 1, 2, 3, 4
    ORDER BY 1
    """
)


async def series(
    session: Session, *, product: str, since: datetime, step: timedelta
) -> dict[datetime, Tally]:
    """A product's tallies by steps of time, the oldest first; a step without any is not there."""
    values = {"product": product, "since": since, "step": step}
    found: dict[datetime, Tally] = defaultdict(Tally)
    for row in (await session.execute(_SERIES, values)).all():
        found[row.at] += _tally(row)
    return dict(found)


_BINS = (
    select(watch_bins.c.measure, watch_bins.c.bin, func.sum(watch_bins.c.decisions).label("n"))
    .where(watch_bins.c.subject == bindparam("of"), watch_bins.c.slot >= bindparam("since"))
    .group_by(watch_bins.c.measure, watch_bins.c.bin)
)
_OWN_BINS = _BINS.where(
    watch_bins.c.measure.in_(OWN_MEASURES) | watch_bins.c.measure.startswith("cause.")
)
_DRIFT_BINS = _BINS.where(
    watch_bins.c.measure.not_in(OWN_MEASURES) & ~watch_bins.c.measure.startswith("cause.")
)


async def own_bins(session: Session, *, subject: str, since: datetime) -> dict[str, dict[int, int]]:
    """Counts by bin of latency, delay of labels and each cause (`cause.<word>`, bin 0)."""
    return _by_measure(await session.execute(_OWN_BINS, {"of": subject, "since": since}))


async def drift_bins(session: Session, *, model: str, since: datetime) -> dict[str, dict[int, int]]:
    """Counts by bin of a model's score and features."""
    return _by_measure(await session.execute(_DRIFT_BINS, {"of": model, "since": since}))


def _by_measure(rows: Any) -> dict[str, dict[int, int]]:
    found: dict[str, dict[int, int]] = defaultdict(dict)
    for row in rows:
        found[row.measure][row.bin] = int(row.n)
    return found


def filled(bins: Mapping[int, int], count: int) -> list[int]:
    """All bins in their order, 0 where none fell."""
    return [bins.get(place, 0) for place in range(count)]


_REFERENCE = select(watch_references).where(watch_references.c.model == bindparam("of"))


async def reference(session: Session, *, model: str) -> dict[str, Kept]:
    """What a model is compared with, by name, the score first; empty where nothing is known."""
    rows = (await session.execute(_REFERENCE, {"of": model})).all()
    ordered = sorted(rows, key=lambda row: (row.name != SCORE, row.name))
    return {row.name: Kept(row.edges, row.counts) for row in ordered}


_LABELS = (
    select(
        watch_labels.c.policy,
        watch_labels.c.model,
        watch_labels.c.label,
        func.sum(watch_labels.c.decisions).label("n"),
    )
    .where(watch_labels.c.product == bindparam("of"), watch_labels.c.slot >= bindparam("since"))
    .group_by(watch_labels.c.policy, watch_labels.c.model, watch_labels.c.label)
)


async def labels(session: Session, *, product: str, since: datetime) -> dict[str, dict[str, int]]:
    """Labels that count, of decisions since then, by policy and by model."""
    found: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for row in (await session.execute(_LABELS, {"of": product, "since": since})).all():
        for subject in filter(None, (row.policy, row.model)):
            found[subject][row.label] += int(row.n)
    return found


def labels_of(found: Mapping[str, int], *, decisions: int, delays: Sequence[int]) -> Labels:
    known = found.get("fraud", 0) + found.get("honest", 0)
    labelled = min(decisions, sum(found.values()))
    return Labels(Share(labelled, decisions), Share(found.get("fraud", 0), known), delays)


async def limits(session: Session) -> dict[tuple[str, str], Limit]:
    """What operators changed, by measure and product (empty: all)."""
    rows = (await session.execute(select(watch_limits))).all()
    return {(row.measure, row.product): Limit(**row._asdict()) for row in rows}


async def keep_limit(session: Session, limit: Limit) -> None:
    values = asdict(limit)
    statement = upsert(watch_limits).values(values)
    keys = [watch_limits.c.measure, watch_limits.c.product]
    changes = {name: values[name] for name in values if name not in {"measure", "product"}}
    await session.execute(statement.on_conflict_do_update(index_elements=keys, set_=changes))


async def guards(session: Session) -> dict[Product, Guard]:
    """What operators changed, by product."""
    rows = (await session.execute(select(watch_guards))).all()
    return {row.product: Guard(**row._asdict()) for row in rows}


async def keep_guard(session: Session, guard: Guard) -> None:
    values = asdict(guard)
    changes = {name: values[name] for name in values if name != "product"}
    statement = upsert(watch_guards).values(values)
    keys = [watch_guards.c.product]
    await session.execute(statement.on_conflict_do_update(index_elements=keys, set_=changes))


_OPEN = (
    select(watch_alarms)
    .where(watch_alarms.c.closed_at.is_(None))
    .order_by(watch_alarms.c.severity, watch_alarms.c.opened_at.desc())
)


async def open_alarms(session: Session) -> list[Alarm]:
    """Alarms that are open, critical ones first."""
    return [Alarm(**row._asdict()) for row in (await session.execute(_OPEN)).all()]


async def closed_alarms(session: Session, *, limit: int) -> list[Alarm]:
    """Alarms that are over, the last opened first."""
    statement = (
        select(watch_alarms)
        .where(watch_alarms.c.closed_at.is_not(None))
        .order_by(watch_alarms.c.opened_at.desc(), watch_alarms.c.alarm_id.desc())
        .limit(limit)
    )
    return [Alarm(**row._asdict()) for row in (await session.execute(statement)).all()]


async def alarm(session: Session, alarm_id: UUID) -> Alarm | None:
    """The alarm, locked until the transaction ends."""
    statement = select(watch_alarms).where(watch_alarms.c.alarm_id == alarm_id).with_for_update()
    row = (await session.execute(statement)).first()
    return None if row is None else Alarm(**row._asdict())


async def insert_alarm(session: Session, alarm: Alarm) -> None:
    await session.execute(insert(watch_alarms).values(asdict(alarm)))


_CHANGING: Final = (
    "severity",
    "value",
    "peak",
    "bound",
    "seen",
    "updated_at",
    "closed_at",
    "closed_why",
)


async def update_alarm(session: Session, alarm: Alarm) -> None:
    """Store what another look found; what staff said of the alarm stays."""
    values = {name: getattr(alarm, name) for name in _CHANGING}
    statement = update(watch_alarms).where(watch_alarms.c.alarm_id == alarm.alarm_id)
    await session.execute(statement.values(values))


async def acknowledge(session: Session, alarm: Alarm) -> None:
    values = {
        "acknowledged_by": alarm.acknowledged_by,
        "acknowledged_at": alarm.acknowledged_at,
        "note": alarm.note,
    }
    statement = update(watch_alarms).where(watch_alarms.c.alarm_id == alarm.alarm_id)
    await session.execute(statement.values(values))


async def last_counted_at(session: Session) -> datetime | None:
    """When the last decision was made that is counted; None before any was."""
    of_decisions = watch_places.c.decision_id > UUID(int=0)
    last = select(func.max(watch_places.c.at)).where(of_decisions)
    found: datetime | None = (await session.execute(last)).scalar_one()
    return found


async def lock(session: Session) -> None:
    """One look at a time, until the transaction ends."""
    await session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('watch', 0))"))


_FIRST = (
    select(policy_activations)
    .where(
        policy_activations.c.product == bindparam("of"),
        policy_activations.c.version == bindparam("number"),
        policy_activations.c.action != "roll_back",
    )
    .order_by(policy_activations.c.activation_id)
    .limit(1)
)


async def first_activation(session: Session, *, product: str, version: str) -> ActivationRow | None:
    """When a version first came into force."""
    row = (await session.execute(_FIRST, {"of": product, "number": version})).first()
    return None if row is None else ActivationRow(**row._asdict())


async def insert_roll_back(session: Session, row: RollBack) -> None:
    await session.execute(insert(watch_roll_backs).values(asdict(row)))


async def was_rolled_back(session: Session, activation_id: int) -> bool:
    """Whether the guard took this activation back before."""
    of = watch_roll_backs.c.activation_id == activation_id
    statement = select(watch_roll_backs.c.activation_id).where(of)
    return (await session.execute(statement)).first() is not None


async def roll_backs(session: Session, *, limit: int) -> list[RollBack]:
    """What the guard took back, the last first."""
    statement = (
        select(watch_roll_backs).order_by(watch_roll_backs.c.activation_id.desc()).limit(limit)
    )
    return [RollBack(**row._asdict()) for row in (await session.execute(statement)).all()]
