"""What the decisions on all products share: how one is kept, told and read again."""

from collections.abc import Sequence
from uuid import UUID

from services.risk import repository
from services.risk.engine import Engine
from services.risk.policies.reasons import REASONS
from services.risk.repository import StoredDecision
from services.risk.scorecards import Scorecard
from shared.contracts.events.risk import DecisionMade
from shared.contracts.http import risk as contract
from shared.contracts.values import Localized
from shared.kit.database import AnySession
from shared.kit.problems import BankError

SOURCE = "risk"


class DecisionNotFound(BankError):
    status, code, title = 404, "decision_not_found", "There is no decision under this id"


class DecisionExists(BankError):
    status, code = 409, "decision_exists"
    title = "Another request was decided under this id"


class NoModel(BankError):
    status, code, title = (
        404,
        "model_unavailable",
        "No model could be loaded; the scorecard and the rules decide",
    )


async def read_decision(session: AnySession, *, decision_id: UUID) -> contract.DecisionRecord:
    """A kept decision with its features. Raises DecisionNotFound."""
    made = await kept(session, decision_id)
    return contract.DecisionRecord(
        **reply_of(made).model_dump(),
        customer_id=made.customer_id,
        features=dict(made.features),
        elapsed_us=made.elapsed_us,
        windows_age_ms=made.windows_age_ms,
        facts=None if made.facts is None else dict(made.facts),
        trace=None if made.trace is None else list(made.trace),
        grade=made.grade,
        product=made.product,
        model_sha256=None if made.model_sha256 is None else made.model_sha256.hex(),
        policy_sha256=None if made.policy_sha256 is None else made.policy_sha256.hex(),
        sources=None
        if made.sources is None
        else [contract.SourceUsed.model_validate(use) for use in made.sources],
    )


def model_card(engine: Engine) -> contract.ModelCard:
    """The model in use. Raises NoModel."""
    model = engine.model
    if model is None:
        raise NoModel
    manifest = model.card if isinstance(model, Scorecard) else model.manifest
    return contract.ModelCard(
        name=manifest.name,
        version=manifest.version,
        sha256=model.sha256,
        features=list(model.inputs),
        trained_on=manifest.trained_on,
        metrics=manifest.metrics,
    )


async def kept(session: AnySession, decision_id: UUID) -> StoredDecision:
    """The decision under the id. Raises DecisionNotFound."""
    found = await repository.decision(session, decision_id)
    if found is None:
        raise DecisionNotFound(f"There is no decision {decision_id}")
    return found


def same(known: StoredDecision, digest: bytes) -> StoredDecision:
    if known.body_hash != digest:
        raise DecisionExists(field="decision_id", expected="a new id for another request")
    return known


def reasons_of(codes: Sequence[str]) -> list[contract.Reason]:
    """The codes with what a customer may read of each."""
    reasons = []
    for code in codes:
        zh, en = REASONS[code]
        reasons.append(contract.Reason(code=code, text=Localized(zh=zh, en=en)))
    return reasons


def reply_of(made: StoredDecision) -> contract.Decision:
    return contract.Decision.model_validate(
        {
            "decision_id": made.decision_id,
            "outcome": made.outcome,
            "score": made.score,
            "reasons": reasons_of(made.reason_codes),
            "policy": made.policy,
            "model": made.model,
            "degraded": list(made.degraded),
            "decided_at": made.decided_at,
            "limit_minor": made.limit_minor,
            "price_bps": made.price_bps,
            "step_up": made.step_up,
        }
    )


def event_of(made: StoredDecision) -> DecisionMade:
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
