"""Use cases of grants: give, exchange a code, refresh, use at a resource, take back."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from gateway.consents.domain import GRANT_KIND
from gateway.grants import kinds, repository
from gateway.grants.domain import (
    KEEP_CODES,
    TOUCH_EVERY,
    Code,
    CustomerGrant,
    GrantNotFound,
    code_trouble,
    secret_hash,
)
from gateway.webhooks import service as webhooks
from gateway.webhooks.domain import EventType
from shared.kit.database import Session


class GrantInvalid(Exception):
    """A code or refresh token that gives nothing; the message says why.

    `revokes` is the grant that must end with it, which its catcher does in a transaction of its
    own: this error has undone the running one.
    """

    def __init__(self, reason: str, *, revokes: UUID | None = None) -> None:
        super().__init__(reason)
        self.revokes = revokes


@dataclass(frozen=True, slots=True)
class Redeemed:
    """What a code was exchanged for."""

    grant: CustomerGrant
    code: Code


async def give(session: Session, *, grant: CustomerGrant, code: Code, secret: str) -> None:
    """The grant with the code that leads its client to it."""
    await repository.insert_grant(session, grant=grant)
    await repository.insert_code(session, code_hash=secret_hash(secret), code=code)
    await _tell(session, grant, "consent.authorized", "authorized")


async def redeem(
    session: Session,
    *,
    secret: str,
    client_id: str,
    redirect_uri: str | None,
    verifier: str,
    thumbprint: str,
    refresh_token: str,
    now: datetime,
) -> Redeemed:
    """Exchanges a code, once, and stores the refresh token. Raises `GrantInvalid`.

    A code that comes a second time was seen by somebody else: all that it gave is taken back
    (RFC 6749, 4.1.2).
    """
    code_hash = secret_hash(secret)
    code = await repository.find_code(session, code_hash=code_hash, client_id=client_id)
    if code is None:
        raise GrantInvalid("the code is not known, or another client's")
    if code.used_at is not None:
        raise GrantInvalid("the code was used before", revokes=code.grant_id)
    trouble = code_trouble(
        code, redirect_uri=redirect_uri, verifier=verifier, thumbprint=thumbprint, now=now
    )
    if trouble is not None:
        raise GrantInvalid(trouble)
    grant = await repository.find_grant(session, grant_id=code.grant_id)
    if grant is None or not grant.is_live(now=now):
        raise GrantInvalid("the customer's consent has ended")
    await repository.use_code(session, code_hash=code_hash, at=now)
    await repository.insert_refresh_token(
        session,
        token_hash=secret_hash(refresh_token),
        grant_id=grant.grant_id,
        client_id=client_id,
        now=now,
    )
    return Redeemed(grant=grant, code=code)


async def refresh(
    session: Session, *, refresh_token: str, client_id: str, now: datetime
) -> CustomerGrant:
    """The grant of a refresh token, which stays as it is. Raises `GrantInvalid`."""
    grant = await find_by_refresh_token(session, refresh_token=refresh_token, client_id=client_id)
    if grant is None or not grant.is_live(now=now):
        raise GrantInvalid("the refresh token is not known, another client's, or has ended")
    return grant


async def find_by_refresh_token(
    session: Session, *, refresh_token: str, client_id: str
) -> CustomerGrant | None:
    return await repository.grant_of_refresh_token(
        session, token_hash=secret_hash(refresh_token), client_id=client_id
    )


async def find(session: Session, *, grant_id: UUID) -> CustomerGrant | None:
    return await repository.find_grant(session, grant_id=grant_id)


async def use(session: Session, *, grant_id: UUID, now: datetime) -> CustomerGrant | None:
    """The grant of a call at a resource, its use noted; None where it has ended."""
    grant = await repository.find_grant(session, grant_id=grant_id)
    if grant is None or not grant.is_live(now=now):
        return None
    if grant.last_used_at is None or now - grant.last_used_at >= TOUCH_EVERY:
        await repository.touch_grant(session, grant_id=grant_id, at=now)
    return grant


async def of_customer(
    session: Session, *, customer_id: str, before: UUID | None, limit: int
) -> list[CustomerGrant]:
    return await repository.grants_of_customer(
        session, customer_id=customer_id, before=before, limit=limit
    )


async def revoke(session: Session, *, grant_id: UUID, now: datetime) -> None:
    """Ends a grant with all its tokens, and the consent that it rests on; again is no error."""
    grant = await repository.find_grant(session, grant_id=grant_id)
    if grant is None or not await repository.revoke_grant(session, grant_id=grant_id):
        return
    await _tell(session, grant, "consent.revoked", "revoked")
    if grant.consent_kind is not None:
        kind = kinds.named(grant.consent_kind)
        await kind.revoke(session, consent_id=grant.consent_id, now=now)


async def revoke_by_customer(
    session: Session, *, grant_id: UUID, customer_id: str, now: datetime
) -> CustomerGrant:
    """The customer takes it back. Raises `GrantNotFound` for anyone else."""
    grant = await repository.find_grant(session, grant_id=grant_id)
    if grant is None or grant.customer_id != customer_id:
        raise GrantNotFound
    await revoke(session, grant_id=grant_id, now=now)
    return await repository.find_grant(session, grant_id=grant_id) or grant


async def end_with_consent(session: Session, *, consent_kind: str, consent_id: str) -> None:
    """A consent has ended: every grant that rests on it ends too. Called by the kind itself."""
    found = await repository.grants_of_consent(
        session, consent_kind=consent_kind, consent_id=consent_id
    )
    for grant_id in found:
        grant = await repository.find_grant(session, grant_id=grant_id)
        if await repository.revoke_grant(session, grant_id=grant_id) and grant is not None:
            await _tell(session, grant, "consent.revoked", "revoked")


async def _tell(session: Session, grant: CustomerGrant, event_type: EventType, state: str) -> None:
    """The partner hears of a consent that only its grant knows; a payment consent tells itself."""
    if grant.consent_kind in {None, GRANT_KIND}:
        return
    data = {
        "consent_id": grant.consent_id,
        "consent_kind": grant.consent_kind,
        "grant_id": str(grant.grant_id),
        "state": state,
    }
    await webhooks.tell_client(session, client_id=grant.client_id, event_type=event_type, data=data)


async def tidy(session: Session, *, now: datetime) -> int:
    return await repository.forget_codes(session, before=now - KEEP_CODES)
