"""SQL of credentials, attempts, sessions and staff."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert

from services.identity.models import (
    customer_credentials,
    sign_in_attempts,
    sign_in_sessions,
    staff,
)
from services.identity.sign_in.domain import Attempts, SignInSession
from shared.kit.database import Session

Realm = Literal["customer", "staff"]
#: Rows that one statement of the retention deletes.
RETENTION_BATCH = 5_000


async def login_name_owner(session: Session, login_name: str) -> str | None:
    """The customer who signs in under this name."""
    statement = select(customer_credentials.c.customer_id)
    statement = statement.where(customer_credentials.c.login_name == login_name)
    return (await session.execute(statement)).scalar_one_or_none()


async def set_credentials(
    session: Session, *, customer_id: str, login_name: str, password_hash: str, now: datetime
) -> None:
    new = {"login_name": login_name, "password_hash": password_hash, "set_at": now}
    statement = insert(customer_credentials).values(customer_id=customer_id, **new)
    await session.execute(statement.on_conflict_do_update(index_elements=["customer_id"], set_=new))


async def customer_by_login(session: Session, login_name: str) -> Any | None:
    """`customer_id` and `password_hash`, or None."""
    statement = select(customer_credentials.c.customer_id, customer_credentials.c.password_hash)
    statement = statement.where(customer_credentials.c.login_name == login_name)
    return (await session.execute(statement)).first()


async def staff_by_login(session: Session, login_name: str) -> Any | None:
    return (await session.execute(select(staff).where(staff.c.login_name == login_name))).first()


async def staff_member(session: Session, staff_id: str) -> Any | None:
    return (await session.execute(select(staff).where(staff.c.staff_id == staff_id))).first()


async def insert_staff(
    session: Session,
    *,
    staff_id: str,
    login_name: str,
    password_hash: str,
    roles: Sequence[str],
    now: datetime,
) -> bool:
    """Store a member of staff; False where the id or the login name is taken."""
    statement = (
        insert(staff)
        .values(
            staff_id=staff_id,
            login_name=login_name,
            password_hash=password_hash,
            roles=list(roles),
            registered_at=now,
        )
        .on_conflict_do_nothing()
        .returning(staff.c.staff_id)
    )
    return (await session.execute(statement)).first() is not None


def _attempts_of(realm: Realm, name_hash: bytes) -> Any:
    columns = sign_in_attempts.c
    return (columns.realm == realm) & (columns.name_hash == name_hash)


async def attempts_locked(session: Session, *, realm: Realm, name_hash: bytes) -> Attempts:
    """What is known of the tries under a name; nobody else counts until the transaction ends."""
    first = insert(sign_in_attempts).values(realm=realm, name_hash=name_hash, failures=0)
    await session.execute(first.on_conflict_do_nothing())
    statement = select(sign_in_attempts).where(_attempts_of(realm, name_hash)).with_for_update()
    row = (await session.execute(statement)).one()
    return Attempts(failures=row.failures, last_at=row.last_at, locked_until=row.locked_until)


async def keep_attempts(
    session: Session, *, realm: Realm, name_hash: bytes, attempts: Attempts
) -> None:
    statement = update(sign_in_attempts).where(_attempts_of(realm, name_hash))
    await session.execute(
        statement.values(
            failures=attempts.failures,
            last_at=attempts.last_at,
            locked_until=attempts.locked_until,
        )
    )


async def forget_attempts(session: Session, *, realm: Realm, name_hash: bytes) -> None:
    await session.execute(delete(sign_in_attempts).where(_attempts_of(realm, name_hash)))


async def insert_session(session: Session, *, token_hash: bytes, opened: SignInSession) -> None:
    statement = insert(sign_in_sessions).values(
        token_hash=token_hash,
        customer_id=opened.customer_id,
        started_at=opened.started_at,
        last_used_at=opened.last_used_at,
        device=opened.device,
    )
    await session.execute(statement)


def _session(row: Any) -> SignInSession:
    return SignInSession(
        customer_id=row.customer_id,
        started_at=row.started_at,
        last_used_at=row.last_used_at,
        ended_at=row.ended_at,
        session_id=row.session_id,
        device=row.device,
    )


async def session_by_token(session: Session, token_hash: bytes) -> SignInSession | None:
    statement = select(sign_in_sessions).where(sign_in_sessions.c.token_hash == token_hash)
    row = (await session.execute(statement)).first()
    return _session(row) if row else None


async def sessions_of(
    session: Session, *, customer_id: str, since: datetime, limit: int
) -> list[SignInSession]:
    """The customer's sessions that began since and were not ended, the youngest first."""
    statement = (
        select(sign_in_sessions)
        .where(sign_in_sessions.c.customer_id == customer_id)
        .where(sign_in_sessions.c.started_at > since)
        .where(sign_in_sessions.c.ended_at.is_(None))
        .order_by(sign_in_sessions.c.started_at.desc())
        .limit(limit)
    )
    return [_session(row) for row in await session.execute(statement)]


async def end_session_of(
    session: Session, *, customer_id: str, session_id: UUID, now: datetime
) -> None:
    statement = (
        update(sign_in_sessions)
        .where(sign_in_sessions.c.session_id == session_id)
        .where(sign_in_sessions.c.customer_id == customer_id)
        .where(sign_in_sessions.c.ended_at.is_(None))
    )
    await session.execute(statement.values(ended_at=now))


async def keep_last_use(session: Session, *, token_hash: bytes, at: datetime) -> None:
    statement = update(sign_in_sessions).where(sign_in_sessions.c.token_hash == token_hash)
    await session.execute(statement.values(last_used_at=at))


async def end_session(session: Session, *, token_hash: bytes, now: datetime) -> None:
    statement = (
        update(sign_in_sessions)
        .where(sign_in_sessions.c.token_hash == token_hash)
        .where(sign_in_sessions.c.ended_at.is_(None))
    )
    await session.execute(statement.values(ended_at=now))


async def end_sessions_of(session: Session, *, customer_id: str, now: datetime) -> None:
    statement = (
        update(sign_in_sessions)
        .where(sign_in_sessions.c.customer_id == customer_id)
        .where(sign_in_sessions.c.ended_at.is_(None))
    )
    await session.execute(statement.values(ended_at=now))


async def forget_old_attempts(session: Session, *, before: datetime) -> int:
    """Delete a bounded number of rows whose last try is older; how many they were."""
    old = (
        select(sign_in_attempts.c.realm, sign_in_attempts.c.name_hash)
        .where(sign_in_attempts.c.last_at < before)
        .limit(RETENTION_BATCH)
        .subquery()
    )
    done = await session.execute(
        delete(sign_in_attempts)
        .where(sign_in_attempts.c.realm == old.c.realm)
        .where(sign_in_attempts.c.name_hash == old.c.name_hash)
        .where(sign_in_attempts.c.last_at < before)
    )
    return done.rowcount


async def forget_old_sessions(session: Session, *, before: datetime) -> int:
    """Delete a bounded number of sessions that began earlier; how many they were."""
    old = (
        select(sign_in_sessions.c.token_hash)
        .where(sign_in_sessions.c.started_at < before)
        .limit(RETENTION_BATCH)
    )
    statement = delete(sign_in_sessions)
    statement = statement.where(sign_in_sessions.c.token_hash.in_(old.scalar_subquery()))
    return (await session.execute(statement)).rowcount
