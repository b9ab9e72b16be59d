"""SQL of the consent page's sessions."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, insert, select, update

from gateway.models import page_sessions as sessions
from gateway.pages.domain import PageSession
from shared.kit.database import Session


async def insert_session(session: Session, *, session_hash: bytes, page: PageSession) -> None:
    await session.execute(
        insert(sessions).values(
            session_hash=session_hash,
            consent_id=page.consent_id,
            customer_id=page.customer_id,
            challenge_id=page.challenge_id,
            expires_at=page.expires_at,
        )
    )


async def find_session(
    session: Session, *, session_hash: bytes, consent_id: UUID, now: datetime
) -> PageSession | None:
    """A live session for this very consent."""
    statement = select(
        sessions.c.consent_id,
        sessions.c.customer_id,
        sessions.c.challenge_id,
        sessions.c.expires_at,
    ).where(
        sessions.c.session_hash == session_hash,
        sessions.c.consent_id == consent_id,
        sessions.c.expires_at > now,
    )
    row = (await session.execute(statement)).first()
    return PageSession(*row) if row else None


async def set_challenge(session: Session, *, session_hash: bytes, challenge_id: UUID) -> None:
    await session.execute(
        update(sessions)
        .where(sessions.c.session_hash == session_hash)
        .values(challenge_id=challenge_id)
    )


async def delete_session(session: Session, *, session_hash: bytes) -> None:
    await session.execute(delete(sessions).where(sessions.c.session_hash == session_hash))


async def forget_sessions(session: Session, *, now: datetime) -> None:
    await session.execute(delete(sessions).where(sessions.c.expires_at < now))
