"""Use cases of consents to see data, each inside one transaction."""

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from gateway.grants.domain import CustomerGrant
from gateway.grants.service import end_with_consent
from gateway.open_banking.access import domain, repository
from gateway.open_banking.access.domain import (
    ACCOUNT_ACCESS,
    SHARED_PERMISSIONS,
    Access,
    ConsentKindName,
    DataAccessConsent,
    DataConsentNotFound,
    PermissionMissing,
    Reading,
)
from shared.kit.database import Session

Change = Callable[[DataAccessConsent], DataAccessConsent | None]


async def create(session: Session, *, consent: DataAccessConsent) -> DataAccessConsent:
    await repository.insert_consent(session, consent=consent)
    return consent


async def of_client(
    session: Session, *, consent_id: UUID, kind: ConsentKindName, client_id: str
) -> DataAccessConsent:
    """Another client's consent is not found: not even that it exists is told.

    Raises `DataConsentNotFound`.
    """
    consent = await repository.find_consent(session, consent_id=consent_id)
    if consent is None or consent.client_id != client_id or consent.kind != kind:
        raise DataConsentNotFound(field="ConsentId", expected="a consent of this client")
    return consent


async def change(session: Session, *, consent_id: UUID, to: Change) -> DataAccessConsent | None:
    """The consent after `to`, stored; None where there is none or it cannot be changed so."""
    consent = await repository.find_consent(session, consent_id=consent_id, lock=True)
    changed = to(consent) if consent is not None else None
    if changed is not None:
        await repository.update_consent(session, consent=changed)
    return changed


async def revoke(session: Session, *, consent: DataAccessConsent, now: datetime) -> None:
    """Ends the consent and every grant that rests on it: the next call finds both ended."""
    await change(
        session, consent_id=consent.consent_id, to=lambda one: domain.revoked(one, now=now)
    )
    await end_with_consent(session, consent_kind=consent.kind, consent_id=str(consent.consent_id))


async def admit(
    session: Session,
    *,
    grant: CustomerGrant,
    partner_id: str,
    any_of: Sequence[str],
    look: Callable[[UUID | None], Access],
    now: datetime,
) -> Reading | None:
    """Whether the consent behind a grant allows a call, now; the look is noted with it.

    `look` makes the note for the consent's id. None where the consent has ended.

    Raises:
        PermissionMissing: the consent has none of `any_of`.
    """
    consent = None
    permissions = SHARED_PERMISSIONS
    if grant.consent_kind == ACCOUNT_ACCESS:
        consent_id = UUID(str(grant.consent_id))
        consent = await repository.find_consent(session, consent_id=consent_id)
        if consent is None or consent.state(now=now) != "authorized":
            return None
        permissions = frozenset(consent.permissions)
    if not permissions & set(any_of):
        raise PermissionMissing(f"The consent needs {' or '.join(any_of)}")
    await repository.insert_access(session, access=look(consent.consent_id if consent else None))
    return Reading(
        client_id=grant.client_id,
        partner_id=partner_id,
        customer_id=grant.customer_id,
        accounts=grant.accounts,
        permissions=permissions,
        booked_from=consent.moment("TransactionFromDateTime") if consent else None,
        booked_to=consent.moment("TransactionToDateTime") if consent else None,
    )


async def of_customer(session: Session, *, consent_id: UUID, customer_id: str) -> DataAccessConsent:
    """Raises `DataConsentNotFound` for a consent that is not this customer's."""
    consent = await repository.find_consent(session, consent_id=consent_id)
    if consent is None or consent.customer_id != customer_id:
        raise DataConsentNotFound
    return consent
