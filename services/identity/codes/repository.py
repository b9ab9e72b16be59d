"""SQL of one-time codes."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from services.identity.codes.domain import OneTimeCode
from services.identity.models import one_time_codes
from shared.kit.database import Session

RETENTION_BATCH = 5_000
#: Names the lock among those that a database may hold for other things.
_LOCK = 0x636F6465


async def lock_customer(session: Session, customer_id: str) -> None:
    """One code at a time for a customer, so that two at once are both counted."""
    key = func.hashtextextended(customer_id, _LOCK)
    await session.execute(select(func.pg_advisory_xact_lock(key)))


async def sent_since(session: Session, *, customer_id: str, since: datetime) -> list[datetime]:
    """When codes were sent to the customer, after `since`."""
    statement = (
        select(one_time_codes.c.sent_at)
        .where(one_time_codes.c.customer_id == customer_id)
        .where(one_time_codes.c.sent_at > since)
    )
    return list((await session.execute(statement)).scalars())


async def insert_code(session: Session, code: OneTimeCode) -> None:
    await session.execute(
        insert(one_time_codes).values(
            challenge_id=code.challenge_id,
            customer_id=code.customer_id,
            purpose=code.purpose,
            subject=code.subject,
            code_hash=code.code_hash,
            sent_at=code.sent_at,
            tries=code.tries,
        )
    )


async def code_locked(session: Session, challenge_id: UUID) -> OneTimeCode | None:
    """The code; nobody else tries it until the transaction ends."""
    statement = select(one_time_codes).where(one_time_codes.c.challenge_id == challenge_id)
    row = (await session.execute(statement.with_for_update())).first()
    if row is None:
        return None
    return OneTimeCode(
        challenge_id=row.challenge_id,
        customer_id=row.customer_id,
        purpose=row.purpose,
        subject=row.subject,
        code_hash=bytes(row.code_hash),
        sent_at=row.sent_at,
        tries=row.tries,
        verified_at=row.verified_at,
    )


async def keep_try(session: Session, code: OneTimeCode) -> None:
    statement = update(one_time_codes).where(one_time_codes.c.challenge_id == code.challenge_id)
    await session.execute(statement.values(tries=code.tries, verified_at=code.verified_at))


async def forget_old_codes(session: Session, *, before: datetime) -> int:
    """Delete a bounded number of codes that were sent earlier; how many they were."""
    old = (
        select(one_time_codes.c.challenge_id)
        .where(one_time_codes.c.sent_at < before)
        .limit(RETENTION_BATCH)
    )
    statement = delete(one_time_codes)
    statement = statement.where(one_time_codes.c.challenge_id.in_(old.scalar_subquery()))
    return (await session.execute(statement)).rowcount
