"""What the policy that ruled on a decision says of it: the reasons that weighed most, and of a
credit the limit and the grade's price, also where it declined.
"""

from typing import cast
from uuid import UUID

from services.risk import repository as decisions
from services.risk.cases import repository
from services.risk.cases.domain import CREDIT, Grant
from services.risk.policies import weights
from services.risk.policies.domain import Product
from services.risk.policies.programs import Program
from services.risk.policies.repository import version as version_row
from shared.contracts.http.risk import DecisionRecord
from shared.kit.database import Session


async def offered(session: Session, *, case_id: UUID) -> Grant | None:
    """Of the decision behind a case; None where the product has no limit, or no decision was kept.

    A declined decision offers nothing, and its grade has a price all the same: that of the
    version that ruled on it.
    """
    case = await repository.find(session, case_id)
    if case is None or case.product not in CREDIT:
        return None
    made = await decisions.decision(session, case.decision_id)
    if made is None:
        return None
    price_bps = made.price_bps
    if price_bps is None:
        version = made.policy.removeprefix(f"{made.product}-")
        row = await version_row(session, product=made.product, version=version)
        if row is not None:
            product = cast("Product", row.product)
            program = Program(product=product, version=row.version, graph=row.graph)
            price_bps = program.price_of(made.grade)
    return Grant(made.limit_minor or 0, price_bps)


async def main_reasons(session: Session, decision: DecisionRecord | None) -> list[str]:
    """The codes of the reasons that a customer is told, the weightiest first."""
    if decision is None:
        return []
    rules = await weights.of_policy(session, product=decision.product, policy=decision.policy)
    codes = [reason.code for reason in decision.reasons]
    of_score = weights.reasons_of_score(decision.facts)
    return weights.main_reasons(codes, decision.trace or (), rules, of_score=of_score)
