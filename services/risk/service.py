"""Use cases of risk. Each runs inside the one transaction that its caller opened.

`decide_payment` needs none: it reads with one statement and stores with one.
"""

import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from services.risk import repository
from services.risk.cases import domain as cases
from services.risk.cases.domain import Case
from services.risk.domain import reference_value_minor
from services.risk.features import Windows
from services.risk.lists import repository as list_entries
from services.risk.lists import service as listing
from services.risk.lists.domain import Entry
from services.risk.policies.active import ActivePolicies
from services.risk.policies.facts import hour_of
from services.risk.policies.reasons import REASONS
from services.risk.repository import StoredDecision
from services.risk.rings.domain import Rings
from services.risk.scoring import FraudModel
from services.risk.windows import SeenPayment, in_ms
from shared.contracts.events.risk import DecisionMade
from shared.contracts.http import risk as contract
from shared.contracts.values import Localized
from shared.kit import outbox
from shared.kit.auth import Caller
from shared.kit.database import AnySession, Session
from shared.kit.idempotency import body_hash
from shared.kit.problems import BankError, Forbidden, InvalidRequest

log = logging.getLogger(__name__)

SOURCE = "risk"
PRODUCT: Final = "payment"
#: What the clocks of two machines may differ by; a later payment would blind the windows.
MAX_AHEAD = timedelta(minutes=5)


class DecisionNotFound(BankError):
    status, code, title = 404, "decision_not_found", "There is no decision under this id"


class DecisionExists(BankError):
    status, code = 409, "decision_exists"
    title = "Another payment was decided under this id"


class NoModel(BankError):
    status, code, title = 404, "model_unavailable", "No model could be loaded; rules decide alone"


class AccountListed(BankError):
    status, code, title = 409, "account_listed", "The account is on the black list already"


class AccountNotListed(BankError):
    status, code, title = 404, "account_not_listed", "The account is not on the black list"


@dataclass(frozen=True, slots=True)
class Engine:
    """What decides in this process. `model` is None where none could be loaded.

    `windows_age_ms` says how long ago the bus was read to its end; None: not yet.
    """

    policies: ActivePolicies
    windows: Windows
    rings: Rings
    windows_age_ms: Callable[[], int | None]
    model: FraudModel | None
    behind_after_ms: int


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
        return _reply(_same(before.known, digest))
    await engine.policies.follow(session, before.policy_revision)
    made = _make(engine, body=body, digest=digest, lists=before.lists, now=now)
    told = outbox.parameters(source=SOURCE, now=now, events=[_event(made)])
    case = _case(made, body) if made.outcome == "review" else None
    if not await repository.insert_decision(session, made, told=told, case=case):
        # two at once: the other one's decision stands
        return _reply(_same(await _decision(session, body.decision_id), digest))
    return _reply(made)


async def read_decision(session: AnySession, *, decision_id: UUID) -> contract.DecisionRecord:
    """A kept decision with its features. Raises DecisionNotFound."""
    made = await _decision(session, decision_id)
    return contract.DecisionRecord(
        **_reply(made).model_dump(),
        customer_id=made.customer_id,
        features=dict(made.features),
        elapsed_us=made.elapsed_us,
        windows_age_ms=made.windows_age_ms,
        facts=None if made.facts is None else dict(made.facts),
        trace=None if made.trace is None else list(made.trace),
        grade=made.grade,
    )


def model_card(engine: Engine) -> contract.ModelCard:
    """The model in use. Raises NoModel."""
    if engine.model is None:
        raise NoModel
    manifest = engine.model.manifest
    return contract.ModelCard(
        name=manifest.name,
        version=manifest.version,
        sha256=manifest.sha256,
        features=[feature.name for feature in manifest.features],
        trained_on=manifest.trained_on,
        metrics=manifest.metrics,
    )


async def list_account(
    session: Session, *, body: contract.ListAccount, caller: Caller, now: datetime
) -> contract.ListedAccount:
    """Put an account on the black list. Raises AccountListed."""
    staff = caller.staff_id or caller.service
    entry = Entry("black", "account", body.account_id, body.reason, staff, now)
    try:
        await listing.add(
            session, entry=entry, caller=caller, action="account.list", subject=body.account_id
        )
    except listing.EntryExists as error:
        expected = "an account that is not listed yet"
        raise AccountListed(field="account_id", expected=expected) from error
    return _listed(entry)


