"""Decides on one payment: reads with one statement, rules in memory, stores with one."""

import math
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from services.risk import repository
from services.risk.cases import domain as cases
from services.risk.cases.domain import Case
from services.risk.domain import reference_value_minor
from services.risk.engine import Engine, scored, thresholds_of
from services.risk.policies.facts import hour_of
from services.risk.repository import StoredDecision
from services.risk.service import SOURCE, event_of, kept, reply_of, same
from services.risk.windows import SeenPayment, in_ms
from shared.contracts.http import risk as contract
from shared.kit import outbox
from shared.kit.auth import Caller
from shared.kit.database import AnySession
from shared.kit.idempotency import body_hash
from shared.kit.problems import Forbidden, InvalidRequest

PRODUCT: Final = "payment"
#: What the clocks of two machines may differ by; a later payment would blind the windows.
MAX_AHEAD = timedelta(minutes=5)


async def decide_payment(
    session: AnySession,
    *,
    engine: Engine,
    body: contract.DecidePayment,
    caller: Caller,
    now: datetime,
) -> contract.Decision:
    """Decide on one payment and keep the decision; the same request again gets the kept one.

    Raises:
        Forbidden: the token speaks for another customer.
        InvalidRequest: `at` has no offset, or lies ahead of the bank's clock.
        DecisionExists: the id belongs to another payment.
    """
    _check(body, caller=caller, now=now)
    digest = body_hash(body)
    before = await repository.before_decision(
        session, decision_id=body.decision_id, names=_names(body), now=now
    )
    if before.known is not None:
        return reply_of(same(before.known, digest))
    await engine.policies.follow(session, before.policy_revision)
    made = _make(engine, body=body, digest=digest, lists=before.lists, now=now)
    told = outbox.parameters(source=SOURCE, now=now, events=[event_of(made)])
    case = _case(made, body) if made.outcome == "review" else None
    if not await repository.insert_decision(session, made, told=told, case=case):
        # two at once: the other one's decision stands
        return reply_of(same(await kept(session, body.decision_id), digest))
    return reply_of(made)


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
    body: contract.DecidePayment,
    digest: bytes,
    lists: Mapping[str, str | None],
    now: datetime,
) -> StoredDecision:
    """Decide in memory: counts the payment into the windows, and touches nothing else."""
    began = time.perf_counter_ns()
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
    features = engine.windows.measure(payment)
    if payment.device_id is not None:
        engine.rings.link(payment.customer_id, ("device", payment.device_id))
    ring = engine.rings.ring(payment.customer_id, now_ms=in_ms(now))
    windows_age_ms = engine.windows_age_ms()
    degraded = []
    if windows_age_ms is None or windows_age_ms > engine.behind_after_ms:
        degraded.append("windows_behind")
    score = scored(engine.model, features, degraded)
    model = engine.model if score is not None else None
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
    ruling = policy.ruling({**facts, "product": PRODUCT, "score": score, "features": features})
    return StoredDecision(
        decision_id=body.decision_id,
        customer_id=body.customer_id,
        product=PRODUCT,
        body_hash=digest,
        outcome=ruling.outcome.word,
        score=score,
        reason_codes=ruling.reason_codes,
        policy=ruling.policy,
        policy_sha256=policy.sha256,
        model=None if model is None else model.label,
        model_sha256=None if model is None else bytes.fromhex(model.manifest.sha256),
        degraded=(*degraded, *ruling.degraded, *flags),
        features={name: None if math.isnan(value) else value for name, value in features.items()},
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


def _case(made: StoredDecision, body: contract.DecidePayment) -> Case:
    """The case in which a person decides what the policy left open."""
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
