"""Use cases of tokens: keep the signing keys, issue a token, admit a call that presents one."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.limits.domain import Verdict, headers
from gateway.limits.service import Limiter
from gateway.oauth import repository
from gateway.oauth.domain import (
    CallProofRefused,
    ClientRefused,
    ProofRefused,
    TokenRefused,
    TokenRequest,
    TooManyTokens,
    challenge,
    used_id_hash,
)
from gateway.partners.domain import Partner
from gateway.partners.repository import find_partner
from gateway.tokens.access import (
    KEEP_PERIOD,
    TOKEN_LIFETIME,
    Grant,
    SigningKey,
    check_token,
    issue_token,
    new_signing_key,
    signing_key,
)
from gateway.tokens.assertions import (
    Assertion,
    claimed_client,
    import_key_set,
    verify_assertion,
)
from gateway.tokens.dpop import Proof, verify_proof
from gateway.tokens.jose import PublicKey, Refused, import_public_key
from shared.kit.database import AnySession, Database, Session
from shared.kit.problems import TooManyRequests


class TokenKeys:
    """The keys of access tokens in one process.

    Each process signs with a key of its own, whose private half exists in its memory alone; the
    public halves lie in the database, where every replica finds them for as long as tokens live.
    """

    def __init__(self) -> None:
        self._own: list[SigningKey] = []
        self._public: dict[str, tuple[PublicKey, datetime]] = {}
        self._lock = asyncio.Lock()

    async def signing(self, database: Database, *, now: datetime) -> SigningKey:
        """The key to sign with; a new one is published before it signs."""
        async with self._lock:
            key = signing_key(self._own, now=now)
            if key is None:
                key = new_signing_key(now=now)
                async with database.transaction() as session:
                    await repository.insert_token_key(
                        session, kid=key.kid, jwk=key.jwk(), created_at=now
                    )
                self._own = [key]
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


@dataclass(frozen=True, slots=True)
class IssuedToken:
    access_token: str
    scopes: tuple[str, ...]
    verdict: Verdict


async def issue(
    session: Session,
    *,
    request: TokenRequest,
    proofs: Sequence[str],
    token_url: str,
    issuer: str,
    key: SigningKey,
    limiter: Limiter,
    token_id: str,
    now: datetime,
) -> IssuedToken:
    """Authenticates the client and binds a token to the key of its proof.

    Raises the `OAuthError` that says what failed; nothing is used up then.
    """
    partner, assertion = await _authenticate(session, request=request, issuer=issuer, now=now)
    verdict = limiter.take(partner.partner_id, limit_per_minute=partner.rate_limit_per_minute)
    if not verdict.allowed:
        raise TooManyTokens(headers=headers(verdict))
    try:
        proof = verify_proof(proofs, method="POST", url=token_url, access_token=None, now=now)
    except Refused as refusal:
        raise ProofRefused(f"DPoP: {refusal}") from refusal
    if not await _is_first_use(session, assertion):
        raise ClientRefused("The client assertion was used before")
    id_hash = used_id_hash(kind="dpop", owner=proof.thumbprint, jti=proof.jti)
    if not await repository.use_id(session, id_hash=id_hash, kept_until=proof.kept_until):
        raise ProofRefused("DPoP: the proof was used before")
    token = issue_token(
        key=key,
        issuer=issuer,
        client_id=partner.partner_id,
        scopes=request.scopes,
        thumbprint=proof.thumbprint,
        token_id=token_id,
        now=now,
    )
    return IssuedToken(access_token=token, scopes=request.scopes, verdict=verdict)


async def _authenticate(
    session: Session, *, request: TokenRequest, issuer: str, now: datetime
) -> tuple[Partner, Assertion]:
    try:
        client_id = claimed_client(request.assertion)
        if request.client_id not in {None, client_id}:
            raise Refused("client_id names another client")
        partner = await find_partner(session, partner_id=client_id)
        # The same words for both: nobody learns here which clients exist.
        if partner is None or partner.state != "active":
            raise Refused("the client is not known or not active")
        assertion = verify_assertion(
            request.assertion,
            client_id=client_id,
            keys=import_key_set(partner.jwks),
            issuer=issuer,
            now=now,
        )
    except Refused as refusal:
        raise ClientRefused(f"client_assertion: {refusal}") from refusal
    return partner, assertion


async def _is_first_use(session: Session, assertion: Assertion) -> bool:
    id_hash = used_id_hash(kind="assertion", owner=assertion.client_id, jti=assertion.jti)
    return await repository.use_id(session, id_hash=id_hash, kept_until=assertion.kept_until)


def check_call(
    *,
    token: str,
    proofs: Sequence[str],
    method: str,
    url: str,
    keys: Mapping[str, PublicKey],
    issuer: str,
    now: datetime,
) -> tuple[Grant, Proof]:
    """Token and proof of one call, as far as they can be checked without the database.

    Raises `TokenRefused` and `CallProofRefused`.
    """
    try:
        grant = check_token(token, keys=keys, issuer=issuer, now=now)
    except Refused as refusal:
        raise refused_token(str(refusal)) from refusal
    try:
        proof = verify_proof(proofs, method=method, url=url, access_token=token, now=now)
    except Refused as refusal:
        raise refused_proof(str(refusal)) from refusal
    if proof.thumbprint != grant.thumbprint:
        raise refused_token("it is bound to another key")
    return grant, proof


async def admit(session: AnySession, *, grant: Grant, proof: Proof, limiter: Limiter) -> Verdict:
    """Uses up the proof and one call of the partner's rate.

    Raises `CallProofRefused` for a proof that was seen, `TokenRefused` for a partner that is
    suspended. The verdict may be that there were too many calls.
    """
    admission = await repository.admit(
        session,
        partner_id=grant.client_id,
        id_hash=used_id_hash(kind="dpop", owner=proof.thumbprint, jti=proof.jti),
        kept_until=proof.kept_until,
    )
    if admission is None or admission.state != "active":
        raise refused_token("its client is not active")
    if not admission.is_first_use:
        raise refused_proof("the proof was used before")
    return limiter.take(grant.client_id, limit_per_minute=admission.rate_limit_per_minute)


def refused_token(reason: str) -> TokenRefused:
    return TokenRefused(
        f"The access token is refused: {reason}",
        headers={"WWW-Authenticate": challenge("invalid_token", reason)},
    )


def refused_proof(reason: str) -> CallProofRefused:
    return CallProofRefused(
        f"The DPoP proof is refused: {reason}",
        headers={"WWW-Authenticate": challenge("invalid_dpop_proof", reason)},
    )


def too_many(verdict: Verdict) -> TooManyRequests:
    return TooManyRequests(
        f"The partner may make {verdict.limit} calls a minute", headers=headers(verdict)
    )


async def tidy(session: Session, *, now: datetime) -> int:
    """Forgets what time has made useless; how many ids went."""
    await repository.forget_token_keys(session, before=now - KEEP_PERIOD)
    return await repository.forget_used_ids(session, now=now)
