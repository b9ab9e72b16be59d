"""Routes of partners: where they want to be told what happens, and what they were told."""

import json
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID, uuid5

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime, Field

from gateway import resources
from gateway.oauth.callers import PartnerCaller, partner_with
from gateway.problems import answers
from gateway.webhooks import service
from gateway.webhooks.domain import (
    MAX_URL_LENGTH,
    Delivery,
    DeliveryState,
    Endpoint,
    EventType,
    Form,
    Message,
)
from shared.contracts.values import Contract, Reply
from shared.kit.app import Ctx
from shared.kit.clock import new_id
from shared.kit.idempotency import IdempotencyKey

router = APIRouter(tags=["webhooks"])

Partner = Annotated[PartnerCaller, Depends(partner_with("consents"))]
PATH = "/v1/webhook-endpoints"
ONE = f"{PATH}/{{endpoint_id}}"
MAX_PAGE = 100
#: Makes an endpoint's id of partner and key, so that the same call finds what it made.
_NAMESPACE = UUID("6f0d9c7e-2b1a-5c43-9b7e-0e6c1f5a4d21")
_NOT_FOUND = ("webhook_endpoint_not_found",)
_USUAL = (401, 403, 404, 422, 429, 503)


class CreateEndpoint(Contract):
    """Where to call, for which events, in which form."""

    url: Annotated[str, Field(min_length=1, max_length=MAX_URL_LENGTH)]
    event_types: Annotated[list[EventType], Field(min_length=1, max_length=20)]
    form: Form = "standard"


class RotateSecret(Contract):
    """For how long the secret before signs beside the new one."""

    overlap_s: Annotated[int, Field(ge=0, le=7 * 86_400, strict=True)] = 86_400


class ReplaySince(Contract):
    since: AwareDatetime


class EndpointReply(Reply):
    endpoint_id: UUID
    url: str
    form: Form
    event_types: list[str]
    state: Literal["active", "disabled"]
    disabled_reason: str | None
    failing_since: datetime | None
    previous_secret_until: datetime | None
    created_at: datetime


class EndpointWithSecret(EndpointReply):
    """`secret` verifies signatures by Standard Webhooks; it is shown here alone."""

    secret: str


class EndpointList(Reply):
    items: list[EndpointReply]


class DeliveryReply(Reply):
    message_id: UUID
    event_type: str
    data: dict[str, Any]
    at: datetime
    state: DeliveryState
    attempts: int
    next_at: datetime | None
    last_status: int | None
    last_error: str | None
    delivered_at: datetime | None


class DeliveryPage(Reply):
    items: list[DeliveryReply]
    next_before: UUID | None


class Replayed(Reply):
    messages: int


def _fields(endpoint: Endpoint) -> dict[str, Any]:
    return {
        "endpoint_id": endpoint.endpoint_id,
        "url": endpoint.url,
        "form": endpoint.form,
        "event_types": list(endpoint.event_types),
        "state": endpoint.state,
        "disabled_reason": endpoint.disabled_reason,
        "failing_since": endpoint.failing_since,
        "previous_secret_until": endpoint.previous_until,
        "created_at": endpoint.created_at,
    }


def _delivery(delivery: Delivery) -> DeliveryReply:
    return DeliveryReply(
        message_id=delivery.message_id,
        event_type=delivery.event_type,
        data=json.loads(delivery.data),
        at=delivery.at,
        state=delivery.state,
        attempts=delivery.attempts,
        next_at=delivery.next_at if delivery.state == "waiting" else None,
        last_status=delivery.last_status,
        last_error=delivery.last_error,
        delivered_at=delivery.delivered_at,
    )


@router.post(
    PATH,
    status_code=201,
    responses=answers(
        400,
        401,
        403,
        409,
        413,
        422,
        429,
        503,
        codes=("webhook_url_refused", "too_many_webhook_endpoints", "idempotency_key_reused"),
    ),
)
async def create_webhook_endpoint(
    body: CreateEndpoint, context: Ctx, partner: Partner, idempotency_key: IdempotencyKey
) -> EndpointWithSecret:
    """Be told at this address. The same key and body again finds the endpoint that it made."""
    now = context.clock()
    endpoint = Endpoint(
        endpoint_id=uuid5(_NAMESPACE, f"{partner.partner_id} {idempotency_key}"),
        partner_id=partner.partner_id,
        url=body.url,
        form=body.form,
        event_types=list(dict.fromkeys(body.event_types)),
        secret="",
        previous_secret=None,
        previous_until=None,
        state="active",
        disabled_reason=None,
        failing_since=None,
        created_at=now,
        updated_at=now,
    )
    to_loopback = resources.of(context).settings.webhooks_to_loopback
    async with context.database.transaction() as session:
        made = await service.create_endpoint(session, endpoint=endpoint, to_loopback=to_loopback)
    return EndpointWithSecret(**_fields(made), secret=made.secret)


