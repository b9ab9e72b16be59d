"""Calls to the ledger and to risk. Each may be made again: the payment's id is the call's."""

from services.payments.domain import HOLD_S, NO_DECISION, REVIEW_HOLD_S, Decision, Payment
from shared.contracts.http.ledger import CaptureHold, ExtendHold, Hold, PlaceHold
from shared.contracts.http.risk import DecidePayment
from shared.contracts.http.risk import Decision as RiskDecision
from shared.kit.peers import OnBehalfOf, Peer, PeerRefused, PeerUnavailable
from shared.kit.problems import FieldError, InvalidRequest

TRANSFER_KIND = "payment"


class HoldEnded(Exception):
    """The hold is not placed any more: it was captured or released, or it has expired."""


class HoldExists(Exception):
    """Another hold has the payment's id."""


#: What the ledger calls the sides of a hold, and what the caller of payments calls them.
_FIELDS = {"account_id": "debtor_account", "destination_id": "creditor.account_id"}


async def place_hold(ledger: Peer, payment: Payment, *, timeout_ms: float) -> Hold:
    """Hold the amount, where both accounts, the currency and the balance allow it.

    Raises:
        PeerRefused: they do not; nothing is held. Fields are named as the payment names them.
        HoldExists: another body came under this id before.
        PeerUnavailable: whether it is held is not known; a hold that nobody captures expires.
    """
    body = PlaceHold(
        hold_id=payment.payment_id,
        account_id=payment.debtor_account,
        destination_id=payment.creditor_account,
        amount_minor=payment.amount_minor,
        currency=payment.currency,
        expires_in_s=HOLD_S,
    )
    try:
        return await ledger.call(
            "POST", "/v1/holds", reply=Hold, timeout_ms=timeout_ms, body=body, behalf=_for(payment)
        )
    except PeerRefused as refusal:
        if refusal.code == "hold_exists":
            raise HoldExists from refusal
        raise _in_our_words(_own_word(ledger, refusal)) from refusal


async def extend_hold(ledger: Peer, payment: Payment, *, timeout_ms: float) -> Hold:
    """Hold the amount for as long as a review may take. Raises as `capture_hold` does."""
    return await _on_hold(
        ledger, payment, "extension", ExtendHold(expires_in_s=REVIEW_HOLD_S), timeout_ms
    )


async def capture_hold(ledger: Peer, payment: Payment, *, timeout_ms: float) -> Hold:
    """Move the money: the transfer has the payment's id.

    Raises:
        HoldEnded: nothing was moved, now or before.
        PeerRefused: the ledger refuses to move it, for example from a frozen account.
        PeerUnavailable: whether it was moved is not known.
    """
    body = CaptureHold(
        transfer_id=payment.payment_id, kind=TRANSFER_KIND, reference=payment.remittance
    )
    return await _on_hold(ledger, payment, "capture", body, timeout_ms)


async def release_hold(ledger: Peer, payment: Payment, *, timeout_ms: float) -> None:
    """Give the amount back to the debtor; of a hold that has expired, it is.

    Raises:
        HoldEnded: it was captured.
    """
    try:
        await _on_hold(ledger, payment, "release", None, timeout_ms)
    except PeerRefused as refusal:
        if refusal.code != "hold_not_found":
            raise PeerUnavailable(f"{ledger.name} refused to release a hold") from refusal


async def decide(risk: Peer, payment: Payment, *, timeout_ms: float) -> Decision:
    """Risk's decision; `NO_DECISION` where none comes in time."""
    body = DecidePayment(
        decision_id=payment.payment_id,
        customer_id=payment.customer_id,
        partner_id=payment.partner_id,
        debtor_account=payment.debtor_account,
        creditor_account=payment.creditor_account,
        amount_minor=payment.amount_minor,
        currency=payment.currency,
        channel=payment.channel,
        at=payment.received_at,
        device_id=payment.device_id,
        ip_address=payment.ip_address,
        merchant_id=payment.merchant_id,
    )
    try:
        said = await risk.call(
            "POST",
            "/v1/decisions",
            reply=RiskDecision,
            timeout_ms=timeout_ms,
            body=body,
            behalf=_for(payment),
        )
    except (PeerRefused, PeerUnavailable, ValueError):
        return NO_DECISION
    codes = dict.fromkeys([*(reason.code for reason in said.reasons), *said.degraded])
    return Decision(said.outcome, tuple(codes) or (f"risk_{said.outcome}",), said.score)


async def _on_hold(
    ledger: Peer,
    payment: Payment,
    action: str,
    body: ExtendHold | CaptureHold | None,
    timeout_ms: float,
) -> Hold:
    path = f"/v1/holds/{payment.payment_id}/{action}"
    try:
        return await ledger.call(
            "POST", path, reply=Hold, timeout_ms=timeout_ms, body=body, behalf=_for(payment)
        )
    except PeerRefused as refusal:
        if refusal.code == "hold_not_open":
            raise HoldEnded from refusal
        raise _own_word(ledger, refusal) from refusal


def _own_word(ledger: Peer, refusal: PeerRefused) -> PeerRefused:
    """A refusal of what was asked for; one of how it was asked is no answer to the payment.

    Raises:
        PeerUnavailable: the call was not let in, or not understood.
    """
    if refusal.status in {400, 401, 403, 413, 429} or refusal.code == InvalidRequest.code:
        raise PeerUnavailable(f"{ledger.name} did not take the call") from refusal
    return refusal


def _for(payment: Payment) -> OnBehalfOf:
    return OnBehalfOf(partner_id=payment.partner_id, customer_id=payment.customer_id)


def _in_our_words(refusal: PeerRefused) -> PeerRefused:
    errors = [
        FieldError(field=_FIELDS.get(error.field, error.field), expected=error.expected)
        for error in refusal.problem.errors
    ]
    return PeerRefused(refusal.problem.model_copy(update={"errors": errors}))
