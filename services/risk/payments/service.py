"""Decides on payments: reads with one statement, rules in memory, stores with one.

Payments that arrive while a commit runs share both statements of the next one.

There is a deadline from a payment's arrival to its ruling. What cannot be read within it is left
unread, and a ruling that comes later is made anew as one that is late, which no policy approves:
only that one is kept, so that the late one has no effect. Keeping it is bounded by the caller.
"""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from services.risk import repository
from services.risk.cases import domain as cases
from services.risk.cases.domain import Case
from services.risk.domain import reference_value_minor
from services.risk.engine import Engine, graded, thresholds_of
from services.risk.features.whole import measured
from services.risk.lists.repository import by_role
from services.risk.payments import repository as together
from services.risk.policies.facts import hour_of
from services.risk.policies.reasons import DEADLINE_EXCEEDED
from services.risk.repository import StoredDecision
from services.risk.service import SOURCE, DecisionExists, event_of, kept, reply_of, same
from services.risk.windows import SeenPayment, in_ms
from shared.contracts.http import risk as contract
from shared.kit import outbox, tracing
from shared.kit.auth import Caller
from shared.kit.database import AnySession
from shared.kit.idempotency import body_hash
from shared.kit.problems import BankError, Forbidden, InvalidRequest
from shared.kit.tracing import Trace

log = logging.getLogger(__name__)

PRODUCT: Final = "payment"
#: What the clocks of two machines may differ by; a later payment would blind the windows.
MAX_AHEAD = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Order:
    """One payment to decide on, the trace that its event belongs to, and when it arrived, in
    seconds of `time.perf_counter`.
    """

    body: contract.DecidePayment
    body_hash: bytes
    trace: Trace | None
    arrived_s: float = field(default_factory=time.perf_counter)


def order_of(body: contract.DecidePayment, *, caller: Caller, now: datetime) -> Order:
    """The order that a request asks for.

    Raises:
        Forbidden: the token speaks for another customer.
        InvalidRequest: `at` has no offset, or lies ahead of the bank's clock.
    """
    _check(body, caller=caller, now=now)
    return Order(body=body, body_hash=body_hash(body), trace=tracing.current())


async def decide(
    session: AnySession, *, engine: Engine, orders: Sequence[Order], now: datetime
) -> list[contract.Decision | BankError]:
    """Decide on payments and keep the decisions, all in one statement; each has its own answer.

    The same request again gets the kept decision; DecisionExists where its id belongs to another
    payment. No id may stand in `orders` twice.

    Raises asyncpg.UniqueViolationError where one of several was decided elsewhere meanwhile.
    """
    if len(orders) == 1:
        return [await _decide_one(session, engine=engine, order=orders[0], now=now)]
    ids = [order.body.decision_id for order in orders]
    names = [_names(order.body) for order in orders]
    try:
        async with asyncio.timeout(engine.deadline_s):
            before = await together.before(session, ids=ids, names=names, now=now)
            await engine.policies.follow(session, before.policy_revision)
    except TimeoutError:
        log.warning("decision.unread", extra={"payments": len(orders)})
        before = together.Before(frozenset(), [by_role(None)] * len(orders), 0)
    known = {}
    if before.known:
        kept_ones = await repository.decisions_of(session, list(before.known))
        known = {made.decision_id: made for made in kept_ones}
    made = {
        order.body.decision_id: _make(engine, order=order, lists=lists, now=now)
        for order, lists in zip(orders, before.lists, strict=True)
        if order.body.decision_id not in known
    }
    new = [order for order in orders if order.body.decision_id in made]
    if new:
        told = outbox.parameters(
            source=SOURCE,
            now=now,
            events=[event_of(made[order.body.decision_id]) for order in new],
            traces=[order.trace for order in new],
        )
        reviews = [_case(made[order.body.decision_id], order.body) for order in new]
        opened = [case for case in reviews if case is not None]
        await together.insert_decisions(session, list(made.values()), told=told, opened=opened)
        for one in made.values():
            engine.shadows.note(PRODUCT, one.decision_id, one.features)
    return [_answer(order, (known | made)[order.body.decision_id]) for order in orders]


async def _decide_one(
    session: AnySession, *, engine: Engine, order: Order, now: datetime
) -> contract.Decision | BankError:
    decision_id = order.body.decision_id
    try:
        async with asyncio.timeout(engine.deadline_s):
            before = await repository.before_decision(
                session, decision_id=decision_id, names=_names(order.body), now=now
            )
            if before.known is None:
                await engine.policies.follow(session, before.policy_revision)
    except TimeoutError:
        log.warning("decision.unread", extra={"payments": 1})
        before = repository.Before(None, by_role(None), 0)
    if before.known is not None:
        return _answer(order, before.known)
    made = _make(engine, order=order, lists=before.lists, now=now)
    told = outbox.parameters(source=SOURCE, now=now, events=[event_of(made)], traces=[order.trace])
    case = _case(made, order.body)
    if not await repository.insert_decision(session, made, told=told, case=case):
        # two at once: the other one's decision stands
        return _answer(order, await kept(session, decision_id))
    engine.shadows.note(PRODUCT, decision_id, made.features)
    return _answer(order, made)


