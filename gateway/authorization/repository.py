"""SQL of pushed requests and of the authorization page's sessions."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, insert, select, update

from gateway.authorization.domain import AuthorizationRequest, PageSession, restored
from gateway.models import authorization_sessions as sessions
from gateway.models import pushed_requests as requests
from shared.kit.database import Session

#: Rows that one statement of the tidying deletes.
TIDY_BATCH = 5_000


@dataclass(frozen=True, slots=True)
class Pushed:
    request: AuthorizationRequest
    expires_at: datetime
    is_used: bool


async def insert_request(
    session: Session, *, request_hash: bytes, request: AuthorizationRequest, expires_at: datetime
) -> None:
    await session.execute(
        insert(requests).values(
            request_hash=request_hash,
            client_id=request.client_id,
            request=request.stored(),
            expires_at=expires_at,
        )
    )


async def find_request(session: Session, *, request_hash: bytes, client_id: str) -> Pushed | None:
    """The client's own request: another client's is not found."""
    statement = select(requests.c.request, requests.c.expires_at, requests.c.used_at).where(
        requests.c.request_hash == request_hash, requests.c.client_id == client_id
    )
    row = (await session.execute(statement)).first()
    if row is None:
        return None
    return Pushed(restored(row.request), row.expires_at, row.used_at is not None)


async def use_request(session: Session, *, request_hash: bytes, at: datetime) -> bool:
    """False where it was used before."""
    statement = (
        update(requests)
        .where(requests.c.request_hash == request_hash, requests.c.used_at.is_(None))
        .values(used_at=at)
        .returning(requests.c.request_hash)
    )
    return (await session.execute(statement)).first() is not None


async def insert_session(
    session: Session, *, session_hash: bytes, request_hash: bytes, page: PageSession
) -> None:
    await session.execute(
        insert(sessions).values(
            session_hash=session_hash,
            request_hash=request_hash,
            customer_id=page.customer_id,
            method=page.method,
            signed_in_at=page.signed_in_at,
            challenge_id=page.challenge_id,
            expires_at=page.expires_at,
        )
    )


async def find_session(
    session: Session, *, session_hash: bytes, request_hash: bytes, now: datetime
) -> PageSession | None:
    """A live session for this very request."""
    statement = select(sessions).where(
        sessions.c.session_hash == session_hash,
        sessions.c.request_hash == request_hash,
        sessions.c.expires_at > now,
    )
    row = (await session.execute(statement)).first()
    if row is None:
        return None
    return PageSession(
        customer_id=row.customer_id,
        method=row.method,
        signed_in_at=row.signed_in_at,
        challenge_id=row.challenge_id,
        expires_at=row.expires_at,
    )


async def set_challenge(session: Session, *, session_hash: bytes, challenge_id: UUID) -> None:
    statement = update(sessions).where(sessions.c.session_hash == session_hash)
    await session.execute(statement.values(challenge_id=challenge_id))


async def delete_sessions(session: Session, *, request_hash: bytes) -> None:
    await session.execute(delete(sessions).where(sessions.c.request_hash == request_hash))


async def forget_requests(session: Session, *, before: datetime) -> int:
    """Delete a bounded number of requests that ended before, with their sessions."""
    old = select(requests.c.request_hash).where(requests.c.expires_at < before).limit(TIDY_BATCH)
    statement = delete(requests).where(requests.c.request_hash.in_(old.scalar_subquery()))
    return (await session.execute(statement)).rowcount
