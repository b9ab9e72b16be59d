"""Use cases of payment consents, each inside one transaction."""

from collections.abc import Callable
from datetime import datetime
from typing import Final
from uuid import UUID

from gateway.consents import domain, repository
from gateway.consents.domain import ConsentNotFound, PaymentConsent
from gateway.grants.service import end_with_consent
from gateway.partners.repository import find_partner
from gateway.webhooks import service as webhooks
from gateway.webhooks.domain import EventType, Message
from shared.kit.clock import new_id
from shared.kit.database import Session
from shared.kit.problems import BankError

#: What partners are told of, by the state that a consent came into.
_TOLD: Final[dict[str, EventType]] = {
    "authorized": "consent.authorized",
    "rejected": "consent.rejected",
    "revoked": "consent.revoked",
}
Change = Callable[[PaymentConsent], PaymentConsent]


class RedirectUriNotRegistered(BankError):
    status, code = 422, "redirect_uri_not_registered"
    title = "The address is not registered for this partner"


async def create_consent(
    session: Session, *, consent: PaymentConsent, now: datetime
) -> PaymentConsent:
    """Stores a new consent. Raises `ConsentExpiryRefused`, `RedirectUriNotRegistered`."""
    domain.check_expiry(consent.expires_at, now=now)
    if consent.redirect_uri is not None:
        partner = await find_partner(session, partner_id=consent.partner_id)
        # Exactly as registered: a prefix or a pattern would make an open redirect.
        if partner is None or consent.redirect_uri not in partner.redirect_uris:
            raise RedirectUriNotRegistered(
                field="redirect_uri", expected="an address exactly as it was registered"
            )
    await repository.insert_consent(session, consent=consent)
    return consent


async def get_consent(session: Session, *, consent_id: UUID) -> PaymentConsent:
    """Any consent, for its own page. Raises `ConsentNotFound`."""
    consent = await repository.find_consent(session, consent_id=consent_id)
    if consent is None:
        raise ConsentNotFound
    return consent


async def get_of_partner(session: Session, *, consent_id: UUID, partner_id: str) -> PaymentConsent:
    """Another partner's consent is not found: not even that it exists is told."""
    consent = await get_consent(session, consent_id=consent_id)
    if consent.partner_id != partner_id:
        raise ConsentNotFound
    return consent


async def revoke_by_partner(
    session: Session, *, consent_id: UUID, partner_id: str, now: datetime
) -> PaymentConsent:
    await get_of_partner(session, consent_id=consent_id, partner_id=partner_id)
    return await _revoke(session, consent_id=consent_id, now=now)


async def revoke_by_customer(
    session: Session, *, consent_id: UUID, customer_id: str, now: datetime
) -> PaymentConsent:
    """The customer who gave it takes it back. Raises `ConsentNotFound` for anyone else."""
    consent = await get_consent(session, consent_id=consent_id)
    if consent.customer_id != customer_id:
        raise ConsentNotFound
    return await _revoke(session, consent_id=consent_id, now=now)


async def _revoke(session: Session, *, consent_id: UUID, now: datetime) -> PaymentConsent:
    """Ends the consent, and with it every grant that rests on it."""
    revoked = await change(session, consent_id=consent_id, to=lambda c: domain.revoke(c, now=now))
    await end_with_consent(session, consent_kind=domain.GRANT_KIND, consent_id=str(consent_id))
    return revoked


async def change(session: Session, *, consent_id: UUID, to: Change) -> PaymentConsent:
    """Takes a consent to its next state, alone: the row is locked while `to` decides."""
    consent = await repository.find_consent(session, consent_id=consent_id, for_update=True)
    if consent is None:
        raise ConsentNotFound
    changed = to(consent)
    if changed != consent:
        await repository.store_decision(session, consent=changed)
    if changed.stored_state != consent.stored_state:
        await _tell(session, changed)
    return changed


async def _tell(session: Session, consent: PaymentConsent) -> None:
    """The partner hears what its consent has become."""
    event_type = _TOLD.get(consent.stored_state)
    if event_type is not None:
        data = {
            "consent_id": str(consent.consent_id),
            "consent_kind": domain.GRANT_KIND,
            "state": consent.stored_state,
        }
        message = Message(new_id(), event_type, data, consent.updated_at)
        await webhooks.tell(session, partner_id=consent.partner_id, messages=[message])


async def list_of_partner(
    session: Session, *, partner_id: str, before: UUID | None, limit: int
) -> list[PaymentConsent]:
    return await repository.list_of_partner(
        session, partner_id=partner_id, before=before, limit=limit
    )


async def list_of_customer(
    session: Session, *, customer_id: str, before: UUID | None, limit: int
) -> list[PaymentConsent]:
    return await repository.list_of_customer(
        session, customer_id=customer_id, before=before, limit=limit
    )


async def reserve(
    session: Session,
    *,
    consent_id: UUID,
    partner_id: str,
    payee_account: str,
    amount_minor: int,
    currency: str,
    now: datetime,
) -> PaymentConsent:
    """Reserves one payment's amount. Raises the `Consent…` error that says why it cannot."""
    values = repository.reservation(
        consent_id=consent_id,
        partner_id=partner_id,
        payee_account=payee_account,
        amount_minor=amount_minor,
        currency=currency,
        now=now,
    )
    consent = await repository.reserve(session, values)
    if consent is not None:
        return consent
    consent = await get_of_partner(session, consent_id=consent_id, partner_id=partner_id)
    domain.check_payment(
        consent,
        payee_account=payee_account,
        amount_minor=amount_minor,
        currency=currency,
        now=now,
    )
    # It would pass now: something was freed or decided since the statement before.
    again = await repository.reserve(session, values)
    if again is None:
        raise domain.ConsentLimitExceeded(field="amount_minor", expected="less than what is left")
    return again
