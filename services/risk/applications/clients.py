"""What an application asks of identity: who the applicant is."""

from services.risk.applications.domain import Applicant
from shared.contracts.http.identity import Customer
from shared.kit.app import Context
from shared.kit.peers import OnBehalfOf, PeerRefused

TIMEOUT_MS = 1_000.0


async def applicant(context: Context, *, customer_id: str) -> Applicant:
    """Raises PeerUnavailable: without identity's word nothing is decided."""
    try:
        known = await context.peers["identity"].call(
            "GET",
            f"/v1/customers/{customer_id}",
            reply=Customer,
            timeout_ms=TIMEOUT_MS,
            behalf=OnBehalfOf(customer_id=customer_id),
        )
    except PeerRefused as refusal:
        if refusal.status == 404:
            return Applicant(is_known=False, born_on=None)
        raise
    return Applicant(is_known=True, born_on=known.born_on)
