"""How a source misbehaves. Set while it runs, by whoever holds the admin key."""

import asyncio
import json
from collections.abc import AsyncIterator
from hashlib import sha256
from typing import Annotated, Any, Literal

from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.types import Receive, Scope, Send

Kind = Literal["none", "silent", "error", "garbage", "lie", "huge", "drip", "cut"]

#: How long a silent source keeps a connection before it gives up too.
SILENCE_S = 30.0
DRIP_EVERY_S = 0.1
HUGE_BYTES = 200_000


class Fault(BaseModel):
    """`silent` never answers, `error` is a 500, `garbage` no JSON, `lie` another person's answer
    in another form, `huge` too much of it, `drip` a byte at a time, `cut` closed half-way.

    `share_percent` is the share of calls that it hits, drawn from their ids.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind = "none"
    latency_ms: Annotated[int, Field(ge=0, le=30_000)] = 0
    share_percent: Annotated[int, Field(ge=0, le=100)] = 100

    def hits(self, request_id: str) -> bool:
        digest = sha256(request_id.encode()).digest()
        return int.from_bytes(digest[:4]) % 100 < self.share_percent


#: Kinds after which the source takes the call for answered, and bills it.
BILLED: frozenset[Kind] = frozenset({"none", "garbage", "lie", "huge", "drip", "cut"})


async def answer(kind: Kind, report: dict[str, Any]) -> Response:
    """The report as a source with this fault sends it."""
    response: Response
    match kind:
        case "silent":
            await asyncio.sleep(SILENCE_S)
            response = Response(status_code=504)
        case "error":
            response = Response("the database is on fire", status_code=500)
        case "garbage":
            response = Response('{"answers": {', media_type="application/json")
        case "lie":
            wrong = dict.fromkeys(report["answers"], "yes")
            response = JSONResponse(report | {"customer_id": "somebody-else", "answers": wrong})
        case "huge":
            response = JSONResponse(report | {"padding": "x" * HUGE_BYTES})
        case "drip":
            response = StreamingResponse(_drip(report), media_type="application/json")
        case "cut":
            response = _Cut()
        case "none":
            response = JSONResponse(report)
    return response


async def _drip(report: dict[str, Any]) -> AsyncIterator[bytes]:
    for byte in json.dumps(report).encode():
        yield bytes([byte])
        await asyncio.sleep(DRIP_EVERY_S)


class _Cut(Response):
    """Promises more than it sends; the server then closes the connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        headers = [(b"content-type", b"application/json"), (b"content-length", b"500")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b'{"source"', "more_body": True})
