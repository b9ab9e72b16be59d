"""Rules of webhooks: signatures, retries, and which addresses may be called.

Messages follow Standard Webhooks 1.0.0, or where the partner chose so the event notification of UK
Open Banking. They are thin: a type, a time, and ids with states, never whose they are.
"""

import base64
import hmac
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from hashlib import sha256
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any, Final, Literal
from urllib.parse import urlsplit
from uuid import UUID

from shared.kit.problems import BankError

EventType = Literal[
    "payment.settled",
    "payment.rejected",
    "payment.in_review",
    "consent.authorized",
    "consent.rejected",
    "consent.revoked",
    "endpoint.test",
    "endpoint.disabled",
]
Form = Literal["standard", "ob_event"]
DeliveryState = Literal["waiting", "delivered", "failed"]

MAX_ENDPOINTS: Final = 10
MAX_URL_LENGTH: Final = 500
SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - how a secret begins
SECRET_BYTES: Final = 32
#: The first retry waits so long at most; each further one up to twice as long.
BASE_S: Final = 5.0
LONGEST_S: Final = 6 * 3_600.0
#: What a receiver may ask for by `Retry-After`.
LONGEST_ASKED_S: Final = 86_400.0
#: A message is tried for so long.
TRIED_FOR: Final = timedelta(days=3)
#: An endpoint that took nothing for so long is disabled.
FAILING_FOR: Final = timedelta(days=5)
#: Deliveries are shown, and can be sent again, for so long.
KEPT_FOR: Final = timedelta(days=30)

_RESOURCE_UPDATE: Final = "urn:uk:org:openbanking:events:resource-update"
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
#: Networks that Python counts as global and that lead elsewhere: translation and tunnels.
_TUNNELS: Final = tuple(
    IPv6Network(net) for net in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32")
)


class EndpointNotFound(BankError):
    status, code, title = 404, "webhook_endpoint_not_found", "There is no such webhook endpoint"


class DeliveryNotFound(BankError):
    status, code, title = 404, "webhook_delivery_not_found", "There is no such delivery"


class WebhookUrlRefused(BankError):
    status, code, title = 422, "webhook_url_refused", "The address cannot be called"


class TooManyEndpoints(BankError):
    status, code, title = 409, "too_many_webhook_endpoints", "There are too many endpoints"


@dataclass(frozen=True, slots=True)
class Endpoint:
    endpoint_id: UUID
    partner_id: str
    url: str
    form: Form
    event_types: Sequence[str]
    secret: str
    previous_secret: str | None
    previous_until: datetime | None
    state: Literal["active", "disabled"]
    disabled_reason: str | None
    failing_since: datetime | None
    created_at: datetime
    updated_at: datetime

    def secrets(self, *, now: datetime) -> list[str]:
        """Those that sign: the present one, and during a rotation the one before."""
        before = self.previous_secret
        if before is None or self.previous_until is None or now >= self.previous_until:
            return [self.secret]
        return [self.secret, before]


@dataclass(frozen=True, slots=True)
class Message:
    """What happened; `message_id` is the same at every try and at every endpoint."""

    message_id: UUID
    event_type: EventType
    data: Mapping[str, Any]
    #: None for the time of the transaction that stores it.
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Sending:
    """A message on its way to one endpoint, as it was claimed."""

    endpoint: Endpoint
    message_id: UUID
    event_type: str
    data: str
    at: datetime
    attempts: int
    give_up_at: datetime


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one try: a status, or the word for why there is none."""

    status: int | None
    error: str | None = None
    retry_after_s: float | None = None

    @property
    def is_taken(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Delivery:
    message_id: UUID
    event_type: str
    data: str
    at: datetime
    state: DeliveryState
    attempts: int
    next_at: datetime
    last_status: int | None
    last_error: str | None
    delivered_at: datetime | None


def new_secret(random_bytes: bytes) -> str:
    return SECRET_PREFIX + base64.b64encode(random_bytes).decode()


def body_of(event_type: str, data: str, at: datetime) -> bytes:
    """The payload, byte for byte the same at every try."""
    told = {"type": event_type, "timestamp": at.astimezone(UTC).isoformat(), "data": {}}
    return (json.dumps(told, separators=(",", ":"))[:-3] + data + "}").encode()


def signature(secret: str, *, message_id: UUID, timestamp: int, body: bytes) -> str:
    """Standard Webhooks: `v1,` and the base64 of HMAC-SHA256 over id, time and body."""
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, sha256)).decode()


def signed_headers(sending: Sending, *, body: bytes, now: datetime) -> dict[str, str]:
    timestamp = int(now.timestamp())
    signatures = (
        signature(secret, message_id=sending.message_id, timestamp=timestamp, body=body)
        for secret in sending.endpoint.secrets(now=now)
    )
    return {
        "Content-Type": "application/json",
        "webhook-id": str(sending.message_id),
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signatures),
    }


def event_notification(sending: Sending, *, issuer: str, now: datetime) -> dict[str, Any]:
    """Claims of a security event token as UK Open Banking's event notification has them."""
    kind, resource_id, version, path = _resource(sending)
    link = issuer + path
    return {
        "iss": issuer,
        "iat": int(now.timestamp()),
        "jti": str(sending.message_id),
        "aud": sending.endpoint.partner_id,
        "sub": link,
        "txn": str(sending.message_id),
        "toe": int(sending.at.timestamp()),
        "events": {
            _RESOURCE_UPDATE: {
                "subject": {
                    "subject_type": "http://openbanking.org.uk/rid_http://openbanking.org.uk/rty",
                    "http://openbanking.org.uk/rid": resource_id,
                    "http://openbanking.org.uk/rty": kind,
                    "http://openbanking.org.uk/rlk": [{"version": version, "link": link}],
                }
            }
        },
    }


