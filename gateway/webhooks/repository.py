"""SQL of webhook endpoints and deliveries."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, delete, func, insert, select, text, update

from gateway.models import clients, webhook_deliveries, webhook_endpoints
from gateway.webhooks.domain import Delivery, Endpoint, Sending
from shared.kit.database import Session

TIDY_BATCH = 5_000
#: Deliveries that one round claims, and of those for one endpoint: a slow one holds up no other.
CLAIM_BATCH = 64
CLAIM_OF_ONE = 8

_ENDPOINT = [column for column in webhook_endpoints.c if column.name != "rotation_key"]

#: A message for each endpoint of the partner that wants its type; again is the same as once.
_ENQUEUE = text(
    """
    INSERT INTO webhook_deliveries
        (endpoint_id, message_id, event_type, data, at, state, attempts, next_at, give_up_at)
    SELECT e.endpoint_id, m.message_id, m.event_type, m.data, coalesce(m.at, now()), 'waiting', 0,
        now(), now() + CAST(:tried_for AS interval)
    FROM unnest(
        CAST(:partner_ids AS text[]), CAST(:message_ids AS uuid[]), CAST(:event_types AS text[]),
        CAST(:data AS text[]), CAST(:at AS timestamptz[])
    ) AS m (partner_id, message_id, event_type, data, at)
    JOIN webhook_endpoints e ON e.partner_id = m.partner_id AND e.state = 'active'
        AND m.event_type = ANY(e.event_types)
    ON CONFLICT DO NOTHING
    """
)

#: What is due, so many of each endpoint, out of everybody's sight until the try must be over.
_CLAIM = text(
    """
    WITH due AS (
        SELECT d.endpoint_id, d.message_id
        FROM webhook_endpoints e CROSS JOIN LATERAL (
            SELECT endpoint_id, message_id FROM webhook_deliveries
            WHERE endpoint_id = e.endpoint_id AND state = 'waiting' AND next_at <= :now
            ORDER BY next_at LIMIT :of_one FOR UPDATE SKIP LOCKED
        ) AS d
        WHERE e.state = 'active'
        LIMIT :batch
    )
    UPDATE webhook_deliveries AS w
    SET attempts = w.attempts + 1, next_at = :claimed_until
    FROM due WHERE w.endpoint_id = due.endpoint_id AND w.message_id = due.message_id
    RETURNING w.endpoint_id, w.message_id, w.event_type, w.data, w.at, w.attempts, w.give_up_at
    """
)


def _endpoint(row: Row[Any]) -> Endpoint:
    return Endpoint(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it


async def insert_endpoint(session: Session, *, endpoint: Endpoint) -> None:
    await session.execute(insert(webhook_endpoints).values(**asdict(endpoint)))


async def count_endpoints(session: Session, *, partner_id: str) -> int:
    statement = select(func.count()).where(webhook_endpoints.c.partner_id == partner_id)
    return int((await session.execute(statement)).scalar_one())


async def find_endpoint(
    session: Session, *, endpoint_id: UUID, for_update: bool = False
) -> Endpoint | None:
    statement = select(*_ENDPOINT).where(webhook_endpoints.c.endpoint_id == endpoint_id)
    if for_update:
        statement = statement.with_for_update()
    row = (await session.execute(statement)).first()
    return _endpoint(row) if row else None


async def list_endpoints(session: Session, *, partner_id: str) -> list[Endpoint]:
    statement = (
        select(*_ENDPOINT)
        .where(webhook_endpoints.c.partner_id == partner_id)
        .order_by(webhook_endpoints.c.created_at, webhook_endpoints.c.endpoint_id)
    )
    return [_endpoint(row) for row in await session.execute(statement)]


async def change_endpoint(session: Session, *, endpoint_id: UUID, **values: Any) -> None:
    statement = update(webhook_endpoints).where(webhook_endpoints.c.endpoint_id == endpoint_id)
    await session.execute(statement.values(**values))


async def delete_endpoint(session: Session, *, endpoint_id: UUID) -> None:
    statement = delete(webhook_endpoints).where(webhook_endpoints.c.endpoint_id == endpoint_id)
    await session.execute(statement)


async def rotation_key(session: Session, *, endpoint_id: UUID) -> str | None:
    statement = select(webhook_endpoints.c.rotation_key)
    found = statement.where(webhook_endpoints.c.endpoint_id == endpoint_id)
    key: str | None = (await session.execute(found)).scalar_one()
    return key


async def partner_of_client(session: Session, *, client_id: str) -> str:
    statement = select(clients.c.partner_id).where(clients.c.client_id == client_id)
    return str((await session.execute(statement)).scalar_one())


async def enqueue(
    session: Session,
    *,
    rows: Sequence[tuple[str, UUID, str, str, datetime | None]],
    tried_for: timedelta,
) -> None:
    """`rows`: partner, message id, type, data as JSON, and time."""
    columns = [list(column) for column in zip(*rows, strict=True)]
    names = ("partner_ids", "message_ids", "event_types", "data", "at")
    values = dict(zip(names, columns, strict=True))
    await session.execute(_ENQUEUE, {**values, "tried_for": tried_for})


async def claim(session: Session, *, now: datetime, claimed_until: datetime) -> list[Sending]:
    values = {
        "now": now,
        "claimed_until": claimed_until,
        "of_one": CLAIM_OF_ONE,
        "batch": CLAIM_BATCH,
    }
    rows = (await session.execute(_CLAIM, values)).all()
    if not rows:
        return []
    wanted = select(*_ENDPOINT).where(
        webhook_endpoints.c.endpoint_id.in_({row.endpoint_id for row in rows})
    )
    endpoints = {row.endpoint_id: _endpoint(row) for row in await session.execute(wanted)}
    return [
        Sending(
            endpoint=endpoints[row.endpoint_id],
            message_id=row.message_id,
            event_type=row.event_type,
            data=row.data,
            at=row.at,
            attempts=row.attempts,
            give_up_at=row.give_up_at,
        )
        for row in rows
    ]


async def record(session: Session, *, sending: Sending, **values: Any) -> None:
    statement = update(webhook_deliveries).where(
        webhook_deliveries.c.endpoint_id == sending.endpoint.endpoint_id,
        webhook_deliveries.c.message_id == sending.message_id,
        webhook_deliveries.c.state == "waiting",
    )
    await session.execute(statement.values(**values))


async def list_deliveries(
    session: Session, *, endpoint_id: UUID, state: str | None, before: UUID | None, limit: int
) -> list[Delivery]:
    """The youngest first: the ids rise with time."""
    table = webhook_deliveries
    statement = (
        select(*(table.c[name] for name in Delivery.__slots__))
        .where(table.c.endpoint_id == endpoint_id)
        .order_by(table.c.message_id.desc())
        .limit(limit)
    )
    if state is not None:
        statement = statement.where(table.c.state == state)
    if before is not None:
        statement = statement.where(table.c.message_id < before)
    rows = await session.execute(statement)
    return [Delivery(**row._mapping) for row in rows]  # noqa: SLF001 - as above


async def send_again(
    session: Session,
    *,
    endpoint_id: UUID,
    message_id: UUID | None,
    since: datetime | None,
    now: datetime,
    give_up_at: datetime,
) -> int:
    """One message, or all since a time, become due; how many they were."""
    table = webhook_deliveries
    statement = update(table).where(table.c.endpoint_id == endpoint_id)
    if message_id is not None:
        statement = statement.where(table.c.message_id == message_id)
    if since is not None:
        statement = statement.where(table.c.at >= since)
    done = await session.execute(
        statement.values(state="waiting", attempts=0, next_at=now, give_up_at=give_up_at)
    )
    return done.rowcount


async def forget_deliveries(session: Session, *, before: datetime) -> int:
    table = webhook_deliveries
    old = (
        select(table.c.endpoint_id, table.c.message_id)
        .where(table.c.at < before)
        .limit(TIDY_BATCH)
        .cte("old")
    )
    done = await session.execute(
        delete(table).where(
            table.c.endpoint_id == old.c.endpoint_id, table.c.message_id == old.c.message_id
        )
    )
    return done.rowcount
