"""Takes back a version of a policy that does far more harm than the one before it.

Only a version that somebody activated is judged, and each activation once: what a roll-back put
in force is never rolled back from, so one fault never leads through a whole history.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.risk.policies import repository as versions
from services.risk.policies import service as policies
from services.risk.policies.domain import Product
from services.risk.policies.repository import ActivationRow
from services.risk.watch import repository, service
from services.risk.watch.domain import Guard, Share, Tally, slot_of
from services.risk.watch.reports import before_activation
from services.risk.watch.repository import RollBack
from shared.kit.auth import Caller
from shared.kit.database import Session

log = logging.getLogger(__name__)

#: Whom history and audit log name as author.
SYSTEM = Caller(service="system")


@dataclass(frozen=True, slots=True)
class Broken:
    """A figure of a version that is certainly above its bound."""

    measure: str
    share: Share
    bound: float

    def words(self) -> str:
        """For the history, where people read it."""
        name = self.measure.replace("_", " ")
        return (
            f"automatic: {name} {self.share.value:.1%} of {self.share.seen} decisions, "
            f"limit {self.bound:.1%}"
        )


def broken(guard: Guard, now: Tally, before: Tally | None) -> Broken | None:
    """The first figure that breaks the guard; None while there is none, or too little is seen."""
    if now.decisions < guard.least:
        return None
    figures = (
        ("decline_rate", now.decline, None if before is None else before.decline),
        ("review_rate", now.review, None if before is None else before.review),
        ("failed_share", now.failed, None),
    )
    for measure, hits, hits_before in figures:
        bound: float = getattr(guard, measure)
        if before is not None and hits_before is not None:
            bound = before.share(hits_before).value + guard.rise
        share = now.share(hits)
        if share.low > bound:
            return Broken(measure, share, bound)
    return None


async def judge(session: Session, *, product: Product, now: datetime) -> RollBack | None:
    """Roll the product's policy back where its guard is broken; what was done, if anything."""
    guard = await service.guard_of(session, product)
    if not guard.is_on:
        return None
    await versions.lock(session, product)
    last = await versions.last_activation(session, product=product)
    if last is None or not _is_judged(last, guard, now=now):
        return None
    if await repository.was_rolled_back(session, last.activation_id):
        return None
    found = broken(
        guard,
        await _since(session, last, now=now),
        await before_activation(session, product=product, version=last.version),
    )
    if found is None:
        return None
    made = await policies.roll_back(
        session, product=product, reason=found.words(), caller=SYSTEM, now=now
    )
    row = RollBack(
        activation_id=last.activation_id,
        product=product,
        version=last.version,
        back_to=made.version,
        measure=found.measure,
        value=found.share.value,
        bound=found.bound,
        seen=found.share.seen,
        made_at=now,
    )
    await repository.insert_roll_back(session, row)
    log.error(
        "watch.rolled_back",
        extra={"policy": f"{product}-{last.version}", "to": made.version, "why": found.words()},
    )
    return row


def _is_judged(last: ActivationRow, guard: Guard, *, now: datetime) -> bool:
    is_new = now - last.activated_at <= timedelta(hours=guard.hours)
    return last.action == "activate" and last.previous is not None and is_new


async def _since(session: Session, last: ActivationRow, *, now: datetime) -> Tally:
    """All that the version decided: its name is its own, and it is activated only once."""
    begins = slot_of(last.activated_at)
    seen = await repository.seen(session, product=last.product, since=begins, until=now)
    return seen.policies.get(f"{last.product}-{last.version}", Tally())
