"""Use cases of limits: take a call of a partner, and the plans that staff make."""

import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from typing import Final

from gateway.limits import repository
from gateway.limits.domain import Plan, PlanNotFound, Verdict, share, take, verdict_of
from gateway.partners.domain import PartnerNotFound
from shared.contracts.events.audit import StaffActed
from shared.kit import outbox
from shared.kit.database import Session

#: Limits kept in memory; the one that was idle longest goes first, and would be whole again.
MAX_OWNERS: Final = 10_000


class Limiter:
    """Limits of one process, for customers' own calls: N replicas pass N times the burst.

    Those of partners are in the database, where all replicas share them.
    """

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._full_at_s: OrderedDict[str, float] = OrderedDict()

    def take(self, owner: str, *, limit_per_minute: int) -> Verdict:
        now_s = self._clock_s()
        full_at_s, allowed = take(self._full_at_s.get(owner), limit=limit_per_minute, now_s=now_s)
        self._full_at_s[owner] = full_at_s
        self._full_at_s.move_to_end(owner)
        if len(self._full_at_s) > MAX_OWNERS:
            self._full_at_s.popitem(last=False)
        left = share("customer", limit=limit_per_minute, full_at_s=full_at_s, now_s=now_s)
        return Verdict(allowed=allowed, shares=[left], refused_by=None if allowed else left)


async def take_call(session: Session, *, partner_id: str, endpoint: str, now: datetime) -> Verdict:
    """Takes one call of a partner where no token has been admitted, as at the token endpoint."""
    taken = await repository.take_call(session, partner_id=partner_id, endpoint=endpoint, now=now)
    return verdict_of(taken.refused, limits=taken.limits, standing=taken.standing, now=now)


async def put_plan(session: Session, *, plan: Plan, reason: str, staff_id: str) -> Plan:
    """Makes or changes a plan; it counts for the next call. The same again changes nothing."""
    stored = await repository.find_plan(session, plan=plan.plan)
    if stored is not None and stored.has_same_content(plan):
        return stored
    await repository.store_plan(session, plan=plan)
    await _tell(session, staff_id, "plan.change", plan.plan, reason, plan.updated_at)
    return plan


async def get_plan(session: Session, *, plan: str) -> Plan:
    found = await repository.find_plan(session, plan=plan)
    if found is None:
        raise PlanNotFound
    return found


async def list_plans(session: Session, *, after: str | None, limit: int) -> list[Plan]:
    return await repository.list_plans(session, after=after, limit=limit)


async def plan_of_partner(session: Session, *, partner_id: str) -> str | None:
    """The name of the partner's plan. Raises `PartnerNotFound`."""
    found = await repository.plan_of_partner(session, partner_id=partner_id)
    if found is None:
        raise PartnerNotFound
    return found.plan


async def set_plan_of_partner(
    session: Session,
    *,
    partner_id: str,
    plan: str | None,
    reason: str,
    staff_id: str,
    now: datetime,
) -> None:
    """Puts a partner under a plan, or under none; it counts for the next call."""
    before = await plan_of_partner(session, partner_id=partner_id)
    if plan is not None:
        await get_plan(session, plan=plan)
    if before == plan:
        return
    await repository.set_plan_of_partner(session, partner_id=partner_id, plan=plan, now=now)
    words = f"{plan or 'no plan'}: {reason}"
    await _tell(session, staff_id, "partner.plan", partner_id, words, now)


async def _tell(
    session: Session, staff_id: str, action: str, subject: str, reason: str, now: datetime
) -> None:
    event = StaffActed(
        service="gateway",
        staff_id=staff_id,
        action=action,
        subject=subject,
        reason=reason,
        at=now,
    )
    await outbox.add(session, source="gateway", now=now, events=[event])


async def tidy(session: Session, *, now: datetime) -> int:
    return await repository.forget_rates(session, now=now)
