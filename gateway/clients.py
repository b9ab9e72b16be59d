"""Calls to the services behind the gateway."""

from uuid import UUID

from shared.contracts.http.payments import InitiatePayment, Payment, PaymentPage
from shared.kit.app import Context
from shared.kit.peers import OnBehalfOf, PeerRefused

#: Longest wait for one answer where the request brings no shorter deadline.
READ_TIMEOUT_MS = 2_000.0


async def initiate_payment(
    context: Context, *, order: InitiatePayment, timeout_ms: float
) -> Payment:
    """Idempotent by `payment_id`. Raises `PeerRefused`, `PeerUnavailable`."""
    return await context.peers["payments"].call(
        "POST",
        "/v1/payments",
        reply=Payment,
        body=order,
        timeout_ms=timeout_ms,
        behalf=OnBehalfOf(partner_id=order.partner_id, customer_id=order.customer_id),
    )


async def find_payment(context: Context, *, payment_id: UUID, partner_id: str) -> Payment | None:
    """None where payments has no such payment. Raises `PeerUnavailable`."""
    try:
        return await context.peers["payments"].call(
            "GET",
            f"/v1/payments/{payment_id}",
            reply=Payment,
            timeout_ms=READ_TIMEOUT_MS,
            behalf=OnBehalfOf(partner_id=partner_id),
        )
    except PeerRefused as refusal:
        if refusal.status == 404:
            return None
        raise


async def list_payments(
    context: Context, *, partner_id: str, before: UUID | None, limit: int
) -> PaymentPage:
    params = {"limit": str(limit), "partner_id": partner_id}
    if before is not None:
        params["before"] = str(before)
    return await context.peers["payments"].call(
        "GET",
        "/v1/payments",
        reply=PaymentPage,
        params=params,
        timeout_ms=READ_TIMEOUT_MS,
        behalf=OnBehalfOf(partner_id=partner_id),
    )
