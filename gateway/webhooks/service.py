"""Use cases of webhooks: a partner's endpoints, messages into the queue, what became of a try."""

import json
import logging
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from random import random
from typing import Any
from uuid import UUID

from gateway.webhooks import repository
from gateway.webhooks.domain import (
    FAILING_FOR,
    KEPT_FOR,
    MAX_ENDPOINTS,
    SECRET_BYTES,
    TRIED_FOR,
    Answer,
    Delivery,
    DeliveryNotFound,
    Endpoint,
    EndpointNotFound,
    EventType,
    Message,
    Sending,
    TooManyEndpoints,
    check_url,
    new_secret,
    wait_s,
)
from shared.kit.clock import new_id
from shared.kit.database import Session
from shared.kit.idempotency import KeyReused

log = logging.getLogger(__name__)

#: How long a claimed try may take, with room: after that another process tries again.
CLAIM_FOR = timedelta(seconds=60)
GONE = 410


async def create_endpoint(session: Session, *, endpoint: Endpoint, to_loopback: bool) -> Endpoint:
    """Stores an endpoint under the id that its key made; the same again finds it.

    Raises `WebhookUrlRefused`, `TooManyEndpoints`, `KeyReused`.
    """
    stored = await repository.find_endpoint(session, endpoint_id=endpoint.endpoint_id)
    if stored is not None:
        same = replace(stored, event_types=list(stored.event_types))
        if (same.url, same.form, same.event_types) != (
            endpoint.url,
            endpoint.form,
            list(endpoint.event_types),
        ):
            raise KeyReused(field="Idempotency-Key", expected="a new key for a new body")
        return stored
    check_url(endpoint.url, to_loopback=to_loopback)
    if await repository.count_endpoints(session, partner_id=endpoint.partner_id) >= MAX_ENDPOINTS:
        raise TooManyEndpoints(f"A partner has {MAX_ENDPOINTS} at the most")
    made = replace(endpoint, secret=new_secret(secrets.token_bytes(SECRET_BYTES)))
    await repository.insert_endpoint(session, endpoint=made)
    return made


async def get_endpoint(
    session: Session, *, endpoint_id: UUID, partner_id: str, for_update: bool = False
) -> Endpoint:
    """Another partner's endpoint is not found: not even that it exists is told."""
    found = await repository.find_endpoint(session, endpoint_id=endpoint_id, for_update=for_update)
    if found is None or found.partner_id != partner_id:
        raise EndpointNotFound
    return found


async def list_endpoints(session: Session, *, partner_id: str) -> list[Endpoint]:
    return await repository.list_endpoints(session, partner_id=partner_id)


async def delete_endpoint(session: Session, *, endpoint_id: UUID, partner_id: str) -> None:
    """With it go its deliveries; what is on its way may still arrive."""
    await get_endpoint(session, endpoint_id=endpoint_id, partner_id=partner_id)
    await repository.delete_endpoint(session, endpoint_id=endpoint_id)


async def rotate_secret(
    session: Session,
    *,
    endpoint_id: UUID,
    partner_id: str,
    overlap: timedelta,
    key: str,
    now: datetime,
) -> Endpoint:
    """A new secret; both sign until the overlap ends. The same key again changes nothing."""
    endpoint = await get_endpoint(
        session, endpoint_id=endpoint_id, partner_id=partner_id, for_update=True
    )
    if await repository.rotation_key(session, endpoint_id=endpoint_id) == key:
        return endpoint
    values = {
        "secret": new_secret(secrets.token_bytes(SECRET_BYTES)),
        "previous_secret": endpoint.secret,
        "previous_until": now + overlap,
        "updated_at": now,
    }
    await repository.change_endpoint(session, endpoint_id=endpoint_id, rotation_key=key, **values)
    return replace(endpoint, **values)  # type: ignore[arg-type]


async def activate(
    session: Session, *, endpoint_id: UUID, partner_id: str, now: datetime
) -> Endpoint:
    """A disabled endpoint is called again, for what waits and is not too old."""
    await get_endpoint(session, endpoint_id=endpoint_id, partner_id=partner_id, for_update=True)
    await repository.change_endpoint(
        session,
        endpoint_id=endpoint_id,
        state="active",
        disabled_reason=None,
        failing_since=None,
        updated_at=now,
    )
    return await get_endpoint(session, endpoint_id=endpoint_id, partner_id=partner_id)