@router.get(PATH, responses=answers(401, 403, 429, 503))
async def list_webhook_endpoints(context: Ctx, partner: Partner) -> EndpointList:
    async with context.database.transaction() as session:
        found = await service.list_endpoints(session, partner_id=partner.partner_id)
    return EndpointList(items=[EndpointReply(**_fields(endpoint)) for endpoint in found])


@router.get(ONE, responses=answers(*_USUAL, codes=_NOT_FOUND))
async def get_webhook_endpoint(endpoint_id: UUID, context: Ctx, partner: Partner) -> EndpointReply:
    async with context.database.transaction() as session:
        found = await service.get_endpoint(
            session, endpoint_id=endpoint_id, partner_id=partner.partner_id
        )
    return EndpointReply(**_fields(found))


@router.delete(ONE, status_code=204, responses=answers(*_USUAL, codes=_NOT_FOUND))
async def delete_webhook_endpoint(endpoint_id: UUID, context: Ctx, partner: Partner) -> None:
    """Its deliveries go with it."""
    async with context.database.transaction() as session:
        await service.delete_endpoint(
            session, endpoint_id=endpoint_id, partner_id=partner.partner_id
        )


@router.post(f"{ONE}/secret-rotation", responses=answers(*_USUAL, codes=_NOT_FOUND))
async def rotate_webhook_secret(
    endpoint_id: UUID,
    body: RotateSecret,
    context: Ctx,
    partner: Partner,
    idempotency_key: IdempotencyKey,
) -> EndpointWithSecret:
    """A new secret; until the overlap ends each message has a signature by either."""
    async with context.database.transaction() as session:
        rotated = await service.rotate_secret(
            session,
            endpoint_id=endpoint_id,
            partner_id=partner.partner_id,
            overlap=timedelta(seconds=body.overlap_s),
            key=idempotency_key,
            now=context.clock(),
        )
    return EndpointWithSecret(**_fields(rotated), secret=rotated.secret)


@router.post(f"{ONE}/activation", responses=answers(*_USUAL, codes=_NOT_FOUND))
async def activate_webhook_endpoint(
    endpoint_id: UUID, context: Ctx, partner: Partner
) -> EndpointReply:
    """Call a disabled endpoint again."""
    async with context.database.transaction() as session:
        found = await service.activate(
            session,
            endpoint_id=endpoint_id,
            partner_id=partner.partner_id,
            now=context.clock(),
        )
    return EndpointReply(**_fields(found))


@router.post(f"{ONE}/test", status_code=202, responses=answers(*_USUAL, codes=_NOT_FOUND))
async def send_test_message(endpoint_id: UUID, context: Ctx, partner: Partner) -> Replayed:
    """Sends `endpoint.test` to every endpoint of yours that wants it."""
    now = context.clock()
    data = {"endpoint_id": str(endpoint_id)}
    async with context.database.transaction() as session:
        await service.get_endpoint(session, endpoint_id=endpoint_id, partner_id=partner.partner_id)
        message = Message(new_id(), "endpoint.test", data, now)
        await service.tell(session, partner_id=partner.partner_id, messages=[message])
    return Replayed(messages=1)


@router.get(f"{ONE}/deliveries", responses=answers(*_USUAL, codes=_NOT_FOUND))
async def list_webhook_deliveries(
    endpoint_id: UUID,
    context: Ctx,
    partner: Partner,
    state: DeliveryState | None = None,
    before: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 20,
) -> DeliveryPage:
    """What was sent or waits, the youngest first, for 30 days."""
    async with context.database.transaction() as session:
        found = await service.list_deliveries(
            session,
            endpoint_id=endpoint_id,
            partner_id=partner.partner_id,
            state=state,
            before=before,
            limit=limit,
        )
    next_before = found[-1].message_id if len(found) == limit else None
    return DeliveryPage(items=[_delivery(one) for one in found], next_before=next_before)


@router.post(
    f"{ONE}/deliveries/{{message_id}}/replay",
    status_code=202,
    responses=answers(*_USUAL, codes=(*_NOT_FOUND, "webhook_delivery_not_found")),
)
async def replay_webhook_delivery(
    endpoint_id: UUID, message_id: UUID, context: Ctx, partner: Partner
) -> Replayed:
    """Sends one message again, under its own id."""
    async with context.database.transaction() as session:
        count = await service.send_again(
            session,
            endpoint_id=endpoint_id,
            partner_id=partner.partner_id,
            message_id=message_id,
            now=context.clock(),
        )
    return Replayed(messages=count)


@router.post(f"{ONE}/replay", status_code=202, responses=answers(*_USUAL, codes=_NOT_FOUND))
async def replay_webhook_deliveries(
    endpoint_id: UUID, body: ReplaySince, context: Ctx, partner: Partner
) -> Replayed:
    """Sends again everything since a time, under the same ids."""
    async with context.database.transaction() as session:
        count = await service.send_again(
            session,
            endpoint_id=endpoint_id,
            partner_id=partner.partner_id,
            since=body.since,
            now=context.clock(),
        )
    return Replayed(messages=count)