async def unlist_account(
    session: Session, *, account_id: str, reason: str, caller: Caller, now: datetime
) -> contract.ListedAccount:
    """Take an account off the black list; what was listed. Raises AccountNotListed."""
    try:
        entry = await listing.remove(
            session,
            name="black",
            kind="account",
            value=account_id,
            reason=reason,
            caller=caller,
            now=now,
            action="account.unlist",
            subject=account_id,
        )
    except listing.EntryNotFound as error:
        raise AccountNotListed(f"Account {account_id} is not on the black list") from error
    return _listed(entry)


async def listed_accounts(
    session: Session, *, after: str | None, now: datetime, limit: int
) -> contract.ListedAccounts:
    """The black-listed accounts in the order of their numbers, `limit` a page."""
    place = None if after is None else ("account", after, "black")
    found = await list_entries.page(
        session, name="black", kind="account", after=place, now=now, limit=limit
    )
    return contract.ListedAccounts(items=[_listed(entry) for entry in found])


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
    ring = engine.rings.ring(payment.customer_id)
    windows_age_ms = engine.windows_age_ms()
    degraded = []
    if windows_age_ms is None or windows_age_ms > engine.behind_after_ms:
        degraded.append("windows_behind")
    score = _score(engine.model, features, degraded)
    model = engine.model if score is not None else None
    facts = {
        "value_minor": value_minor,
        "at_ms": payment.at_ms,
        "hour": hour_of(payment.at_ms),
        "degraded": degraded,
        "lists": dict(lists),
        "ring": {"size": ring.size, "fraud_distance": ring.fraud_distance},
        "model": _thresholds(model),
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


def _score(
    model: FraudModel | None, features: dict[str, float], degraded: list[str]
) -> float | None:
    """The score; without one, its cause goes to `degraded`."""
    if model is None:
        degraded.append("model_unavailable")
        return None
    try:
        return model.score(features)
    except Exception as error:
        # a model that fails on one payment must not stop the rules
        log.exception("model.failed", extra={"cause": type(error).__name__})
        degraded.append("model_failed")
        return None


def _thresholds(model: FraudModel | None) -> dict[str, float | None]:
    """From which scores on the model's own calibration asks for more than an approval."""
    if model is None:
        return {"review_from": None, "decline_from": None}
    thresholds = model.manifest.thresholds
    return {"review_from": thresholds.review, "decline_from": thresholds.decline}


async def _decision(session: AnySession, decision_id: UUID) -> StoredDecision:
    found = await repository.decision(session, decision_id)
    if found is None:
        raise DecisionNotFound(f"There is no decision {decision_id}")
    return found


def _same(known: StoredDecision, digest: bytes) -> StoredDecision:
    if known.body_hash != digest:
        raise DecisionExists(field="decision_id", expected="a new id for another payment")
    return known


def _reply(made: StoredDecision) -> contract.Decision:
    reasons = []
    for code in made.reason_codes:
        zh, en = REASONS[code]
        reasons.append(contract.Reason(code=code, text=Localized(zh=zh, en=en)))
    return contract.Decision.model_validate(
        {
            "decision_id": made.decision_id,
            "outcome": made.outcome,
            "score": made.score,
            "reasons": reasons,
            "policy": made.policy,
            "model": made.model,
            "degraded": list(made.degraded),
            "decided_at": made.decided_at,
            "limit_minor": made.limit_minor,
            "price_bps": made.price_bps,
            "step_up": made.step_up,
        }
    )


def _event(made: StoredDecision) -> DecisionMade:
    return DecisionMade.model_validate(
        {
            "decision_id": made.decision_id,
            "customer_id": made.customer_id,
            "product": made.product,
            "outcome": made.outcome,
            "score": made.score,
            "reason_codes": list(made.reason_codes),
            "model": made.model,
            "policy": made.policy,
            "degraded": bool(made.degraded),
            "at": made.decided_at,
        }
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


def _listed(entry: Entry) -> contract.ListedAccount:
    return contract.ListedAccount(
        account_id=entry.value,
        reason=entry.reason,
        listed_by=entry.listed_by,
        listed_at=entry.listed_at,
    )
