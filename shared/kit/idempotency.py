"""A write with the same key and body has one effect and one answer.

The key, a hash of the body and the answer are stored in the same commit as the effect, for good.
Where the thing written has an id of its own made by the client, the id does the same work.
"""

import hashlib
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, TypeVar

from fastapi import Header
from pydantic import BaseModel
from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from shared.kit.app import Context
from shared.kit.database import Session
from shared.kit.problems import BankError
from shared.kit.tables import idempotency_keys as keys

ReplyT = TypeVar("ReplyT", bound=BaseModel)

IdempotencyKey = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=64,
        pattern=r"^[!-~]+$",
        description="Your own unique word for this write: 1 to 64 printable ASCII characters",
    ),
]


class KeyReused(BankError):
    status, code = 422, "idempotency_key_reused"
    title = "This idempotency key came with another body before"


def body_hash(body: BaseModel) -> bytes:
    """SHA-256 of the body as the bank understood it: field order and white space do not count.

    Nor do defaults, so that a repeat finds its answer after a release that adds an optional field.
    """
    return hashlib.sha256(body.model_dump_json(exclude_defaults=True).encode()).digest()


async def once(
    session: Session,
    *,
    scope: str,
    key: str,
    body: BaseModel,
    now: datetime,
    reply: type[ReplyT],
    act: Callable[[], Awaitable[ReplyT]],
) -> ReplyT:
    """Run `act` for the first call with this key, and give its stored answer to every later one.

    `scope` names caller and operation. Two at once wait for each other on the key's row.

    Raises:
        KeyReused: the key came with another body.
    """
    digest = body_hash(body)
    claim = (
        insert(keys)
        .values(scope=scope, key=key, body_hash=digest, reply="", created_at=now)
        .on_conflict_do_nothing()
        .returning(keys.c.key)
    )
    where = (keys.c.scope == scope) & (keys.c.key == key)
    if (await session.execute(claim)).first() is not None:
        answer = await act()
        await session.execute(update(keys).where(where).values(reply=answer.model_dump_json()))
        return answer
    stored = (await session.execute(select(keys.c.body_hash, keys.c.reply).where(where))).one()
    if bytes(stored.body_hash) != digest:
        raise KeyReused(field="Idempotency-Key", expected="a new key for a new body")
    return reply.model_validate_json(stored.reply)


async def once_in(
    context: Context,
    *,
    scope: str,
    key: str,
    body: BaseModel,
    reply: type[ReplyT],
    act: Callable[[Session], Awaitable[ReplyT]],
) -> ReplyT:
    """`once` in a transaction of its own; the relay is told once it is committed."""
    now = context.clock()
    async with context.database.transaction() as session:

        def first() -> Awaitable[ReplyT]:
            return act(session)

        answer = await once(
            session, scope=scope, key=key, body=body, now=now, reply=reply, act=first
        )
    context.published()
    return answer
