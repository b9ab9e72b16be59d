"""SQL of tokens: what was used once, and the public keys of access tokens."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, text
from sqlalchemy.dialects.postgresql import insert

from gateway.limits.domain import day_of
from gateway.models import shared_secrets, token_keys, used_ids
from shared.kit.database import AnySession, Session

#: Rows that one statement of the tidying deletes.
TIDY_BATCH = 5_000


@dataclass(frozen=True, slots=True)
class Admission:
    """What the database says to one call of a client."""

    partner_id: str
    needs_nonce: bool
    is_first_use: bool
    is_revoked: bool
    is_active: bool
    #: As `gateway.limits.domain.verdict_of` reads them.
    refused: str | None
    limits: Sequence[int | None]
    standing: Sequence[float]


#: Of every call of a partner: one statement remembers the proof, reads the client and takes the
#: call from its limits, which only a call takes that may pass otherwise.
_ADMIT = text(
    """
    WITH used AS (
        INSERT INTO used_ids (id_hash, kept_until) VALUES (:id_hash, :kept_until)
        ON CONFLICT DO NOTHING RETURNING id_hash
    ), found AS MATERIALIZED (
        SELECT c.partner_id, c.dpop_nonce,
            EXISTS (SELECT FROM used) AS is_first_use,
            EXISTS (SELECT FROM used_ids WHERE id_hash = :token_hash) AS is_revoked,
            p.state = 'active' AND c.state = 'active' AS is_active
        FROM clients c JOIN partners p USING (partner_id)
        WHERE c.client_id = :of_client
    )
    SELECT found.*, taken.refused, taken.limits, taken.standing
    FROM found CROSS JOIN LATERAL take_call(
        is_first_use AND is_active AND NOT is_revoked,
        partner_id, :of_consent, :of_endpoint, :at_s, :today
    ) AS taken
    """
)


async def use_id(session: Session, *, id_hash: bytes, kept_until: datetime) -> bool:
    """Remember an id; False where it was used before."""
    statement = (
        insert(used_ids)
        .values(id_hash=id_hash, kept_until=kept_until)
        .on_conflict_do_nothing()
        .returning(used_ids.c.id_hash)
    )
    return (await session.execute(statement)).first() is not None


async def admit(
    session: AnySession,
    *,
    client_id: str,
    id_hash: bytes,
    kept_until: datetime,
    token_hash: bytes,
    consent: str | None,
    endpoint: str,
    now: datetime,
) -> Admission | None:
    """Remember the proof's id, read the client, take the call; None: no such client.

    `token_hash` is the id under which the token's revocation would be remembered; `consent` is the
    grant that the call rests on, and `endpoint` its method and path as the description has them.
    """
    values = {
        "of_client": client_id,
        "id_hash": id_hash,
        "kept_until": kept_until,
        "token_hash": token_hash,
        "of_consent": consent,
        "of_endpoint": endpoint,
        "at_s": now.timestamp(),
        "today": day_of(now),
    }
    row = (await session.execute(_ADMIT, values)).first()
    return Admission(*row) if row else None


async def is_used(session: Session, *, id_hash: bytes) -> bool:
    """Whether the id is remembered; it is not remembered by asking."""
    statement = select(used_ids.c.id_hash).where(used_ids.c.id_hash == id_hash)
    return (await session.execute(statement)).first() is not None


async def shared_secret(session: Session, *, name: str, made: bytes) -> bytes:
    """The secret of that name: the first that was ever `made`."""
    statement = insert(shared_secrets).values(name=name, secret=made)
    await session.execute(statement.on_conflict_do_nothing())
    found = select(shared_secrets.c.secret).where(shared_secrets.c.name == name)
    return bytes((await session.execute(found)).scalar_one())


async def insert_token_key(
    session: Session, *, kid: str, jwk: Mapping[str, Any], created_at: datetime
) -> None:
    await session.execute(insert(token_keys).values(kid=kid, jwk=dict(jwk), created_at=created_at))


async def list_token_keys(session: Session, *, since: datetime) -> list[dict[str, Any]]:
    statement = (
        select(token_keys.c.jwk)
        .where(token_keys.c.created_at > since)
        .order_by(token_keys.c.created_at.desc())
    )
    return [dict(row.jwk) for row in await session.execute(statement)]


async def forget_used_ids(session: Session, *, now: datetime) -> int:
    """Delete a bounded number of ids that are refused by their age alone; how many they were."""
    old = select(used_ids.c.id_hash).where(used_ids.c.kept_until < now).limit(TIDY_BATCH)
    done = await session.execute(
        delete(used_ids).where(used_ids.c.id_hash.in_(old.scalar_subquery()))
    )
    return done.rowcount


async def forget_token_keys(session: Session, *, before: datetime) -> None:
    await session.execute(delete(token_keys).where(token_keys.c.created_at < before))
