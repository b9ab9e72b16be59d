"""Headers of every answer to the public, set in one place so that no route can forget them."""

from email.utils import formatdate

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: A year, as browsers' preload lists ask.
HSTS = "max-age=31536000; includeSubDomains"


class PublicHeaders:
    """Adds what every answer carries and what the request's own work left in its state.

    A dependency that knows more (the partner's rate) puts it into `request.state.answer_headers`;
    so it reaches refusals as well, which a route's own response object does not. What it puts into
    `request.state.count_call` is told the status.
    """

    def __init__(self, app: ASGIApp, *, secure: bool) -> None:
        self._app = app
        self._secure = secure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                if "count_call" in state:
                    state["count_call"](message["status"])
                headers = MutableHeaders(scope=message)
                headers.setdefault("X-Content-Type-Options", "nosniff")
                headers.setdefault("Cache-Control", "no-store")
                # The standards' own tests look for it (RFC 9110, 6.6.1).
                headers.setdefault("Date", formatdate(usegmt=True))
                if self._secure:
                    headers.setdefault("Strict-Transport-Security", HSTS)
                for name, value in state.get("answer_headers", {}).items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)
