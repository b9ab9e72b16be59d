"""Use cases of the consent page, each inside one transaction."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from gateway.consents import domain as consent_domain
from gateway.consents import service as consents
from gateway.consents.domain import ConsentNotFound, PaymentConsent
from gateway.pages import repository
from gateway.pages.domain import SESSION_LIFETIME, PageSession, session_hash
from gateway.partners import service as partners
from shared.kit.database import Session


@dataclass(frozen=True, slots=True)
class Visit:
    """What is known when a browser comes: the consent, who asks, and who has signed in."""

    consent: PaymentConsent
    partner_name: str
    session: PageSession | None


async def visit(session: Session, *, consent_id: UUID, cookie: str | None, now: datetime) -> Visit:
    """Raises `ConsentNotFound`, for what a suspended partner asks as well."""
    consent = await consents.get_consent(session, consent_id=consent_id)
    partner = await partners.get_partner(session, partner_id=consent.partner_id)
    if partner.state != "active":
        raise ConsentNotFound
    found = None
    if cookie:
        found = await repository.find_session(
            session, session_hash=session_hash(cookie), consent_id=consent_id, now=now
        )
    return Visit(consent=consent, partner_name=partner.name, session=found)


async def begin_session(
    session: Session, *, consent_id: UUID, customer_id: str, cookie: str, now: datetime
) -> PageSession:
    """`cookie` is new: what a browser held before signing in is worth nothing afterwards."""
    page = PageSession(
        consent_id=consent_id,
        customer_id=customer_id,
        challenge_id=None,
        expires_at=now + SESSION_LIFETIME,
    )
    await repository.insert_session(session, session_hash=session_hash(cookie), page=page)
    return page


async def note_code(session: Session, *, cookie: str, challenge_id: UUID) -> None:
    await repository.set_challenge(
        session, session_hash=session_hash(cookie), challenge_id=challenge_id
    )


async def agree(
    session: Session,
    *,
    consent_id: UUID,
    customer_id: str,
    account_id: str,
    cookie: str,
    now: datetime,
) -> PaymentConsent:
    """Raises `ConsentNotAwaiting`, `AccountNotUsable`. The page's session ends with it."""
    await repository.delete_session(session, session_hash=session_hash(cookie))
    return await consents.change(
        session,
        consent_id=consent_id,
        to=lambda consent: consent_domain.authorize(
            consent, customer_id=customer_id, account_id=account_id, now=now
        ),
    )


async def deny(
    session: Session, *, consent_id: UUID, customer_id: str, cookie: str, now: datetime
) -> PaymentConsent:
    """Raises `ConsentNotAwaiting`. The page's session ends with it."""
    await repository.delete_session(session, session_hash=session_hash(cookie))
    return await consents.change(
        session,
        consent_id=consent_id,
        to=lambda consent: consent_domain.reject(consent, customer_id=customer_id, now=now),
    )


async def count_wrong_code(
    session: Session, *, consent_id: UUID, customer_id: str, now: datetime
) -> PaymentConsent:
    """Raises `ConsentNotAwaiting`."""
    return await consents.change(
        session,
        consent_id=consent_id,
        to=lambda consent: consent_domain.count_wrong_code(
            consent, customer_id=customer_id, now=now
        ),
    )


async def tidy(session: Session, *, now: datetime) -> None:
    await repository.forget_sessions(session, now=now)
