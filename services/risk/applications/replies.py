"""What an applicant is told: an application as it stands."""

from collections.abc import Sequence

from services.risk import repository as decisions
from services.risk import service as risk
from services.risk.applications.domain import Applied, Offer, standing_of
from services.risk.cases import domain as cases
from services.risk.cases import repository as case_rows
from services.risk.cases.domain import Case
from services.risk.policies import weights
from services.risk.repository import StoredDecision
from shared.contracts.http import risk_applications as contract
from shared.kit.database import AnySession, Session


async def replies(session: Session, found: Sequence[Applied]) -> list[contract.ApplicationReply]:
    """The applications as they stand, with what people have said since."""
    ids = [applied.application_id for applied in found]
    made = {one.decision_id: one for one in await decisions.decisions_of(session, ids)}
    known = {case.case_id: case for case in await case_rows.of_decisions(session, ids)}
    return [
        await _reply(
            session,
            applied,
            made.get(applied.application_id),
            known.get(applied.application_id),
            known.get(cases.appeal_id(applied.application_id)),
        )
        for applied in found
    ]


async def answer(
    session: AnySession, applied: Applied, made: StoredDecision
) -> contract.ApplicationReply:
    """What was said at once, whatever a person has said since."""
    return await _reply(session, applied, made, None, None)


async def _reply(
    session: AnySession,
    applied: Applied,
    made: StoredDecision | None,
    review: Case | None,
    appeal: Case | None,
) -> contract.ApplicationReply:
    standing = standing_of(_offer(made), review, appeal)
    is_approved = standing.state == "approved"
    asked = any(case is not None and case.asked_at is not None for case in (review, appeal))
    codes: list[str] = []
    if made is not None and not is_approved:
        rules = await weights.of_policy(session, product=made.product, policy=made.policy)
        codes = weights.main_reasons(
            made.reason_codes,
            made.trace or (),
            rules,
            of_score=weights.reasons_of_score(made.facts),
        )
    return contract.ApplicationReply(
        application_id=applied.application_id,
        product=applied.product,
        state=standing.state,
        requested_minor=applied.requested_minor,
        term_months=applied.term_months,
        limit_minor=standing.limit_minor,
        price_bps=standing.price_bps,
        step_up=standing.step_up,
        reasons=risk.reasons_of(codes),
        decided_by=standing.decided_by,
        can_ask_for_person=made is not None and not is_approved and not asked,
        applied_at=applied.applied_at,
        decided_at=standing.decided_at,
    )


def _offer(made: StoredDecision | None) -> Offer | None:
    if made is None:
        return None
    return Offer(made.outcome, made.limit_minor, made.price_bps, made.step_up, made.decided_at)