def _resource(sending: Sending) -> tuple[str, str, str, str]:
    """Kind, id, version and path of what the message is about."""
    data = json.loads(sending.data)
    if "payment_id" in data:
        return "payment", data["payment_id"], "v1", f"/v1/payments/{data['payment_id']}"
    consent_id = data.get("consent_id") or data.get("grant_id")
    if consent_id is None:
        endpoint_id = str(sending.endpoint.endpoint_id)
        return "webhook-endpoint", endpoint_id, "v1", f"/v1/webhook-endpoints/{endpoint_id}"
    if data.get("consent_kind") == "payment_consent":
        return "payment-consent", consent_id, "v1", f"/v1/payment-consents/{consent_id}"
    if data.get("consent_id") is None:
        # Shared without a consent of the standard's own: what is shared is all that has an address.
        return "accounts", consent_id, "v4.0", "/open-banking/v4.0/aisp/accounts"
    path = f"/open-banking/v4.0/aisp/account-access-consents/{consent_id}"
    return "account-access-consent", consent_id, "v4.0", path


def wait_s(attempts: int, *, asked_s: float | None, jitter: Callable[[], float]) -> float:
    """Until the next try after `attempts`: back-off with full jitter, `jitter` from 0 to 1."""
    longest = min(LONGEST_S, BASE_S * 2.0 ** min(attempts - 1, 30))
    return max(jitter() * longest, min(asked_s or 0.0, LONGEST_ASKED_S))


def retry_after_s(value: str | None, *, now: datetime) -> float | None:
    """RFC 9110, 10.2.3: seconds or a date. What is neither is not heard."""
    if value is None:
        return None
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        asked = parsedate_to_datetime(value)
    except ValueError:
        return None
    if asked.tzinfo is None:
        asked = asked.replace(tzinfo=UTC)
    return max(0.0, (asked - now).total_seconds())


def check_url(url: str, *, to_loopback: bool) -> None:
    """TLS and a plain host; what its name leads to is looked at with every call.

    Raises `WebhookUrlRefused`. `to_loopback` lets plain http to this machine pass.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise _refused("an address") from error
    if not url.isascii() or not url.isprintable() or " " in url or len(url) > MAX_URL_LENGTH:
        raise _refused(f"at most {MAX_URL_LENGTH} printable ASCII characters without spaces")
    if not host or parts.username is not None or parts.password is not None or "#" in url:
        raise _refused("a host, no user, and no fragment")
    loopback = host == "localhost"
    try:
        address = ip_address(host)
    except ValueError as error:
        if _NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]):
            # Some resolvers read `127.1` or `0x7f000001` as an address.
            raise _refused("a name, or an address in its usual spelling") from error
    else:
        loopback = address.is_loopback
        if not may_call(address, to_loopback=to_loopback):
            raise _refused("a public address")
    if loopback and not to_loopback:
        raise _refused("a public address")
    if parts.scheme != "https" and not (loopback and parts.scheme == "http"):
        raise _refused("https")


def may_call(address: IPv4Address | IPv6Address, *, to_loopback: bool) -> bool:
    """Whether a webhook may go there: to public addresses alone, so that it opens no inner door."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return may_call(address.ipv4_mapped, to_loopback=to_loopback)
        if address.is_site_local or any(address in tunnel for tunnel in _TUNNELS):
            return False
    if address.is_loopback:
        return to_loopback
    return address.is_global and not (
        address.is_multicast or address.is_reserved or address.is_unspecified
    )


def _refused(expected: str) -> WebhookUrlRefused:
    return WebhookUrlRefused(field="url", expected=expected)
