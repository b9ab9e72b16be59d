"""SQL of passkeys and their challenges."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from services.identity.models import passkey_challenges as challenges
from services.identity.models import passkeys
from services.identity.passkeys.domain import Challenge, StoredPasskey
from shared.kit.database import Session

RETENTION_BATCH = 5_000


def _passkey(row: Row[Any]) -> StoredPasskey:
    return StoredPasskey(
        credential_id=bytes(row.credential_id),
        customer_id=row.customer_id,
        public_key=bytes(row.public_key),
        sign_count=row.sign_count,
        name=row.name,
        created_at=row.created_at,
        last_used_at=row.last_used_at,
    )


async def insert_challenge(session: Session, *, challenge: Challenge) -> None:
    await session.execute(
        insert(challenges).values(
            challenge_id=challenge.challenge_id,
            customer_id=challenge.customer_id,
            purpose=challenge.purpose,
            nonce=challenge.nonce,
            expires_at=challenge.expires_at,
        )
    )


async def challenge_locked(session: Session, *, challenge_id: UUID) -> Challenge | None:
    """The challenge; nobody else answers it until the transaction ends."""
    statement = select(challenges).where(challenges.c.challenge_id == challenge_id)
    row = (await session.execute(statement.with_for_update())).first()
    if row is None:
        return None
    return Challenge(
        challenge_id=row.challenge_id,
        customer_id=row.customer_id,
        purpose=row.purpose,
        nonce=bytes(row.nonce),
        expires_at=row.expires_at,
        used_at=row.used_at,
    )


async def use_challenge(session: Session, *, challenge_id: UUID, at: datetime) -> None:
    statement = update(challenges).where(challenges.c.challenge_id == challenge_id)
    await session.execute(statement.values(used_at=at))


async def insert_passkey(session: Session, *, passkey: StoredPasskey) -> bool:
    """False where it is registered already, whoever has it."""
    statement = (
        insert(passkeys)
        .values(
            credential_id=passkey.credential_id,
            customer_id=passkey.customer_id,
            public_key=passkey.public_key,
            sign_count=passkey.sign_count,
            name=passkey.name,
            created_at=passkey.created_at,
        )
        .on_conflict_do_nothing()
        .returning(passkeys.c.credential_id)
    )
    return (await session.execute(statement)).first() is not None


async def find_passkey(session: Session, *, credential_id: bytes) -> StoredPasskey | None:
    statement = select(passkeys).where(passkeys.c.credential_id == credential_id)
    row = (await session.execute(statement.with_for_update())).first()
    return _passkey(row) if row else None


async def passkeys_of(session: Session, *, customer_id: str) -> list[StoredPasskey]:
    statement = select(passkeys).where(passkeys.c.customer_id == customer_id)
    rows = await session.execute(statement.order_by(passkeys.c.created_at))
    return [_passkey(row) for row in rows]


async def count_passkeys(session: Session, *, customer_id: str) -> int:
    statement = select(func.count()).where(passkeys.c.customer_id == customer_id)
    return int((await session.execute(statement)).scalar_one())


async def note_use(
    session: Session, *, credential_id: bytes, sign_count: int, at: datetime
) -> None:
    statement = update(passkeys).where(passkeys.c.credential_id == credential_id)
    await session.execute(statement.values(sign_count=sign_count, last_used_at=at))


async def delete_passkey(session: Session, *, credential_id: bytes, customer_id: str) -> bool:
    statement = (
        delete(passkeys)
        .where(passkeys.c.credential_id == credential_id, passkeys.c.customer_id == customer_id)
        .returning(passkeys.c.credential_id)
    )
    return (await session.execute(statement)).first() is not None


async def forget_challenges(session: Session, *, before: datetime) -> int:
    """Delete a bounded number of challenges that ended earlier; how many they were."""
    old = (
        select(challenges.c.challenge_id)
        .where(challenges.c.expires_at < before)
        .limit(RETENTION_BATCH)
    )
    statement = delete(challenges)
    statement = statement.where(challenges.c.challenge_id.in_(old.scalar_subquery()))
    return (await session.execute(statement)).rowcount
