"""The way of an application: note it, ask identity and the outside, decide. No call is made
while a transaction is open.
"""

from services.risk.applications import clients, service
from services.risk.applications.domain import Applied, Wish
from services.risk.engine import Engine
from services.risk.sources.service import gather
from shared.contracts.http.risk_applications import ApplicationReply
from shared.kit.app import Context


async def apply(
    context: Context,
    *,
    engine: Engine,
    applied: Applied,
    wish: Wish,
    ip_address: str | None,
    phone: str | None,
) -> ApplicationReply:
    """Decide on an application; the same one again gets the answer that was kept.

    Raises:
        DecisionExists: the id belongs to another request.
        PeerUnavailable: identity does not say who applies; nothing was decided.
        Unavailable: the decision could not be kept; nothing was decided.
    """
    async with context.database.statement() as session:
        begun = await service.begin(
            session, engine=engine, applied=applied, ip_address=ip_address, phone=phone
        )
    if isinstance(begun, ApplicationReply):
        return begun
    context.published()
    applicant = await clients.applicant(context, customer_id=applied.customer_id)
    gathered = await gather(
        context,
        decision_id=applied.application_id,
        customer_id=applied.customer_id,
        product=applied.product,
        needs=begun.policy.needs,
        now=context.clock(),
    )
    async with context.database.statement() as session:
        reply = await service.decide(
            session,
            engine=engine,
            noted=begun,
            wish=wish,
            applicant=applicant,
            gathered=gathered,
            now=context.clock(),
        )
    context.published()
    return reply
