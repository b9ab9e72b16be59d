"""SQL of grants, codes and refresh tokens."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, delete, insert, select, update

from gateway.grants.domain import Code, CustomerGrant
from gateway.models import authorization_codes as codes
from gateway.models import grants
from gateway.models import refresh_tokens as tokens
from shared.kit.database import Session

#: Rows that one statement of the tidying deletes.
TIDY_BATCH = 5_000


def _grant(row: Row[Any]) -> CustomerGrant:
    return CustomerGrant(
        grant_id=row.grant_id,
        client_id=row.client_id,
        customer_id=row.customer_id,
        scopes=row.scopes,
        consent_kind=row.consent_kind,
        consent_id=row.consent_id,
        accounts=row.accounts,
        acr=row.acr,
        authenticated_at=row.authenticated_at,
        stored_state=row.state,
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
    )


async def insert_grant(session: Session, *, grant: CustomerGrant) -> None:
    values = asdict(grant)
    values["state"] = values.pop("stored_state")
    values |= {"scopes": list(grant.scopes), "accounts": list(grant.accounts)}
    await session.execute(insert(grants).values(**values))


async def find_grant(session: Session, *, grant_id: UUID) -> CustomerGrant | None:
    row = (await session.execute(select(grants).where(grants.c.grant_id == grant_id))).first()
    return _grant(row) if row else None


async def grants_of_customer(
    session: Session, *, customer_id: str, before: UUID | None, limit: int
) -> list[CustomerGrant]:
    statement = (
        select(grants)
        .where(grants.c.customer_id == customer_id)
        .order_by(grants.c.grant_id.desc())
        .limit(limit)
    )
    if before is not None:
        statement = statement.where(grants.c.grant_id < before)
    return [_grant(row) for row in await session.execute(statement)]


async def grants_of_consent(
    session: Session, *, consent_kind: str, consent_id: str
) -> Sequence[UUID]:
    statement = select(grants.c.grant_id).where(
        grants.c.consent_kind == consent_kind, grants.c.consent_id == consent_id
    )
    return (await session.execute(statement)).scalars().all()


async def revoke_grant(session: Session, *, grant_id: UUID) -> bool:
    """False where it was revoked already; its refresh tokens go with it."""
    statement = (
        update(grants)
        .where(grants.c.grant_id == grant_id, grants.c.state == "active")
        .values(state="revoked")
        .returning(grants.c.grant_id)
    )
    done = (await session.execute(statement)).first() is not None
    await session.execute(delete(tokens).where(tokens.c.grant_id == grant_id))
    return done


async def touch_grant(session: Session, *, grant_id: UUID, at: datetime) -> None:
    statement = update(grants).where(grants.c.grant_id == grant_id)
    await session.execute(statement.values(last_used_at=at))


async def insert_code(session: Session, *, code_hash: bytes, code: Code) -> None:
    await session.execute(insert(codes).values(code_hash=code_hash, **asdict(code)))


async def find_code(session: Session, *, code_hash: bytes, client_id: str) -> Code | None:
    """The client's own code, its row locked: two exchanges at once have one effect."""
    statement = (
        select(codes)
        .where(codes.c.code_hash == code_hash, codes.c.client_id == client_id)
        .with_for_update()
    )
    row = (await session.execute(statement)).first()
    if row is None:
        return None
    return Code(
        grant_id=row.grant_id,
        client_id=row.client_id,
        redirect_uri=row.redirect_uri,
        code_challenge=row.code_challenge,
        dpop_jkt=row.dpop_jkt,
        nonce=row.nonce,
        intent_id=row.intent_id,
        expires_at=row.expires_at,
        used_at=row.used_at,
    )


async def use_code(session: Session, *, code_hash: bytes, at: datetime) -> None:
    statement = update(codes).where(codes.c.code_hash == code_hash).values(used_at=at)
    await session.execute(statement)


async def insert_refresh_token(
    session: Session, *, token_hash: bytes, grant_id: UUID, client_id: str, now: datetime
) -> None:
    await session.execute(
        insert(tokens).values(
            token_hash=token_hash, grant_id=grant_id, client_id=client_id, created_at=now
        )
    )


async def grant_of_refresh_token(
    session: Session, *, token_hash: bytes, client_id: str
) -> CustomerGrant | None:
    """The grant behind a refresh token of this client."""
    statement = (
        select(grants)
        .join(tokens, tokens.c.grant_id == grants.c.grant_id)
        .where(tokens.c.token_hash == token_hash, tokens.c.client_id == client_id)
    )
    row = (await session.execute(statement)).first()
    return _grant(row) if row else None


async def forget_codes(session: Session, *, before: datetime) -> int:
    """Delete a bounded number of codes that ended before; how many they were."""
    old = select(codes.c.code_hash).where(codes.c.expires_at < before).limit(TIDY_BATCH)
    statement = delete(codes).where(codes.c.code_hash.in_(old.scalar_subquery()))
    return (await session.execute(statement)).rowcount
