"""Use cases of applications. Each statement stands alone, and no other service is asked here.

An application is noted before anything is decided: so each counts, whatever becomes of it, and
one whose process died is decided when it is sent again.
"""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from services.risk import repository as decisions
from services.risk import service as risk
from services.risk.applications import repository
from services.risk.applications.domain import (
    CURRENCY,
    Applicant,
    Applied,
    Wish,
    facts_of,
)
from services.risk.applications.features import features_of
from services.risk.applications.replies import answer, replies
from services.risk.cases import domain as cases
from services.risk.cases.domain import Case
from services.risk.engine import Engine, scored, thresholds_of
from services.risk.identifiers.service import named
from services.risk.policies.facts import hour_of
from services.risk.policies.programs import Program
from services.risk.policies.weights import SCORE_REASONS
from services.risk.repository import StoredDecision
from services.risk.rings.domain import Identifier
from services.risk.scorecards import Scorecard
from services.risk.sources.service import Gathered
from services.risk.windows import in_ms
from shared.contracts.events.risk import IdentifierLinked
from shared.contracts.http import risk_applications as contract
from shared.kit import outbox
from shared.kit.clock import bank_date
from shared.kit.database import AnySession, Session
from shared.kit.problems import NotFound


class ApplicationNotFound(NotFound):
    code, title = "application_not_found", "There is no such application"


@dataclass(frozen=True, slots=True)
class Noted:
    """What is known before an application is decided: what it names, and by which policy."""

    applied: Applied
    lists: Mapping[str, str | None]
    links: Sequence[Identifier]
    policy: Program
    flags: tuple[str, ...]


async def begin(
    session: AnySession,
    *,
    engine: Engine,
    applied: Applied,
    ip_address: str | None,
    phone: str | None,
) -> Noted | contract.ApplicationReply:
    """Note the application, or the answer to it where it was decided already.

    Raises DecisionExists: the id belongs to another request.
    """
    links = await _links(session, device_id=applied.device_id, phone=phone)
    names = {"customer": applied.customer_id, "ip": ip_address, **dict(links)}
    before = await decisions.before_decision(
        session, decision_id=applied.application_id, names=names, now=applied.applied_at
    )
    if before.known is not None:
        made = risk.same(before.known, applied.body_hash)
        return await answer(session, await _noted(session, applied), made)
    told = [
        IdentifierLinked.model_validate(
            {
                "customer_id": applied.customer_id,
                "kind": kind,
                "value": value,
                "at": applied.applied_at,
            }
        )
        for kind, value in links
    ]
    events = outbox.parameters(source=risk.SOURCE, now=applied.applied_at, events=told)
    if not await repository.note(session, applied, told=events):
        applied = await _noted(session, applied)
    await engine.policies.follow(session, before.policy_revision)
    policy, flags = engine.policies.of(applied.product)
    return Noted(applied, before.lists, links, policy, flags)


async def decide(
    session: AnySession,
    *,
    engine: Engine,
    noted: Noted,
    wish: Wish,
    applicant: Applicant,
    gathered: Gathered,
    now: datetime,
) -> contract.ApplicationReply:
    """Decide on a noted application and keep the decision, with the case where a person must.

    Nothing is decided that is not kept: the answer is what the database has.
    """
    applied = noted.applied
    lately = await repository.lately(session, applied)
    application = facts_of(
        applied.product,
        wish=wish,
        applicant=applicant,
        lately=lately,
        day=bank_date(applied.applied_at),
    )
    made = _make(engine, noted=noted, application=application, gathered=gathered, now=now)
    told = outbox.parameters(source=risk.SOURCE, now=now, events=[risk.event_of(made)])
    case = _case(made, applied) if made.outcome == "review" else None
    if not await decisions.insert_decision(session, made, told=told, case=case):
        # two at once: the other one's decision stands
        kept = await risk.kept(session, applied.application_id)
        return await answer(session, applied, risk.same(kept, applied.body_hash))
    engine.shadows.note(applied.product, made.decision_id, made.features)
    return await answer(session, applied, made)


async def read(
    session: Session, *, application_id: UUID, customer_id: str
) -> contract.ApplicationReply:
    """How a customer's own application stands. Raises ApplicationNotFound."""
    applied = await repository.find(session, application_id)
    if applied is None or applied.customer_id != customer_id:
        raise ApplicationNotFound(f"There is no application {application_id}")
    (reply,) = await replies(session, [applied])
    return reply


