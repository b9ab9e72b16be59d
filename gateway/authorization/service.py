"""Use cases of authorization requests, each inside one transaction."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from gateway.authorization import domain, repository
from gateway.authorization.domain import (
    REQUEST_LIFETIME,
    REQUEST_URI_PREFIX,
    SESSION_LIFETIME,
    AuthorizationRequest,
    PageSession,
    PushRefused,
    RequestObjectRefused,
    request_hash,
    session_hash,
)
from gateway.grants import kinds
from gateway.grants import service as grants
from gateway.grants.domain import CODE_LIFETIME, MAX_LIFETIME, Code, CustomerGrant
from gateway.grants.kinds import ConsentKind, ConsentRefused, Described
from gateway.limits.domain import headers, words
from gateway.limits.service import take_call
from gateway.oauth.authentication import authenticate, prove
from gateway.oauth.domain import Credentials, TooManyTokens
from gateway.registrations.domain import Client
from gateway.registrations.repository import find_client
from gateway.tokens.assertions import import_key_set
from gateway.tokens.jose import Refused
from gateway.tokens.nonces import Nonces
from gateway.tokens.request_objects import read_request_object
from shared.kit.database import Session

SECRET_BYTES = 32
#: How long an ended request is remembered.
KEEP_REQUESTS = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Pushing:
    """A request as it was pushed: its form, and what shows who sent it."""

    given: Mapping[str, str]
    credentials: Credentials
    proofs: Sequence[str]
    url: str
    issuer: str
    nonces: Nonces


async def push(session: Session, *, pushing: Pushing, now: datetime) -> str:
    """Stores a request of an authenticated client; the `request_uri` that names it.

    Raises the `OAuthError` that says what is wrong with it.
    """
    client = await authenticate(
        session, credentials=pushing.credentials, issuer=pushing.issuer, now=now
    )
    proof_jkt = None
    if pushing.proofs:
        proof = await prove(
            session,
            client=client,
            proofs=pushing.proofs,
            url=pushing.url,
            nonces=pushing.nonces,
            now=now,
        )
        proof_jkt = proof.thumbprint
    verdict = await take_call(
        session, partner_id=client.partner_id, endpoint=f"POST {domain.PUSHED_PATH}", now=now
    )
    if not verdict.allowed:
        raise TooManyTokens(words(verdict), headers=headers(verdict))
    domain.outside_of(pushing.given, client=client)
    parameters = _parameters(pushing, client, now)
    request = domain.read_request(parameters, client=client, proof_jkt=proof_jkt)
    await _check_consent(session, request=request, client=client, now=now)
    request_uri = REQUEST_URI_PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    await repository.insert_request(
        session,
        request_hash=request_hash(request_uri),
        request=request,
        expires_at=now + REQUEST_LIFETIME,
    )
    return request_uri


def _parameters(pushing: Pushing, client: Client, now: datetime) -> Mapping[str, Any]:
    """What counts: in a signed request nothing that stands beside it (RFC 9101, 6.3)."""
    if "request" not in pushing.given:
        return domain.unsigned_parameters(pushing.given)
    try:
        return read_request_object(
            pushing.given["request"],
            client_id=client.client_id,
            keys=import_key_set(client.jwks),
            issuer=pushing.issuer,
            now=now,
        )
    except Refused as refusal:
        raise RequestObjectRefused(f"request: {refusal}") from refusal


async def _check_consent(
    session: Session, *, request: AuthorizationRequest, client: Client, now: datetime
) -> None:
    try:
        await _kind(session, request=request, client=client, now=now)
    except ConsentRefused as refusal:
        raise PushRefused(refusal.detail) from refusal


async def _kind(
    session: Session, *, request: AuthorizationRequest, client: Client, now: datetime
) -> ConsentKind | None:
    return await kinds.kind_of(
        session, scopes=request.scopes, consent_id=request.intent_id, client=client, now=now
    )


class NoSuchRequest(Exception):
    """The address leads to no request that can be decided: nobody is sent anywhere from here."""


@dataclass(frozen=True, slots=True)
class Visit:
    """What is known when a browser comes: the request, who asks, and who has signed in."""

    request: AuthorizationRequest
    client: Client
    kind: ConsentKind | None
    described: Described
    session: PageSession | None


async def visit(
    session: Session, *, request_uri: str, client_id: str, cookie: str | None, now: datetime
) -> Visit:
    """Raises `NoSuchRequest` for what is unknown, another client's, used, or has expired.

    A customer who signed in in time may take longer than the address lives.
    """
    hashed = request_hash(request_uri)
    pushed = await repository.find_request(session, request_hash=hashed, client_id=client_id)
    client = await find_client(session, client_id=client_id)
    if pushed is None or pushed.is_used or client is None or not client.is_active:
        raise NoSuchRequest
    page = None
    if cookie:
        page = await repository.find_session(
            session, session_hash=session_hash(cookie), request_hash=hashed, now=now
        )
    if page is None and now >= pushed.expires_at:
        raise NoSuchRequest
    try:
        kind = await _kind(session, request=pushed.request, client=client, now=now)
        described = await _described(session, kind, pushed.request, client, now)
    except ConsentRefused as refusal:
        raise NoSuchRequest from refusal
    return Visit(pushed.request, client, kind, described, page)


async def _described(
    session: Session,
    kind: ConsentKind | None,
    request: AuthorizationRequest,
    client: Client,
    now: datetime,
) -> Described:
    if kind is None:
        return Described(
            purpose=("确认您的身份", "Learn that you are a customer of this bank"),
            expires_at=now + MAX_LIFETIME,
            choose="none",
        )
    return await kind.describe(session, consent_id=request.intent_id, client=client, now=now)


async def begin_session(
    session: Session, *, request_uri: str, page: PageSession, cookie: str
) -> None:
    """`cookie` is new: what a browser held before signing in is worth nothing afterwards."""
    await repository.insert_session(
        session,
        session_hash=session_hash(cookie),
        request_hash=request_hash(request_uri),
        page=page,
    )


def new_session(customer_id: str, *, by_passkey: bool, now: datetime) -> PageSession:
    return PageSession(
        customer_id=customer_id,
        method="passkey" if by_passkey else "password",
        signed_in_at=now,
        challenge_id=None,
        expires_at=now + SESSION_LIFETIME,
    )


async def note_challenge(session: Session, *, cookie: str, challenge_id: UUID) -> None:
    await repository.set_challenge(
        session, session_hash=session_hash(cookie), challenge_id=challenge_id
    )


async def approve(
    session: Session,
    *,
    visit: Visit,
    page: PageSession,
    request_uri: str,
    accounts: Sequence[str],
    grant_id: UUID,
    now: datetime,
) -> str:
    """The customer agrees: the grant, and the code that leads the client to it.

    Raises `NoSuchRequest` where the request was decided meanwhile, `ConsentRefused`.
    """
    await _use(session, request_uri=request_uri, now=now)
    request = visit.request
    if visit.kind is not None:
        await visit.kind.authorize(
            session,
            consent_id=request.intent_id,
            customer_id=page.customer_id,
            accounts=accounts,
            now=now,
        )
    grant = CustomerGrant(
        grant_id=grant_id,
        client_id=request.client_id,
        customer_id=page.customer_id,
        scopes=request.scopes,
        consent_kind=visit.kind.name if visit.kind else None,
        consent_id=request.intent_id,
        accounts=accounts,
        acr=page.acr,
        authenticated_at=page.signed_in_at,
        stored_state="active",
        created_at=now,
        expires_at=min(visit.described.expires_at, now + MAX_LIFETIME),
    )
    secret = secrets.token_urlsafe(SECRET_BYTES)
    code = Code(
        grant_id=grant_id,
        client_id=request.client_id,
        redirect_uri=request.redirect_uri,
        code_challenge=request.code_challenge,
        dpop_jkt=request.dpop_jkt,
        nonce=request.nonce,
        intent_id=request.intent_id,
        expires_at=now + CODE_LIFETIME,
    )
    await grants.give(session, grant=grant, code=code, secret=secret)
    return secret


async def deny(
    session: Session, *, visit: Visit, page: PageSession | None, request_uri: str, now: datetime
) -> None:
    """The customer refuses. Who has not signed in ends the request, and decides no consent.

    Raises `NoSuchRequest`, `ConsentRefused`.
    """
    await _use(session, request_uri=request_uri, now=now)
    if visit.kind is not None and page is not None:
        await visit.kind.reject(
            session,
            consent_id=visit.request.intent_id,
            customer_id=page.customer_id,
            now=now,
        )


async def _use(session: Session, *, request_uri: str, now: datetime) -> None:
    hashed = request_hash(request_uri)
    if not await repository.use_request(session, request_hash=hashed, at=now):
        raise NoSuchRequest
    await repository.delete_sessions(session, request_hash=hashed)


async def tidy(session: Session, *, now: datetime) -> int:
    return await repository.forget_requests(session, before=now - KEEP_REQUESTS)
