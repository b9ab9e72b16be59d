"""The keys that this process signs with, and the secrets that all replicas share."""

import asyncio
import secrets
from datetime import datetime
from typing import Any

from gateway.oauth import repository
from gateway.tokens.access import (
    KEEP_PERIOD,
    TOKEN_LIFETIME,
    SigningKey,
    new_signing_key,
    signing_key,
)
from gateway.tokens.jose import PublicKey, import_public_key
from shared.kit.database import Database

SECRET_BYTES = 32


class TokenKeys:
    """The keys of one process.

    Each process signs with keys of its own, whose private halves exist in its memory alone; the
    public halves lie in the database, where every replica and, at `/oauth2/jwks`, every client
    finds them for as long as what they signed lives.
    """

    def __init__(self) -> None:
        self._own: dict[str, SigningKey] = {}
        self._public: dict[str, tuple[PublicKey, datetime]] = {}
        self._lock = asyncio.Lock()

    async def signing(
        self, database: Database, *, now: datetime, algorithm: str = "Ed25519"
    ) -> SigningKey:
        """The key to sign with; a new one is published before it signs."""
        own = self._own.get(algorithm)
        if own is not None and signing_key([own], now=now) is not None:
            return own
        async with self._lock:
            own = self._own.get(algorithm)
            key = signing_key([own] if own else [], now=now)
            if key is None:
                key = await asyncio.to_thread(new_signing_key, now=now, algorithm=algorithm)
                async with database.transaction() as session:
                    await repository.insert_token_key(
                        session, kid=key.kid, jwk=key.jwk(), created_at=now
                    )
                self._own[algorithm] = key
            return key

    async def published(self, database: Database, *, now: datetime) -> list[dict[str, Any]]:
        """The public keys as `/oauth2/jwks` shows them, the youngest first."""
        async with database.transaction() as session:
            return await repository.list_token_keys(session, since=now - KEEP_PERIOD)

    async def public(self, database: Database, *, now: datetime) -> dict[str, PublicKey]:
        """Every key that may have signed a living token, as the database has them."""
        jwks = await self.published(database, now=now)
        keys = {str(jwk["kid"]): import_public_key(jwk) for jwk in jwks}
        self._public = {kid: (key, now) for kid, key in keys.items()}
        return keys

    async def of_token(
        self, kid: str | None, database: Database, *, now: datetime
    ) -> dict[str, PublicKey]:
        """The key of that id. What was read lately is not read again for every call."""
        known = self._public.get(kid or "")
        if known is None or now - known[1] > TOKEN_LIFETIME:
            return await self.public(database, now=now)
        return {str(kid): known[0]}


class SharedSecrets:
    """Secrets that every replica must have alike: made by the first, kept in the database."""

    def __init__(self) -> None:
        self._known: dict[str, bytes] = {}

    async def get(self, database: Database, *, name: str) -> bytes:
        secret = self._known.get(name)
        if secret is None:
            made = secrets.token_bytes(SECRET_BYTES)
            async with database.transaction() as session:
                secret = await repository.shared_secret(session, name=name, made=made)
            self._known[name] = secret
        return secret
