"""Use cases of staff: let a partner in, look at it, stop it and let it in again."""

from datetime import datetime

from gateway.partners import repository
from gateway.partners.domain import (
    Partner,
    PartnerNotFound,
    PartnerState,
    check_keys,
    check_redirect_uri,
)
from gateway.registrations.repository import insert_client
from gateway.registrations.service import first_client
from shared.contracts.events.audit import StaffActed
from shared.kit import outbox
from shared.kit.database import Session
from shared.kit.problems import Conflict


async def register_partner(
    session: Session, *, partner: Partner, staff_id: str, now: datetime
) -> Partner:
    """Registers a partner under its id; the same again changes nothing.

    Raises `KeysRefused`, `RedirectUriRefused`, and `Conflict` where other content is stored.
    """
    check_keys(partner.jwks)
    for uri in partner.redirect_uris:
        check_redirect_uri(uri)
    if not await repository.insert_partner(session, partner=partner):
        stored = await get_partner(session, partner_id=partner.partner_id)
        if not stored.has_same_content(partner):
            raise Conflict("Another partner is registered under this id", field="partner_id")
        return stored
    await insert_client(session, client=first_client(partner))
    await _tell(
        session,
        staff_id=staff_id,
        action="partner.register",
        subject=partner.partner_id,
        reason="registered",
        now=now,
    )
    return partner


async def get_partner(session: Session, *, partner_id: str) -> Partner:
    partner = await repository.find_partner(session, partner_id=partner_id)
    if partner is None:
        raise PartnerNotFound
    return partner


async def list_partners(session: Session, *, after: str | None, limit: int) -> list[Partner]:
    return await repository.list_partners(session, after=after, limit=limit)


async def set_state(
    session: Session,
    *,
    partner_id: str,
    state: PartnerState,
    staff_id: str,
    reason: str,
    now: datetime,
) -> Partner:
    """Suspends a partner, or lets it in again: it counts for the next call with an old token."""
    partner = await repository.set_state(session, partner_id=partner_id, state=state, now=now)
    if partner is None:
        raise PartnerNotFound
    action = "partner.suspend" if state == "suspended" else "partner.reinstate"
    await _tell(
        session, staff_id=staff_id, action=action, subject=partner_id, reason=reason, now=now
    )
    return partner


async def _tell(
    session: Session, *, staff_id: str, action: str, subject: str, reason: str, now: datetime
) -> None:
    event = StaffActed(
        service="gateway",
        staff_id=staff_id,
        action=action,
        subject=subject,
        reason=reason,
        at=now,
    )
    await outbox.add(session, source="gateway", now=now, events=[event])
