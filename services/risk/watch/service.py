"""Use cases of the watch: look at all measures, acknowledge an alarm, change a limit or a guard.

Each runs inside the one transaction that its caller opened.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from services.risk.policies.domain import PRODUCTS, Product
from services.risk.watch import drift, repository
from services.risk.watch.domain import (
    DEFAULT_GUARDS,
    DEFAULT_LIMITS,
    MEASURES,
    Alarm,
    Guard,
    Limit,
    Measure,
    Measured,
    Share,
    Shift,
    Tally,
    closed,
    limit_for,
    severity_of,
    with_measure,
)
from services.risk.watch.reports import ModelReport, PolicyReport, Report, Window, report
from services.risk.watch.repository import RollBack
from shared.contracts.events.audit import StaffActed
from shared.contracts.events.envelope import Event
from shared.contracts.events.risk_watch import AlarmCleared, AlarmRaised
from shared.kit import outbox
from shared.kit.auth import Caller
from shared.kit.clock import new_id
from shared.kit.database import Session
from shared.kit.problems import BankError, InvalidRequest

log = logging.getLogger(__name__)

SOURCE = "risk"
#: Of the labels that came in a span, this part came within the delay that is measured.
MOST_LABELS = 0.9
#: Alarms that are over, and roll-backs, that are shown.
MAX_PAST = 50
#: What is measured of a policy, and of a model, with an alarm.
OF_POLICY: tuple[Measure, ...] = (
    "approval_moved",
    "alert_rate",
    "decline_rate",
    "latency_p99_ms",
    "degraded_share",
    "failed_share",
    "label_delay_h",
)
OF_MODEL: tuple[Measure, ...] = (
    "score_psi",
    "score_ks",
    "feature_psi",
    "feature_ks",
    "alert_rate",
)

Limits = Mapping[tuple[str, str], Limit]


class AlarmNotFound(BankError):
    status, code, title = 404, "alarm_not_found", "There is no such alarm"


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look found: the report, and the alarms that are open after it."""

    report: Report
    alarms: Sequence[Alarm]


@dataclass(frozen=True, slots=True)
class Overview:
    """All that staff is shown. What was decided after `last_counted_at` is not in it yet."""

    looked: Looked
    last_counted_at: datetime | None
    closed: Sequence[Alarm]
    roll_backs: Sequence[RollBack]


async def overview(session: Session, *, now: datetime) -> Overview:
    """The measures as far as they are counted, beside the alarms of the last look."""
    return Overview(
        Looked(await report(session, now=now), await repository.open_alarms(session)),
        last_counted_at=await repository.last_counted_at(session),
        closed=await repository.closed_alarms(session, limit=MAX_PAST),
        roll_backs=await repository.roll_backs(session, limit=MAX_PAST),
    )


async def look(session: Session, *, now: datetime) -> Looked:
    """Measure everything; open, update and close alarms, and tell of what changed."""
    await repository.lock(session)
    found = await report(session, now=now)
    limits = await repository.limits(session)
    before = {alarm.key: alarm for alarm in await repository.open_alarms(session)}
    events: list[Event] = []
    alarms: list[Alarm] = []
    for limit, measured in measures(found, limits):
        known = before.pop(measured.key, None)
        if known is None:
            severity = severity_of(limit, measured, None)
            if severity is not None:
                opened = _opened(limit, measured, severity=severity, now=now)
                await repository.insert_alarm(session, opened)
                events.append(_raised(opened))
                alarms.append(opened)
            continue
        after = with_measure(known, measured, limit, now)
        await repository.update_alarm(session, after)
        if after.closed_at is not None:
            events.append(_cleared(after))
            continue
        if (known.severity, after.severity) == ("warning", "critical"):
            events.append(_raised(after))
        alarms.append(after)
    used = in_use(found)
    for alarm in before.values():
        if alarm.subject in used:  # nothing can be said of it now: it stays as it is
            alarms.append(alarm)
            continue
        gone = closed(alarm, why="not_in_use", now=now)
        await repository.update_alarm(session, gone)
        events.append(_cleared(gone))
    await outbox.add(session, source=SOURCE, now=now, events=events)
    _tell(events)
    return Looked(found, alarms)


