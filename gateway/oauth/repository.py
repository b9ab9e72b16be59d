"""SQL of tokens: what was used once, and the public keys of access tokens."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, bindparam, delete, exists, select
from sqlalchemy.dialects.postgresql import insert

from gateway.models import clients, partners, shared_secrets, token_keys, used_ids
from shared.kit.database import AnySession, Session

#: Rows that one statement of the tidying deletes.
TIDY_BATCH = 5_000


@dataclass(frozen=True, slots=True)
class Admission:
    """What the database says to one call of a client."""

    is_first_use: bool
    is_revoked: bool
    is_active: bool
    partner_id: str
    rate_limit_per_minute: int
    needs_nonce: bool


def _admit() -> Select[bool, bool, bool, str, int, bool]:
    used = (
        insert(used_ids)
        .values(id_hash=bindparam("id_hash"), kept_until=bindparam("kept_until"))
        .on_conflict_do_nothing()
        .returning(used_ids.c.id_hash)
        .cte("used")
    )
    return (
        select(
            exists(select(used.c.id_hash)),
            exists(select(used_ids.c.id_hash).where(used_ids.c.id_hash == bindparam("token_hash"))),
            and_(partners.c.state == "active", clients.c.state == "active"),
            partners.c.partner_id,
            partners.c.rate_limit_per_minute,
            clients.c.dpop_nonce,
        )
        .join(partners, partners.c.partner_id == clients.c.partner_id)
        .where(clients.c.client_id == bindparam("of_client"))
        .add_cte(used)
    )


#: Of every call of a partner, so it is built once: building it costs more than running it.
_ADMIT = _admit()


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
) -> Admission | None:
    """Remember the proof's id and read the client, in one statement; None: no such client.

    `token_hash` is the id under which the token's revocation would be remembered.
    """
    values = {
        "of_client": client_id,
        "id_hash": id_hash,
        "kept_until": kept_until,
        "token_hash": token_hash,
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