def _answer(order: Order, made: StoredDecision) -> contract.Decision | BankError:
    try:
        return reply_of(same(made, order.body_hash))
    except DecisionExists as error:
        return error


def _check(body: contract.DecidePayment, *, caller: Caller, now: datetime) -> None:
    if caller.customer_id != body.customer_id:
        raise Forbidden(
            "The call speaks for another customer",
            field="customer_id",
            expected="the customer of the internal token",
        )
    if body.at.tzinfo is None:
        raise InvalidRequest(field="at", expected="a time with its offset from UTC")
    if body.at > now + MAX_AHEAD:
        raise InvalidRequest(field="at", expected="a time that is not in the future")


def _names(body: contract.DecidePayment) -> dict[str, str | None]:
    """Whom a payment names, by the role in which the lists are asked about them."""
    return {
        "payee": body.creditor_account,
        "account": body.debtor_account,
        "customer": body.customer_id,
        "device": body.device_id,
        "ip": body.ip_address,
        "merchant": body.merchant_id,
    }


def _make(
    engine: Engine,
    *,
    order: Order,
    lists: Mapping[str, str | None],
    now: datetime,
) -> StoredDecision:
    """Decide in memory: counts the payment into the windows, and touches nothing else."""
    began, body = time.perf_counter_ns(), order.body
    value_minor = reference_value_minor(body.amount_minor, body.currency)
    payment = SeenPayment(
        payment_id=str(body.decision_id),
        customer_id=body.customer_id,
        account_id=body.debtor_account,
        payee_id=body.creditor_account,
        value_minor=value_minor,
        at_ms=in_ms(body.at),
        device_id=body.device_id,
        ip_address=body.ip_address,
        merchant_id=body.merchant_id,
    )
    features, ring = measured(engine.windows, engine.rings, payment, now_ms=in_ms(now))
    windows_age_ms = engine.windows_age_ms()
    degraded = list(engine.model_flags)
    if windows_age_ms is None or windows_age_ms > engine.behind_after_ms:
        degraded.append("windows_behind")
    score, model = graded(engine, features, degraded)
    facts = {
        "value_minor": value_minor,
        "at_ms": payment.at_ms,
        "hour": hour_of(payment.at_ms),
        "degraded": degraded,
        "lists": dict(lists),
        "ring": {"size": ring.size, "fraud_distance": ring.fraud_distance},
        "model": thresholds_of(model),
    }
    policy, flags = engine.policies.of(PRODUCT)
    seen = {**facts, "product": PRODUCT, "score": score, "features": features}
    ruling = policy.ruling(seen)
    if time.perf_counter() - order.arrived_s > engine.deadline_s:
        degraded.append(DEADLINE_EXCEEDED)
        ruling = policy.ruling(seen)
    return StoredDecision(
        decision_id=body.decision_id,
        customer_id=body.customer_id,
        product=PRODUCT,
        body_hash=order.body_hash,
        outcome=ruling.outcome.word,
        score=score,
        reason_codes=ruling.reason_codes,
        policy=ruling.policy,
        policy_sha256=policy.sha256,
        model=None if model is None else model.label,
        model_sha256=None if model is None else bytes.fromhex(model.sha256),
        degraded=(*degraded, *ruling.degraded, *flags),
        # of all values NaN alone is not itself
        features={name: it if it == it else None for name, it in features.items()},  # noqa: PLR0124
        facts=facts,
        trace=ruling.trace,
        grade=ruling.grade,
        limit_minor=ruling.limit_minor,
        price_bps=ruling.price_bps,
        step_up=ruling.step_up,
        elapsed_us=(time.perf_counter_ns() - began) // 1000,
        windows_age_ms=windows_age_ms,
        decided_at=now,
    )


def _case(made: StoredDecision, body: contract.DecidePayment) -> Case | None:
    """The case in which a person decides what the policy left open, if it did."""
    if made.outcome != "review":
        return None
    case = cases.opened(
        decision_id=made.decision_id,
        kind="review",
        product=made.product,
        customer_id=made.customer_id,
        reason_codes=tuple(made.reason_codes),
        value_minor=reference_value_minor(body.amount_minor, body.currency),
        now=made.decided_at,
    )
    return replace(
        case,
        amount_minor=body.amount_minor,
        currency=body.currency,
        debtor_account=body.debtor_account,
        creditor_account=body.creditor_account,
        channel=body.channel,
    )
