"""The sending of webhooks: claim what is due, call, note the outcome. All else is in rows."""

import asyncio
import logging

import aiohttp

from gateway import resources
from gateway.tokens.jose import sign_compact
from gateway.webhooks import clients, service
from gateway.webhooks.domain import Sending, body_of, event_notification, signed_headers
from shared.kit.app import Context

log = logging.getLogger(__name__)

MAX_ROUNDS = 20


async def send_due(context: Context) -> None:
    """Sends what is due, a bounded number of rounds; no transaction is open during a call."""
    to_loopback = resources.of(context).settings.webhooks_to_loopback
    for _ in range(MAX_ROUNDS):
        async with context.database.transaction() as session:
            due = await service.claim(session, now=context.clock())
        if not due:
            return
        async with clients.opened(to_loopback=to_loopback) as calls:
            ended = await asyncio.gather(
                *(_send(context, calls, sending) for sending in due), return_exceptions=True
            )
        for one in ended:
            if isinstance(one, Exception):
                # Its claim ends, and it is tried again.
                log.warning("webhook.retry", extra={"cause": type(one).__name__})


async def _send(context: Context, calls: aiohttp.ClientSession, sending: Sending) -> None:
    own = resources.of(context)
    now = context.clock()
    if sending.endpoint.form == "ob_event":
        key = await own.token_keys.signing(context.database, now=now, algorithm="PS256")
        claims = event_notification(sending, issuer=own.settings.public_url, now=now)
        header = {"typ": "secevent+jwt", "kid": key.kid}
        body = sign_compact(header, claims, key=key.key, algorithm=key.algorithm).encode()
        headers = {
            "Content-Type": "application/jwt",
            "x-fapi-interaction-id": str(sending.message_id),
        }
    else:
        body = body_of(sending.event_type, sending.data, sending.at)
        headers = signed_headers(sending, body=body, now=now)
    answer = await clients.post(
        calls,
        url=sending.endpoint.url,
        body=body,
        headers=headers,
        to_loopback=own.settings.webhooks_to_loopback,
        now=now,
    )
    async with context.database.transaction() as session:
        await service.record(session, sending=sending, answer=answer, now=context.clock())
