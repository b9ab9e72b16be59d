"""SQL of the desk's sessions."""

from datetime import datetime

from sqlalchemy import delete, insert, select

from services.risk.desk.domain import Staff
from services.risk.desk.models import desk_sessions as sessions
from shared.kit.database import Session


async def insert_session(session: Session, *, session_hash: bytes, staff: Staff) -> None:
    await session.execute(
        insert(sessions).values(
            session_hash=session_hash,
            staff_id=staff.staff_id,
            roles=list(staff.roles),
            expires_at=staff.expires_at,
        )
    )


async def find_session(session: Session, *, session_hash: bytes, now: datetime) -> Staff | None:
    """Whose live session it is."""
    statement = select(sessions.c.staff_id, sessions.c.roles, sessions.c.expires_at).where(
        sessions.c.session_hash == session_hash, sessions.c.expires_at > now
    )
    row = (await session.execute(statement)).first()
    return Staff(row.staff_id, tuple(row.roles), row.expires_at) if row else None


async def delete_session(session: Session, *, session_hash: bytes) -> None:
    await session.execute(delete(sessions).where(sessions.c.session_hash == session_hash))


async def forget_sessions(session: Session, *, now: datetime) -> None:
    await session.execute(delete(sessions).where(sessions.c.expires_at <= now))
