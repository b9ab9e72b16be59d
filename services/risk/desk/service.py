"""Use cases of the desk's sessions, each inside one transaction."""

from datetime import datetime

from services.risk.desk import repository
from services.risk.desk.domain import Staff, session_hash
from shared.kit.database import Session


async def begin_session(session: Session, *, cookie: str, staff: Staff) -> None:
    """`cookie` is new: what a browser held before signing in is worth nothing afterwards."""
    await repository.insert_session(session, session_hash=session_hash(cookie), staff=staff)


async def staff_of(session: Session, *, cookie: str, now: datetime) -> Staff | None:
    """Who holds the cookie; None where the session is over or never was."""
    return await repository.find_session(session, session_hash=session_hash(cookie), now=now)


async def end_session(session: Session, *, cookie: str) -> None:
    await repository.delete_session(session, session_hash=session_hash(cookie))


async def tidy(session: Session, *, now: datetime) -> None:
    """Forget sessions that are over."""
    await repository.forget_sessions(session, now=now)
