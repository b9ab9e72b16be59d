"""The outermost layer of every service: trace, deadline, bounds, one log line a request.

Written as plain ASGI, since Starlette's own middleware class costs a task and a queue a request.
"""

import asyncio
import logging
import re
import time
from collections.abc import MutableMapping
from typing import Any

from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.kit import logs, metrics, tracing
from shared.kit.problems import (
    BankError,
    BodyTooLarge,
    MalformedBody,
    RequestTimeout,
    Unavailable,
    document,
    of_error,
    respond,
)

log = logging.getLogger("shared.kit.requests")

#: What no PostgreSQL text holds: NUL, and half of a surrogate pair, as bytes or as JSON escapes.
#: An escaped backslash and a whole pair are matched first, so that they are passed over.
_ESCAPES = re.compile(
    rb"\\\\|\\u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2}"
    rb"|(\\u0000|\\u[dD][89a-fA-F][\da-fA-F]{2}|\x00|\xed[\xa0-\xbf])"
)
_SUSPECT = re.compile(rb"\x00|\xed|\\u(?:0000|[dD])")
_FORM = b"application/x-www-form-urlencoded"


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
        self._under_way += 1
        with tracing.span(_text(headers.get(b"traceparent"))) as trace:
            traced = _Traced(send, trace)
            try:
                patience_ms = self._patience(headers)
                with tracing.deadline(patience_ms):
                    await self._answer(scope, headers, patience_ms, receive, traced)
            finally:
                self._under_way -= 1
                self._tell(scope, trace, traced.status or 500, time.perf_counter() - started)

    async def _answer(
        self,
        scope: Scope,
        headers: dict[bytes, bytes],
        patience_ms: int,
        receive: Receive,
        send: "_Traced",
    ) -> None:
        try:
            # Whoever watches the service must not take a busy one for a dead one.
            if self._under_way > self._max_concurrency and scope["path"] not in _QUIET:
                raise Unavailable("Too many requests are under way")
            body = await self._body(scope, headers, patience_ms, receive)
            await self._app(scope, _replay(body, receive), send)
        except Exception as error:
            if send.status is not None:
                raise
            await self._of(error)(scope, receive, send)

    def _of(self, error: Exception) -> JSONResponse:
        if isinstance(error, BankError):
            return respond(of_error(error), error.headers)
        # The frames alone: a message may repeat a row, and a row may be personal data.
        frames = logs.frames_of(error.__traceback__)
        log.error("request.failed", extra={"cause": type(error).__name__, "frames": frames})
        problem = document(
            status=500,
            code="internal_error",
            title="The bank made a mistake",
            detail="Nothing is known to be wrong with the request; quote the trace id",
        )
        return respond(problem)

    def _patience(self, headers: dict[bytes, bytes]) -> int:
        asked = _number(headers.get(tracing.DEADLINE.encode(), b""))
        return self._timeout_ms if asked is None else min(asked, self._timeout_ms)

    async def _body(
        self, scope: Scope, headers: dict[bytes, bytes], patience_ms: int, receive: Receive
    ) -> bytes:
        """The whole body, bounded in size and time, of text that a database can hold."""
        if (_number(headers.get(b"content-length", b"")) or 0) > self._max_body:
            raise BodyTooLarge(f"The body may have {self._max_body} bytes at the most")
        if b"%00" in scope.get("query_string", b"") or "\x00" in scope["path"]:
            raise MalformedBody("The address has a NUL character")
        if scope["method"] not in {"POST", "PUT", "PATCH", "DELETE"}:
            return b""
        try:
            async with asyncio.timeout(patience_ms / 1000):
                body = await self._whole(receive)
        except TimeoutError as error:
            raise RequestTimeout("The body did not come in time") from error
        if _SUSPECT.search(body) and any(found[1] for found in _ESCAPES.finditer(body)):
            raise MalformedBody("The body has a NUL character or half of a surrogate pair")
        if b"%00" in body and headers.get(b"content-type", b"").lower().startswith(_FORM):
            raise MalformedBody("The form has a NUL character")
        return body

    async def _whole(self, receive: Receive) -> bytes:
        body = bytearray()
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise MalformedBody("The body ended early")
            body += message.get("body", b"")
            if len(body) > self._max_body:
                raise BodyTooLarge(f"The body may have {self._max_body} bytes at the most")
            more = message.get("more_body", False)
        return bytes(body)

    def _tell(self, scope: Scope, trace: tracing.Trace, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "unmatched")
        method = scope["method"] if scope["method"] in _METHODS else "other"
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


class _Traced:
    """Sends an answer with its trace, and knows its status; None while nothing was sent."""

    __slots__ = ("_send", "_trace", "status")

    def __init__(self, send: Send, trace: tracing.Trace) -> None:
        self._send = send
        self._trace = trace
        self.status: int | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            line = (b"traceparent", self._trace.traceparent().encode())
            message["headers"] = [*message.get("headers", []), line]
        await self._send(message)


_READ = {b"traceparent", b"content-length", b"content-type", tracing.DEADLINE.encode()}
_QUIET = {"/healthz", "/readyz", "/metrics"}
#: Every other method is one label of the metrics, which a client must not multiply.
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


def _number(value: bytes) -> int | None:
    """The header as a number; None where it is none, or too long to be one in good faith."""
    return int(value) if value.isdigit() and len(value) < 16 else None


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
