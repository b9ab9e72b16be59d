"""A customer applies: one call to risk, under an id that the same key makes again."""

from uuid import NAMESPACE_URL, uuid5

from gateway import clients
from gateway.applications.views import Wish, application_of
from shared.contracts.http.risk_applications import ApplicationReply
from shared.kit.app import Context

#: Outside sources are asked meanwhile.
TIMEOUT_MS = 5_000.0


async def apply(context: Context, *, customer_id: str, wish: Wish, key: str) -> ApplicationReply:
    """The same wish with the same key is the same application, and has the same answer.

    Raises PeerRefused (`decision_exists`: another content), PeerUnavailable.
    """
    made = uuid5(NAMESPACE_URL, f"urn:tongbao:application:{customer_id}:{key}")
    return await clients.ask(
        context,
        "risk",
        "POST",
        wish.path,
        customer_id=customer_id,
        reply=ApplicationReply,
        body=application_of(
            wish, customer_id=customer_id, application_id=wish.application_id or made
        ),
        timeout_ms=TIMEOUT_MS,
    )