def in_use(found: Report) -> set[str]:
    """The policies in force and the models that score."""
    policies = {policy.policy for policy in found.policies if policy.in_force}
    return policies | {model.model for model in found.models if model.in_use}


def measures(found: Report, limits: Limits) -> Iterator[tuple[Limit, Measured]]:
    """Every measure that has a limit, of the policies in force and the models in use."""
    for policy in found.policies:
        if not policy.in_force:
            continue
        for measure in OF_POLICY:
            limit = limit_for(limits, measure, policy.product)
            value = limit and _of_policy(measure, policy, policy.windows[limit.span])
            if limit and value:
                yield limit, value
    for model in found.models:
        if not model.in_use:
            continue
        for measure in OF_MODEL:
            limit = limit_for(limits, measure, model.product)
            if limit:
                yield from ((limit, value) for value in _of_model(measure, model, limit))


def _of_policy(measure: Measure, policy: PolicyReport, window: Window) -> Measured | None:
    """None where it cannot be said."""
    tally = window.tally
    found = _Subject(policy, measure)
    if measure == "approval_moved":
        return found.moved(policy.reference, tally)
    shares = {
        "alert_rate": tally.review + tally.decline,
        "decline_rate": tally.decline,
        "degraded_share": tally.degraded,
        "failed_share": tally.failed,
    }
    if measure in shares:
        return found.share(tally.share(shares[measure]))
    if measure == "latency_p99_ms":
        return found.value(window.latency_ms(0.99), seen=sum(window.latency_us))
    return found.value(window.labels.delay_h(MOST_LABELS), seen=sum(window.labels.delays))


def _of_model(measure: Measure, model: ModelReport, limit: Limit) -> Iterator[Measured]:
    if measure == "alert_rate":
        tally = model.windows[limit.span].tally
        yield _Subject(model, measure).share(tally.share(tally.alerts))
        return
    of_score = measure.startswith("score_")
    for place, shift in enumerate(model.shifts[limit.span]):
        if (place == 0) == of_score:
            yield _Subject(model, measure).shift(shift, name="" if of_score else shift.name)


@dataclass(frozen=True, slots=True)
class _Subject:
    """A measure of a policy or a model that has no value yet."""

    of: PolicyReport | ModelReport
    measure: Measure

    def _measured(self, value: float, certain: float, seen: int, name: str = "") -> Measured:
        of = self.of
        if isinstance(of, PolicyReport):
            return Measured(
                "policy", of.policy, of.product, self.measure, value, certain, seen, name
            )
        return Measured("model", of.model, of.product, self.measure, value, certain, seen, name)

    def value(self, value: float | None, *, seen: int) -> Measured | None:
        return None if value is None else self._measured(value, value, seen)

    def share(self, share: Share) -> Measured:
        return self._measured(share.value, share.low if share.seen else 0.0, share.seen)

    def moved(self, before: Tally | None, now: Tally) -> Measured | None:
        if before is None or now.decisions == 0:
            return None
        by, low, high = drift.moved(
            (before.approve, before.decisions), (now.approve, now.decisions)
        )
        certain = low if by > 0 else -high
        return self._measured(abs(by), max(0.0, certain), now.decisions)

    def shift(self, shift: Shift, *, name: str) -> Measured:
        """What chance explains is no drift, however large it looks."""
        value, chance = shift.psi, shift.psi_by_chance
        if self.measure.endswith("_ks"):
            value, chance = shift.ks, shift.ks_by_chance
        return self._measured(value, value if value > chance else 0.0, shift.seen, name)


def _opened(limit: Limit, found: Measured, *, severity: str, now: datetime) -> Alarm:
    return Alarm(
        alarm_id=new_id(),
        kind=found.kind,
        subject=found.subject,
        product=found.product,
        measure=found.measure,
        name=found.name,
        span=limit.span,
        severity="critical" if severity == "critical" else "warning",
        value=found.value,
        peak=found.value,
        bound=(limit.critical if severity == "critical" else None) or limit.warning,
        seen=found.seen,
        opened_at=now,
        updated_at=now,
    )


