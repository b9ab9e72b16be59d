"""What is known of each policy and each model over an hour, a day and a week."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from services.risk.policies import repository as policy_versions
from services.risk.policies.domain import PRODUCTS, Product
from services.risk.watch import drift, repository
from services.risk.watch.domain import (
    DELAY_EDGES_S,
    FEATURE_SLOT,
    LATENCY_EDGES_US,
    LEAST_OF_REFERENCE,
    REFERENCE_SPAN,
    SLOT,
    SPANS,
    Labels,
    Shift,
    Span,
    Tally,
    shift,
    since,
    slot_of,
)
from services.risk.watch.repository import Seen
from shared.kit.database import Session

#: Policies of a product that are shown beside the one in force, the busiest first.
MAX_OTHERS = 3
CAUSE = "cause."

ReferenceOf = Literal["before_activation", "before_window"]


@dataclass(frozen=True, slots=True)
class Window:
    """One span: counts, latency of deciding (not of the call), causes of degradation, labels."""

    tally: Tally
    latency_us: Sequence[int]
    causes: Mapping[str, int]
    labels: Labels

    def latency_ms(self, share: float) -> float | None:
        found = drift.quantile(LATENCY_EDGES_US, self.latency_us, share)
        return None if found is None else found / 1000


@dataclass(frozen=True, slots=True)
class PolicyReport:
    """`reference` is what its rates are compared with; None where too little was decided."""

    product: Product
    policy: str
    in_force: bool
    activated_at: datetime | None
    windows: Mapping[Span, Window]
    reference: Tally | None = None
    reference_of: ReferenceOf | None = None


@dataclass(frozen=True, slots=True)
class ModelReport:
    """`shifts` has the score first; it is empty where training left no reference."""

    product: Product
    model: str
    in_use: bool
    windows: Mapping[Span, Window]
    shifts: Mapping[Span, Sequence[Shift]]


@dataclass(frozen=True, slots=True)
class Report:
    at: datetime
    policies: Sequence[PolicyReport]
    models: Sequence[ModelReport]


@dataclass(frozen=True, slots=True)
class _Of:
    """What was read of a product: tallies and labels by span."""

    product: Product
    now: datetime
    seen: Mapping[Span, Seen]
    labels: Mapping[Span, Mapping[str, Mapping[str, int]]]


async def report(session: Session, *, now: datetime) -> Report:
    """All of it, as far as decisions are counted."""
    policies: list[PolicyReport] = []
    models: list[ModelReport] = []
    for product in PRODUCTS:
        of = await _read(session, product, now=now)
        policies += await _policies(session, of)
        known = {model.model for model in models}
        models += [model for model in await _models(session, of) if model.model not in known]
    return Report(now, policies, models)


async def _read(session: Session, product: Product, *, now: datetime) -> _Of:
    seen, labels = {}, {}
    for span in SPANS:
        begins = since(now, span)
        seen[span] = await repository.seen(session, product=product, since=begins, until=now)
        labels[span] = await repository.labels(session, product=product, since=begins)
    return _Of(product, now, seen, labels)


async def _policies(session: Session, of: _Of) -> list[PolicyReport]:
    last = await policy_versions.last_activation(session, product=of.product)
    in_force = None if last is None else f"{of.product}-{last.version}"
    week = of.seen["week"].policies
    others = sorted(set(week) - {in_force}, key=lambda name: -week[name].decisions)
    found = []
    for policy in [*filter(None, [in_force]), *others[:MAX_OTHERS]]:
        windows = {
            span: await _window(session, of, span, policy, of.seen[span].policies.get(policy))
            for span in SPANS
        }
        if policy != in_force or last is None:
            found.append(PolicyReport(of.product, policy, False, None, windows))
            continue
        reference = await before_activation(session, product=of.product, version=last.version)
        is_of: ReferenceOf | None = "before_activation"
        if reference is None:
            reference = await _before_window(session, of, policy)
            is_of = "before_window" if reference else None
        found.append(
            PolicyReport(of.product, policy, True, last.activated_at, windows, reference, is_of)
        )
    return found


async def before_activation(session: Session, *, product: Product, version: str) -> Tally | None:
    """What other versions decided in the days before a version came into force.

    None where it was too little to compare with.
    """
    came = await repository.first_activation(session, product=product, version=version)
    if came is None:
        return None
    begins = slot_of(came.activated_at - REFERENCE_SPAN)
    ends = slot_of(came.activated_at) + SLOT
    seen = await repository.seen(session, product=product, since=begins, until=ends)
    own = f"{product}-{version}"
    others = [tally for policy, tally in seen.policies.items() if policy != own]
    return _enough(sum(others, start=Tally()))


async def _before_window(session: Session, of: _Of, policy: str) -> Tally | None:
    """What the same version decided in the days before the last hour."""
    ends = since(of.now, "hour")
    begins = slot_of(ends - REFERENCE_SPAN)
    seen = await repository.seen(session, product=of.product, since=begins, until=ends)
    return _enough(seen.policies.get(policy, Tally()))


def _enough(tally: Tally) -> Tally | None:
    return tally if tally.decisions >= LEAST_OF_REFERENCE else None


async def _window(
    session: Session, of: _Of, span: Span, subject: str, tally: Tally | None
) -> Window:
    bins = await repository.own_bins(session, subject=subject, since=since(of.now, span))
    tally = tally or Tally()
    delays = repository.filled(bins.get("delay", {}), len(DELAY_EDGES_S) + 1)
    labels = of.labels[span].get(subject, {})
    return Window(
        tally=tally,
        latency_us=repository.filled(bins.get("latency", {}), len(LATENCY_EDGES_US) + 1),
        causes={
            measure.removeprefix(CAUSE): sum(found.values())
            for measure, found in bins.items()
            if measure.startswith(CAUSE)
        },
        labels=repository.labels_of(labels, decisions=tally.decisions, delays=delays),
    )


async def _models(session: Session, of: _Of) -> list[ModelReport]:
    week = of.seen["week"]
    found = []
    for model in sorted(week.models, key=lambda name: name != week.last_model)[: 1 + MAX_OTHERS]:
        windows = {
            span: await _window(session, of, span, model, of.seen[span].models.get(model))
            for span in SPANS
        }
        shifts = {span: await _shifts(session, model, span, now=of.now) for span in SPANS}
        found.append(ModelReport(of.product, model, model == week.last_model, windows, shifts))
    return found


async def _shifts(session: Session, model: str, span: Span, *, now: datetime) -> list[Shift]:
    begins = since(now, span, FEATURE_SLOT)
    reference = await repository.reference(session, model=model)
    bins = await repository.drift_bins(session, model=model, since=begins)
    return [
        shift(name, kept.counts, repository.filled(bins.get(name, {}), len(kept.counts)))
        for name, kept in reference.items()
    ]
