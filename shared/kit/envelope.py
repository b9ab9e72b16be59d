"""The outermost layer of every service: trace, deadline, bounds, one log line a request.

Written as plain ASGI, since Starlette's own middleware class costs a task and a queue a request.
"""

import logging
import time
import traceback
from collections.abc import MutableMapping
from typing import Any

from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.kit import metrics, tracing
from shared.kit.problems import (
    BankError,
    BodyTooLarge,
    MalformedBody,
    Unavailable,
    document,
    of_error,
    respond,
)

log = logging.getLogger("shared.kit.requests")

_NUL = (b"\x00", b"\\u0000")


class Envelope:
    """Wraps `app`; answers by itself only what no route may see or what a route failed to."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        service: str,
        max_body_bytes: int,
        max_concurrency: int,
        timeout_ms: int,
    ) -> None:
        self._app = app
        self._service = service
        self._max_body = max_body_bytes
        self._max_concurrency = max_concurrency
        self._timeout_ms = timeout_ms
        self._under_way = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name: value for name, value in scope["headers"] if name in _READ}
        started = time.perf_counter()
        status = 500
        self._under_way += 1
        with tracing.span(_text(headers.get(b"traceparent"))) as trace:

            async def send_traced(message: Message) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = message["status"]
                    line = (b"traceparent", trace.traceparent().encode())
                    message["headers"] = [*message.get("headers", []), line]
                await send(message)

            try:
                with tracing.deadline(self._patience(headers)):
                    await self._answer(scope, headers, receive, send_traced)
            finally:
                self._under_way -= 1
                self._tell(scope, trace, status, time.perf_counter() - started)

    async def _answer(
        self, scope: Scope, headers: dict[bytes, bytes], receive: Receive, send: Send
    ) -> None:
        began = False

        async def send_noting(message: Message) -> None:
            nonlocal began
            began = True
            await send(message)

        try:
            if self._under_way > self._max_concurrency:
                raise Unavailable("Too many requests are under way")
            body = await self._body(scope, headers, receive)
            await self._app(scope, _replay(body, receive), send_noting)
        except Exception as error:
            if began:
                raise
            await self._of(error)(scope, receive, send)

    def _of(self, error: Exception) -> JSONResponse:
        if isinstance(error, BankError):
            return respond(of_error(error), error.headers)
        # The frames alone: a message may repeat a row, and a row may be personal data.
        frames = "".join(traceback.format_tb(error.__traceback__)[-6:])
        log.error("request.failed", extra={"cause": type(error).__name__, "frames": frames})
        problem = document(
            status=500,
            code="internal_error",
            title="The bank made a mistake",
            detail="Nothing is known to be wrong with the request; quote the trace id",
        )
        return respond(problem)

    def _patience(self, headers: dict[bytes, bytes]) -> float:
        asked = headers.get(tracing.DEADLINE.encode(), b"")
        return min(int(asked), self._timeout_ms) if asked.isdigit() else self._timeout_ms

    async def _body(self, scope: Scope, headers: dict[bytes, bytes], receive: Receive) -> bytes:
        """The whole body, bounded; PostgreSQL's text takes no NUL, so nothing here does."""
        length = headers.get(b"content-length", b"0")
        if length.isdigit() and int(length) > self._max_body:
            raise BodyTooLarge(f"The body may have {self._max_body} bytes at the most")
        if b"%00" in scope.get("query_string", b"") or "\x00" in scope["path"]:
            raise MalformedBody("The address has a NUL character")
        body = bytearray()
        more = scope["method"] in {"POST", "PUT", "PATCH", "DELETE"}
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise MalformedBody("The body ended early")
            body += message.get("body", b"")
            if len(body) > self._max_body:
                raise BodyTooLarge(f"The body may have {self._max_body} bytes at the most")
            more = message.get("more_body", False)
        if any(nul in body for nul in _NUL):
            raise MalformedBody("The body has a NUL character")
        return bytes(body)

    def _tell(self, scope: Scope, trace: tracing.Trace, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "unmatched")
        method = scope["method"]
        metrics.REQUESTS.labels(self._service, route, method, status).observe(seconds)
        if route in _QUIET and status < 400:
            return
        log.info(
            "request",
            extra={
                "route": route,
                "method": method,
                "status": status,
                "duration_ms": round(seconds * 1000, 2),
                "trace_id": trace.trace_id,
                "span_id": trace.span_id,
                "parent_id": trace.parent_id,
            },
        )


_READ = {b"traceparent", b"content-length", tracing.DEADLINE.encode()}
_QUIET = {"/healthz", "/readyz", "/metrics"}


def _text(value: bytes | None) -> str | None:
    return value.decode("latin-1") if value else None


def _replay(body: bytes, receive: Receive) -> Receive:
    """Gives the app the buffered body once, then what the server says (a disconnect)."""
    given = False

    async def replay() -> MutableMapping[str, Any]:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
