"""Use cases of domestic payment consents, each inside one transaction."""

from datetime import datetime
from uuid import UUID

from gateway.consents import service as own_consents
from gateway.consents.domain import ConsentNotFound, PaymentConsent
from gateway.open_banking.domain import ResourceNotFound
from gateway.open_banking.payments import repository
from gateway.open_banking.payments.domain import ConsentConsumed, ConsentMismatch, DomesticConsent
from gateway.payments import repository as claims
from shared.kit.database import Session


async def create(
    session: Session, *, consent: DomesticConsent, own: PaymentConsent, now: datetime
) -> None:
    """The standard's words, and the bank's own consent that holds the amount to its limit."""
    await own_consents.create_consent(session, consent=own, now=now)
    await repository.insert_consent(session, consent=consent)


async def of_client(
    session: Session, *, consent_id: UUID, client_id: str
) -> tuple[DomesticConsent, PaymentConsent]:
    """Raises `ResourceNotFound` for another client's consent as for none."""
    consent = await repository.find_consent(session, consent_id=consent_id)
    if consent is None or consent.client_id != client_id:
        raise ResourceNotFound(field="ConsentId", expected="a consent of this client")
    try:
        return consent, await own_consents.get_consent(session, consent_id=consent_id)
    except ConsentNotFound as error:  # pragma: no cover - a foreign key forbids it
        raise ResourceNotFound(field="ConsentId") from error


async def of_grant(
    session: Session, *, consent_id: str, granted_id: str | None, client_id: str
) -> tuple[DomesticConsent, PaymentConsent]:
    """The consent that a call names, which must be the one that its token was given for.

    Raises `ConsentMismatch`, `ResourceNotFound`.
    """
    if granted_id is None or consent_id != granted_id:
        raise ConsentMismatch(field="Data.ConsentId", expected="the consent of the token")
    return await of_client(session, consent_id=UUID(granted_id), client_id=client_id)


async def check_unused(
    session: Session, *, consent: DomesticConsent, partner_id: str, key: str
) -> None:
    """A consent is for one payment; under its own key that one may be asked for again.

    Raises `ConsentConsumed`.
    """
    if consent.payment_id is None:
        return
    claim = await claims.lock_claim(session, partner_id=partner_id, key=key)
    if claim is None or claim.payment_id != consent.payment_id:
        raise ConsentConsumed(field="Data.ConsentId", expected="a consent that was not used yet")
