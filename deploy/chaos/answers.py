"""What an answer of the bank must look like, whatever has died behind it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

MEDIA_TYPE = "application/problem+json"
CREATED, UNAVAILABLE = 201, 503
#: Of a payment that was answered; in between there is only "ask again".
STATES = {"settled", "rejected", "in_review"}
HALF = "half an answer"


@dataclass(frozen=True, slots=True)
class Seen:
    """One answer: its name where answers are counted, its content, and what is wrong with it."""

    name: str
    content: Mapping[str, Any]
    fault: str | None = None


def of_payment(status: int, headers: Mapping[str, str], body: bytes) -> Seen:
    """A payment as it was made, or a problem document that says why not."""
    if status != CREATED:
        return of_problem(status, headers, body)
    content = _object(body)
    if content.get("state") not in STATES or not isinstance(content.get("payment_id"), str):
        return Seen("201", content, _words("a payment without id or state", status, body))
    return Seen("201", content)


def of_problem(status: int, headers: Mapping[str, str], body: bytes) -> Seen:
    """A problem document (RFC 9457) with the bank's code, or an error of OAuth (RFC 6749).

    `headers` find their names in any spelling.
    """
    content = _object(body)
    code = content.get("code") or content.get("error")
    seen = Seen(f"{status} {code or 'without a code'}", content)
    if status < 400:
        return Seen(seen.name, content, _words("neither a payment nor a problem", status, body))
    media_type = headers.get("Content-Type", "").partition(";")[0]
    is_problem = media_type == MEDIA_TYPE and content.get("status") == status and "code" in content
    is_oauth = media_type == "application/json" and "error" in content
    if not (is_problem or is_oauth):
        return Seen(seen.name, content, _words("no problem document", status, body))
    retry_after = headers.get("Retry-After", "")
    if status == UNAVAILABLE and not (retry_after.isdigit() and int(retry_after) > 0):
        return Seen(seen.name, content, _words("503 without Retry-After", status, body))
    return seen


def of_break(error: Exception) -> str:
    """How a try ended that got no answer, as it is counted."""
    if isinstance(error, TimeoutError):
        return "out of patience"
    if isinstance(error, aiohttp.ClientConnectorError):
        return "no connection"
    if isinstance(error, aiohttp.ClientPayloadError | aiohttp.ClientResponseError):
        return HALF
    return "the connection broke"


def _object(body: bytes) -> dict[str, Any]:
    """The body as a JSON object; an empty one where it is none."""
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _words(fault: str, status: int, body: bytes) -> str:
    return f"{fault}: {status} {body[:300].decode(errors='replace')}"