async def list_deliveries(
    session: Session,
    *,
    endpoint_id: UUID,
    partner_id: str,
    state: str | None,
    before: UUID | None,
    limit: int,
) -> list[Delivery]:
    await get_endpoint(session, endpoint_id=endpoint_id, partner_id=partner_id)
    return await repository.list_deliveries(
        session, endpoint_id=endpoint_id, state=state, before=before, limit=limit
    )


async def send_again(
    session: Session,
    *,
    endpoint_id: UUID,
    partner_id: str,
    message_id: UUID | None = None,
    since: datetime | None = None,
    now: datetime,
) -> int:
    """One message or all since a time go out again, under the same ids."""
    await get_endpoint(session, endpoint_id=endpoint_id, partner_id=partner_id)
    count = await repository.send_again(
        session,
        endpoint_id=endpoint_id,
        message_id=message_id,
        since=since,
        now=now,
        give_up_at=now + TRIED_FOR,
    )
    if message_id is not None and not count:
        raise DeliveryNotFound
    return count


async def tell(session: Session, *, partner_id: str, messages: Sequence[Message]) -> None:
    """Puts messages of one partner into the queue, in the transaction that they tell of."""
    await tell_many(session, told=[(partner_id, message) for message in messages])


async def tell_many(session: Session, *, told: Sequence[tuple[str, Message]]) -> None:
    rows = [
        (
            partner_id,
            message.message_id,
            message.event_type,
            json.dumps(dict(message.data), separators=(",", ":")),
            message.at,
        )
        for partner_id, message in told
    ]
    if rows:
        await repository.enqueue(session, rows=rows, tried_for=TRIED_FOR)


async def tell_client(
    session: Session, *, client_id: str, event_type: EventType, data: Mapping[str, Any]
) -> None:
    """As `tell`, to the partner of a client."""
    partner_id = await repository.partner_of_client(session, client_id=client_id)
    message = Message(new_id(), event_type, data, None)
    await tell(session, partner_id=partner_id, messages=[message])


async def claim(session: Session, *, now: datetime) -> list[Sending]:
    """Takes what is due. Who dies before it recorded the outcome leaves it to be taken again."""
    return await repository.claim(session, now=now, claimed_until=now + CLAIM_FOR)


async def record(session: Session, *, sending: Sending, answer: Answer, now: datetime) -> None:
    """What became of a try: done, due again later, or given up; 410 disables the endpoint."""
    said = {"last_status": answer.status, "last_error": answer.error}
    endpoint = sending.endpoint
    if answer.is_taken:
        await repository.record(
            session, sending=sending, state="delivered", delivered_at=now, **said
        )
        if endpoint.failing_since is not None:
            await repository.change_endpoint(
                session, endpoint_id=endpoint.endpoint_id, failing_since=None
            )
        return
    pause = timedelta(seconds=wait_s(sending.attempts, asked_s=answer.retry_after_s, jitter=random))
    is_over = answer.status == GONE or now + pause > sending.give_up_at
    await repository.record(
        session,
        sending=sending,
        state="failed" if is_over else "waiting",
        next_at=now + pause,
        **said,
    )
    failing_since = endpoint.failing_since or now
    if answer.status == GONE:
        await _disable(session, endpoint, "gone", now)
    elif now - failing_since >= FAILING_FOR:
        await _disable(session, endpoint, "failing", now)
    elif endpoint.failing_since is None:
        await repository.change_endpoint(
            session, endpoint_id=endpoint.endpoint_id, failing_since=now
        )


async def _disable(session: Session, endpoint: Endpoint, reason: str, now: datetime) -> None:
    """Nothing goes there any more; the partner's other endpoints are told."""
    await repository.change_endpoint(
        session,
        endpoint_id=endpoint.endpoint_id,
        state="disabled",
        disabled_reason=reason,
        updated_at=now,
    )
    log.warning(
        "webhook.disabled", extra={"endpoint_id": str(endpoint.endpoint_id), "cause": reason}
    )
    data = {"endpoint_id": str(endpoint.endpoint_id), "state": "disabled", "reason": reason}
    await tell(
        session,
        partner_id=endpoint.partner_id,
        messages=[Message(new_id(), "endpoint.disabled", data, now)],
    )


async def tidy(session: Session, *, now: datetime) -> int:
    return await repository.forget_deliveries(session, before=now - KEPT_FOR)
