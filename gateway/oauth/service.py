"""Use cases of tokens: issue one for a client or for a customer's grant, admit a call with one."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.grants import service as grants
from gateway.grants.domain import CustomerGrant, subject_of
from gateway.limits.domain import Verdict, headers, verdict_of, words
from gateway.limits.service import take_call
from gateway.oauth import repository
from gateway.oauth.authentication import authenticate, prove
from gateway.oauth.domain import (
    TOKEN_PATH,
    CallNonceMissing,
    CallProofRefused,
    ClientCredentials,
    CodeExchange,
    Credentials,
    Refresh,
    ScopeRefused,
    TokenRefused,
    TokenRequest,
    TooManyTokens,
    challenge,
    used_id_hash,
)
from gateway.registrations.domain import Client
from gateway.tokens.access import KEEP_PERIOD, TOKEN_LIFETIME, Grant, SigningKey, check_token
from gateway.tokens.access import issue_token as signed_token
from gateway.tokens.dpop import NonceNeeded, Proof, verify_proof
from gateway.tokens.jose import PublicKey, Refused
from gateway.tokens.nonces import Nonces
from gateway.tokens.signed import SignIn
from shared.kit.database import AnySession, Session
from shared.kit.problems import TooManyRequests

REFRESH_TOKEN_BYTES = 32
TOKEN_ENDPOINT = f"POST {TOKEN_PATH}"


@dataclass(frozen=True, slots=True)
class Asked:
    """One token request as it came in."""

    credentials: Credentials
    request: TokenRequest
    proofs: Sequence[str]
    url: str


@dataclass(frozen=True, slots=True)
class Issuing:
    """What issuing takes of the running gateway."""

    issuer: str
    key: SigningKey
    nonces: Nonces
    subject_secret: bytes


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """`sign_in`, `nonce` and `intent_id` are what an ID token says beside the access token."""

    client: Client
    access_token: str
    scopes: tuple[str, ...]
    verdict: Verdict
    refresh_token: str | None = None
    sign_in: SignIn | None = None
    nonce: str | None = None
    intent_id: str | None = None


async def issue(
    session: Session, *, asked: Asked, by: Issuing, token_id: str, now: datetime
) -> IssuedToken:
    """Authenticates the client and binds a token to the key of its proof.

    Raises the `OAuthError` that says what failed, and `GrantInvalid`; nothing is used up then.
    """
    client = await authenticate(session, credentials=asked.credentials, issuer=by.issuer, now=now)
    proof = await prove(
        session, client=client, proofs=asked.proofs, url=asked.url, nonces=by.nonces, now=now
    )
    # After what is used once, as a call does it too: two that wait cannot wait for each other.
    verdict = await take_call(
        session, partner_id=client.partner_id, endpoint=TOKEN_ENDPOINT, now=now
    )
    if not verdict.allowed:
        raise TooManyTokens(words(verdict), headers=headers(verdict))
    token = _Token(client=client, proof=proof, by=by, token_id=token_id, verdict=verdict, now=now)
    match asked.request:
        case ClientCredentials(scopes=scopes):
            if not set(scopes) <= set(client.scopes):
                raise ScopeRefused("The client may not ask for this scope")
            return token.of_client(scopes)
        case CodeExchange() as exchange:
            return await _exchange(session, exchange=exchange, token=token)
        case Refresh() as refresh:
            return await _refresh(session, refresh=refresh, token=token)


@dataclass(frozen=True, slots=True)
class _Token:
    """A token in the making: everything but what it is for."""

    client: Client
    proof: Proof
    by: Issuing
    token_id: str
    verdict: Verdict
    now: datetime

    def of_client(self, scopes: tuple[str, ...]) -> IssuedToken:
        return IssuedToken(self.client, self._signed(scopes), scopes, self.verdict)

    def of_grant(
        self,
        grant: CustomerGrant,
        scopes: tuple[str, ...],
        *,
        refresh_token: str | None = None,
        nonce: str | None = None,
        intent_id: str | None = None,
    ) -> IssuedToken:
        subject = subject_of(
            grant.customer_id, partner_id=self.client.partner_id, secret=self.by.subject_secret
        )
        return IssuedToken(
            client=self.client,
            access_token=self._signed(scopes, subject=subject, grant=grant),
            scopes=scopes,
            verdict=self.verdict,
            refresh_token=refresh_token,
            sign_in=SignIn(subject, grant.acr, grant.authenticated_at),
            nonce=nonce,
            intent_id=intent_id,
        )

    def _signed(
        self,
        scopes: tuple[str, ...],
        *,
        subject: str | None = None,
        grant: CustomerGrant | None = None,
    ) -> str:
        return signed_token(
            key=self.by.key,
            issuer=self.by.issuer,
            client_id=self.client.client_id,
            scopes=scopes,
            thumbprint=self.proof.thumbprint,
            token_id=self.token_id,
            now=self.now,
            subject=subject,
            grant_id=grant.grant_id if grant else None,
        )


async def _exchange(session: Session, *, exchange: CodeExchange, token: _Token) -> IssuedToken:
    refresh_token = secrets.token_urlsafe(REFRESH_TOKEN_BYTES)
    redeemed = await grants.redeem(
        session,
        secret=exchange.code,
        client_id=token.client.client_id,
        redirect_uri=exchange.redirect_uri,
        verifier=exchange.verifier,
        thumbprint=token.proof.thumbprint,
        refresh_token=refresh_token,
        now=token.now,
    )
    return token.of_grant(
        redeemed.grant,
        tuple(redeemed.grant.scopes),
        refresh_token=refresh_token,
        nonce=redeemed.code.nonce,
        intent_id=redeemed.code.intent_id,
    )


async def _refresh(session: Session, *, refresh: Refresh, token: _Token) -> IssuedToken:
    """The refresh token stays as it is (FAPI 2.0, 5.3.2.1): rotation loses it to a lost answer."""
    grant = await grants.refresh(
        session,
        refresh_token=refresh.refresh_token,
        client_id=token.client.client_id,
        now=token.now,
    )
    if refresh.scopes is not None and not refresh.scopes <= set(grant.scopes):
        raise ScopeRefused("scope may name no more than the customer allowed")
    wanted = refresh.scopes if refresh.scopes is not None else frozenset(grant.scopes)
    return token.of_grant(grant, tuple(scope for scope in grant.scopes if scope in wanted))


def check_call(
    *,
    token: str,
    proofs: Sequence[str],
    method: str,
    url: str,
    keys: Mapping[str, PublicKey],
    issuer: str,
    nonces: Nonces,
    now: datetime,
) -> tuple[Grant, Proof]:
    """Token and proof of one call, as far as they can be checked without the database.

    Raises `TokenRefused`, `CallProofRefused` and `CallNonceMissing`.
    """
    try:
        grant = check_token(token, keys=keys, issuer=issuer, now=now)
    except Refused as refusal:
        raise refused_token(str(refusal)) from refusal
    try:
        proof = verify_proof(
            proofs, method=method, url=url, access_token=token, now=now, nonces=nonces
        )
    except NonceNeeded as refusal:
        raise nonce_missing(nonces, now=now) from refusal
    except Refused as refusal:
        raise refused_proof(str(refusal)) from refusal
    if proof.thumbprint != grant.thumbprint:
        raise refused_token("it is bound to another key")
    return grant, proof


@dataclass(frozen=True, slots=True)
class Admitted:
    partner_id: str
    verdict: Verdict
    #: Whether this client's proofs need a nonce of ours, by its own wish.
    needs_nonce: bool


async def admit(
    session: AnySession, *, grant: Grant, proof: Proof, endpoint: str, now: datetime
) -> Admitted:
    """Uses up the proof and one call of each limit that the call is under.

    Raises `CallProofRefused` for a proof that was seen, `TokenRefused` for a client that is not
    active and a token that was revoked. The verdict may be that there were too many calls.
    """
    admission = await repository.admit(
        session,
        client_id=grant.client_id,
        id_hash=used_id_hash(kind="dpop", owner=proof.thumbprint, jti=proof.jti),
        kept_until=proof.kept_until,
        token_hash=revocation_hash(grant),
        consent=str(grant.grant_id) if grant.grant_id is not None else None,
        endpoint=endpoint,
        now=now,
    )
    if admission is None or not admission.is_active:
        raise refused_token("its client is not active")
    if admission.is_revoked:
        raise refused_token("it was revoked")
    if not admission.is_first_use:
        raise refused_proof("the proof was used before")
    verdict = verdict_of(
        admission.refused, limits=admission.limits, standing=admission.standing, now=now
    )
    return Admitted(admission.partner_id, verdict, admission.needs_nonce)


def revocation_hash(grant: Grant) -> bytes:
    """Under what the revocation of one access token is remembered."""
    return used_id_hash(kind="revoked", owner=grant.client_id, jti=grant.token_id)


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


def nonce_missing(nonces: Nonces, *, now: datetime) -> CallNonceMissing:
    words = "a fresh nonce of this server is needed"
    return CallNonceMissing(
        f"The DPoP proof is refused: {words}",
        headers={
            "WWW-Authenticate": challenge("use_dpop_nonce", words),
            "DPoP-Nonce": nonces.new(now=now),
        },
    )


def too_many(verdict: Verdict) -> TooManyRequests:
    return TooManyRequests(words(verdict), headers=headers(verdict))


def expires_in_s() -> int:
    return int(TOKEN_LIFETIME / timedelta(seconds=1))


async def tidy(session: Session, *, now: datetime) -> int:
    """Forgets what time has made useless; how many ids went."""
    await repository.forget_token_keys(session, before=now - KEEP_PERIOD)
    return await repository.forget_used_ids(session, now=now)