def _raised(alarm: Alarm) -> AlarmRaised:
    return AlarmRaised(
        alarm_id=alarm.alarm_id,
        kind=alarm.kind,
        subject=alarm.subject,
        product=alarm.product,
        measure=alarm.measure,
        name=alarm.name,
        span=alarm.span,
        severity=alarm.severity,
        value=alarm.value,
        limit=alarm.bound,
        seen=alarm.seen,
        at=alarm.updated_at,
    )


def _cleared(alarm: Alarm) -> AlarmCleared:
    return AlarmCleared(
        alarm_id=alarm.alarm_id,
        subject=alarm.subject,
        measure=alarm.measure,
        name=alarm.name,
        why="below" if alarm.closed_why == "below" else "not_in_use",
        value=alarm.value,
        at=alarm.updated_at,
    )


def _tell(events: Sequence[Event]) -> None:
    for event in events:
        fields = {name: value for name, value in event.model_dump(mode="json").items() if value}
        fields["feature"] = fields.pop("name", None)  # a log record has a name of its own
        if isinstance(event, AlarmRaised):
            log.warning("watch.alarm_raised", extra=fields)
        else:
            log.info("watch.alarm_cleared", extra=fields)


async def acknowledge(
    session: Session, *, alarm_id: UUID, note: str, caller: Caller, now: datetime
) -> Alarm:
    """A member of staff has seen it; again changes nothing. Raises AlarmNotFound."""
    found = await repository.alarm(session, alarm_id)
    if found is None:
        raise AlarmNotFound
    if found.acknowledged_by is not None:
        return found
    staff = caller.staff_id or caller.service
    seen = replace(found, acknowledged_by=staff, acknowledged_at=now, note=note)
    await repository.acknowledge(session, seen)
    subject = f"{found.subject} {found.measure} {found.name}".strip()
    await _audit(session, "alarm.acknowledge", subject, note or "seen", caller, now)
    return seen


async def all_limits(session: Session) -> list[Limit]:
    """The limits that count: what operators changed, else the packaged ones."""
    changed = await repository.limits(session)
    places = {(one.measure, one.product): one for one in DEFAULT_LIMITS} | changed
    order = {measure: place for place, measure in enumerate(MEASURES)}
    return sorted(places.values(), key=lambda one: (order[one.measure], one.product))


async def change_limit(
    session: Session, *, limit: Limit, caller: Caller, now: datetime, reason: str
) -> Limit:
    """An operator's own limit. Raises InvalidRequest where it lies the wrong way round."""
    if limit.critical is not None and limit.critical < limit.warning:
        raise InvalidRequest(field="critical", expected="at least the warning")
    staff = caller.staff_id or caller.service
    kept = replace(limit, changed_by=staff, reason=reason, changed_at=now)
    await repository.keep_limit(session, kept)
    subject = f"{limit.measure} {limit.product}".strip()
    await _audit(session, "watch.limit", subject, reason, caller, now)
    return kept


async def all_guards(session: Session) -> list[Guard]:
    """The guard of each product."""
    changed = await repository.guards(session)
    return [changed.get(product, DEFAULT_GUARDS[product]) for product in PRODUCTS]


async def guard_of(session: Session, product: Product) -> Guard:
    return (await repository.guards(session)).get(product, DEFAULT_GUARDS[product])


async def change_guard(
    session: Session, *, guard: Guard, caller: Caller, now: datetime, reason: str
) -> Guard:
    """An operator's own guard of a product, or none at all."""
    staff = caller.staff_id or caller.service
    kept = replace(guard, changed_by=staff, reason=reason, changed_at=now)
    await repository.keep_guard(session, kept)
    await _audit(session, "watch.guard", guard.product, reason, caller, now)
    return kept


async def _audit(
    session: Session, action: str, subject: str, reason: str, caller: Caller, now: datetime
) -> None:
    event = StaffActed(
        service=SOURCE,
        staff_id=caller.staff_id or caller.service,
        action=action,
        subject=subject,
        reason=reason,
        at=now,
    )
    await outbox.add(session, source=SOURCE, now=now, events=[event])
