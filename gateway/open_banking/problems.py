"""Errors of the standard's own paths: `OBErrorResponse1` in place of a problem document.

One layer around the application turns whatever refuses, the framework and the kit included.
"""

import json
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.open_banking.domain import MEDIA_TYPE, PREFIX
from shared.kit import problems
from shared.kit.clock import new_id

INTERACTION: Final = "x-fapi-interaction-id"
#: OBExternalStatusReason1Code, by our own stable codes. What is not here is U000, an error
#: that the standard has no word for; `Message` says what it is.
REASONS: Final[Mapping[str, str]] = {
    "invalid_request": "U002",
    "permissions_refused": "U002",
    "amount_refused": "U002",
    "date_refused": "U003",
    "header_refused": "U006",
    "consent_mismatch": "U008",
    "consent_consumed": "U009",
    "permission_missing": "U008",
    "consent_not_authorized": "U009",
    "consent_not_awaiting": "U009",
    "consent_limit_exceeded": "U009",
    "malformed_body": "U010",
    "data_consent_not_found": "U011",
    "consent_not_found": "U011",
    "resource_not_found": "U011",
    "payment_not_found": "U011",
    "statement_not_found": "U011",
    "destination_not_found": "AC03",
    "account_not_found": "AC02",
    "account_frozen": "AC06",
    "currency_mismatch": "U023",
    "scheme_refused": "U027",
    "signature_refused": "U015",
    "signature_claim_refused": "U016",
    "signature_claim_missing": "U017",
    "signature_malformed": "U018",
    "signature_missing": "U019",
    "idempotency_key_reused": "U029",
    "insufficient_funds": "AM04",
    "same_account": "U002",
}
#: The standard answers 400 to what cannot be understood or is not there; 422 it does not know.
_STATUS: Final[Mapping[str, int]] = {
    "invalid_request": 400,
    "idempotency_key_reused": 400,
    "payment_not_found": 400,
    "consent_not_found": 400,
    "account_not_found": 400,
    "destination_not_found": 400,
    "account_frozen": 400,
    "currency_mismatch": 400,
    "insufficient_funds": 400,
    "same_account": 400,
    "consent_not_authorized": 400,
    "consent_not_awaiting": 400,
    "consent_limit_exceeded": 400,
    "payment_lapsed": 400,
}
#: Fields whose absence, and not whose value, is at fault, by the validator's own words.
_MISSING: Final = "Field required"
_EXTRA: Final = "Extra inputs are not permitted"
_TEXT: Final = 500
MAX_ERRORS: Final = 20


class StandardAnswers:
    """Under the standard's prefix: the interaction's id on every answer, and its kind of error."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(PREFIX + "/"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        told = interaction_id(headers.get(INTERACTION))
        scope.setdefault("state", {})["interaction_id"] = told
        answer = _Answer(send, told)
        refusal = _unacceptable(scope["method"], headers)
        if refusal is not None:
            await refusal(scope, receive, answer)
            return
        await self._app(scope, receive, answer)


def interaction_id(given: str | None) -> str:
    """The caller's id of this interaction; without a good one it gets one."""
    try:
        return str(UUID(given or ""))
    except ValueError:
        return str(new_id())


class _Answer:
    """Hands an answer on; a problem document is kept back, read and said anew."""

    def __init__(self, send: Send, told: str) -> None:
        self._send = send
        self._told = told
        self._start: Message | None = None
        self._body = bytearray()

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers[INTERACTION] = self._told
            if headers.get("content-type") == problems.MEDIA_TYPE:
                self._start = message
                return
        elif message["type"] == "http.response.body" and self._start is not None:
            self._body += message.get("body", b"")
            if not message.get("more_body", False):
                await self._say(self._start)
            return
        await self._send(message)

    async def _say(self, start: Message) -> None:
        problem = json.loads(bytes(self._body))
        content = json.dumps(document(problem, told=self._told), ensure_ascii=False).encode()
        headers = MutableHeaders(scope=start)
        headers["content-type"] = MEDIA_TYPE
        headers["content-length"] = str(len(content))
        start["status"] = _STATUS.get(problem["code"], start["status"])
        await self._send(start)
        await self._send({"type": "http.response.body", "body": content})


def document(problem: Mapping[str, Any], *, told: str) -> dict[str, Any]:
    """A problem document as `OBErrorResponse1`: an entry for each field at fault."""
    code = problem["code"]
    reason = REASONS.get(code, "U000")
    fields = problem.get("errors", [])[:MAX_ERRORS]
    errors = [
        {
            "ErrorCode": _reason_of(reason, item),
            "Message": item["expected"][:_TEXT] or problem["title"],
            "Path": item["field"][:_TEXT] or "body",
        }
        for item in fields
    ]
    plain = {"ErrorCode": reason, "Message": problem["detail"][:_TEXT] or problem["title"]}
    status = _STATUS.get(code, problem["status"])
    return {
        "Code": f"{status} {code}"[:40],
        "Id": told,
        "Message": problem["title"],
        "Errors": errors or [plain],
    }


def _reason_of(reason: str, item: Mapping[str, str]) -> str:
    is_header = item["field"].lower().startswith("x-")
    if reason == "U002" and item["expected"] == _MISSING:
        return "U007" if is_header else "U004"
    if reason == "U002" and item["expected"] == _EXTRA:
        return "U005"
    return "U006" if is_header and reason == "U002" else reason


def _unacceptable(method: str, headers: Headers) -> JSONResponse | None:
    """The answer to a caller who takes no JSON, or sends something else."""
    accepted = headers.getlist("accept")
    if accepted and not any(_takes_json(value) for value in accepted):
        return _refuse(406, "not_acceptable", "The answer is application/json alone")
    if method != "POST":
        return None
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        return _refuse(415, "unsupported_media_type", "The body must be application/json")
    return None


def _takes_json(accept: str) -> bool:
    ranges = (part.partition(";") for part in accept.split(","))
    return any(
        name.strip().lower() in {"application/json", "application/*", "*/*"}
        and "q=0" not in {one.strip() for one in parameters.split(";")}
        for name, _, parameters in ranges
    )


def _refuse(status: int, code: str, detail: str) -> JSONResponse:
    found = problems.document(status=status, code=code, title=detail, detail=detail)
    return problems.respond(found)