async def page(
    session: Session, *, customer_id: str, before: UUID | None, limit: int
) -> contract.ApplicationPage:
    """A customer's own applications as they stand, the youngest first."""
    found = await repository.page(session, customer_id=customer_id, before=before, limit=limit + 1)
    items = await replies(session, found[:limit])
    more = len(found) > limit
    return contract.ApplicationPage(
        items=items, next_before=items[-1].application_id if more else None
    )


async def _links(
    session: AnySession, *, device_id: str | None, phone: str | None
) -> list[Identifier]:
    """By what the application ties its customer to others; a phone number as its token."""
    found = [] if device_id is None else [("device", device_id)]
    if phone is not None:
        found.append(("phone", await named(session, kind="phone", value=phone)))
    return found


async def _noted(session: AnySession, applied: Applied) -> Applied:
    """The application under that id, as it came first. Raises DecisionExists for another one."""
    known = await repository.find(session, applied.application_id)
    if known is None or known.body_hash != applied.body_hash:
        raise risk.DecisionExists(field="application_id", expected="a new id for another request")
    return known


def _make(
    engine: Engine,
    *,
    noted: Noted,
    application: Mapping[str, object],
    gathered: Gathered,
    now: datetime,
) -> StoredDecision:
    """Decide in memory."""
    began = time.perf_counter_ns()
    applied = noted.applied
    for identifier in noted.links:
        engine.rings.link(applied.customer_id, identifier)
    ring = engine.rings.ring(applied.customer_id, now_ms=in_ms(now))
    windows_age_ms = engine.windows_age_ms()
    degraded = list(gathered.degraded)
    if windows_age_ms is None or windows_age_ms > engine.behind_after_ms:
        degraded.append("windows_behind")
    # without a model no score, no grade but U, and a person decides: a score is never made up
    model = engine.credit_models.get(applied.product)
    degraded += engine.credit_flags.get(applied.product, ())
    standing = {"size": ring.size, "fraud_distance": ring.fraud_distance}
    features = features_of(
        applied.product, application=application, sources=gathered.facts, ring=standing
    )
    score = None if model is None else scored(model, features, degraded)
    used = model if score is not None else None
    at_ms = in_ms(applied.applied_at)
    facts: dict[str, Any] = {
        "value_minor": applied.requested_minor,
        "at_ms": at_ms,
        "hour": hour_of(at_ms),
        "degraded": degraded,
        "lists": dict(noted.lists),
        "ring": standing,
        "model": thresholds_of(used),
        SCORE_REASONS: used.reasons(features) if isinstance(used, Scorecard) else [],
        "application": dict(application),
        "sources": {name: None if it is None else dict(it) for name, it in gathered.facts.items()},
    }
    policy = noted.policy
    ruling = policy.ruling(
        {**facts, "product": applied.product, "score": score, "features": features}
    )
    return StoredDecision(
        decision_id=applied.application_id,
        customer_id=applied.customer_id,
        product=applied.product,
        body_hash=applied.body_hash,
        outcome=ruling.outcome.word,
        score=score,
        reason_codes=ruling.reason_codes,
        policy=ruling.policy,
        policy_sha256=policy.sha256,
        model=None if used is None else used.label,
        model_sha256=None if used is None else bytes.fromhex(used.sha256),
        degraded=(*degraded, *ruling.degraded, *noted.flags),
        features={name: None if math.isnan(value) else value for name, value in features.items()},
        facts=facts,
        trace=ruling.trace,
        grade=ruling.grade,
        limit_minor=ruling.limit_minor,
        price_bps=ruling.price_bps,
        step_up=ruling.step_up,
        sources=[use.kept() for use in gathered.uses],
        elapsed_us=(time.perf_counter_ns() - began) // 1000,
        windows_age_ms=windows_age_ms,
        decided_at=now,
    )


def _case(made: StoredDecision, applied: Applied) -> Case:
    """The case in which a person decides what the policy left open."""
    case = cases.opened(
        decision_id=made.decision_id,
        kind="review",
        product=made.product,
        customer_id=made.customer_id,
        reason_codes=tuple(made.reason_codes),
        value_minor=applied.requested_minor,
        now=made.decided_at,
    )
    return replace(
        case,
        amount_minor=applied.requested_minor,
        currency=None if applied.requested_minor is None else CURRENCY,
        channel=applied.channel,
    )
