"""Use cases of a client about its own tokens: what one is worth (RFC 7662), end one (RFC 7009)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.grants import service as grants
from gateway.grants.domain import CustomerGrant, subject_of
from gateway.oauth import repository
from gateway.oauth.authentication import authenticate
from gateway.oauth.domain import Credentials
from gateway.oauth.service import revocation_hash
from gateway.registrations.domain import Client
from gateway.tokens.access import Grant, check_token
from gateway.tokens.jose import PublicKey, Refused
from shared.kit.database import Session

#: What is told of a token that has ended, is unknown, or is another client's: all the same.
INACTIVE = {"active": False}


@dataclass(frozen=True, slots=True)
class Presented:
    """A token that a client asks about, and how the client shows who it is."""

    token: str
    credentials: Credentials
    issuer: str
    #: The keys that may have signed it.
    keys: Mapping[str, PublicKey]


async def introspect(
    session: Session, *, presented: Presented, subject_secret: bytes, now: datetime
) -> tuple[Client, dict[str, Any]]:
    """What the token is worth now, to the client that it belongs to. Raises `ClientRefused`."""
    client = await _client(session, presented, now)
    token = _own_access_token(presented, client, now)
    if token is None:
        grant = await grants.find_by_refresh_token(
            session, refresh_token=presented.token, client_id=client.client_id
        )
        if grant is None or not grant.is_live(now=now):
            return client, INACTIVE
        return client, _of_grant(grant, client, presented.issuer, subject_secret)
    if await repository.is_used(session, id_hash=revocation_hash(token)):
        return client, INACTIVE
    answer: dict[str, Any] = {
        "active": True,
        "iss": presented.issuer,
        "aud": presented.issuer,
        "client_id": client.client_id,
        "sub": client.client_id,
        "scope": " ".join(sorted(token.scopes)),
        "token_type": "DPoP",
        "exp": int(token.expires_at.timestamp()),
        "jti": token.token_id,
        "cnf": {"jkt": token.thumbprint},
    }
    if token.grant_id is not None:
        grant = await grants.find(session, grant_id=token.grant_id)
        if grant is None or not grant.is_live(now=now):
            return client, INACTIVE
        secret = subject_secret
        answer["sub"] = subject_of(grant.customer_id, partner_id=client.partner_id, secret=secret)
        answer["grant_id"] = str(grant.grant_id)
    return client, answer


async def revoke(session: Session, *, presented: Presented, now: datetime) -> None:
    """Ends a token of the client's own; a refresh token with all that it gave.

    One that is unknown, or another client's, changes nothing and is not told apart
    (RFC 7009, 2.2). Raises `ClientRefused`.
    """
    client = await _client(session, presented, now)
    token = _own_access_token(presented, client, now)
    if token is not None:
        id_hash = revocation_hash(token)
        await repository.use_id(session, id_hash=id_hash, kept_until=token.expires_at)
        return
    grant = await grants.find_by_refresh_token(
        session, refresh_token=presented.token, client_id=client.client_id
    )
    if grant is not None:
        await grants.revoke(session, grant_id=grant.grant_id, now=now)


async def _client(session: Session, presented: Presented, now: datetime) -> Client:
    return await authenticate(
        session, credentials=presented.credentials, issuer=presented.issuer, now=now
    )


def _own_access_token(presented: Presented, client: Client, now: datetime) -> Grant | None:
    try:
        token = check_token(presented.token, keys=presented.keys, issuer=presented.issuer, now=now)
    except Refused:
        return None
    return token if token.client_id == client.client_id else None


def _of_grant(
    grant: CustomerGrant, client: Client, issuer: str, subject_secret: bytes
) -> dict[str, Any]:
    return {
        "active": True,
        "iss": issuer,
        "client_id": client.client_id,
        "sub": subject_of(grant.customer_id, partner_id=client.partner_id, secret=subject_secret),
        "scope": " ".join(grant.scopes),
        "exp": int(grant.expires_at.timestamp()),
        "grant_id": str(grant.grant_id),
    }
