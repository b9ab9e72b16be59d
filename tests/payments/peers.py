"""What stands between payments and its peers in a test: a risk that says what it is told to, and
a wire to the real ledger that can be cut before or after a call took effect.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

import aiohttp
from aiohttp import web

When = Literal["before", "after"]
Surprise = Callable[[], Awaitable[object]]
PASSED_ON = ("authorization", "content-type", "traceparent", "tongbao-deadline-ms")


@dataclass
class Wire:
    """Counts calls, and surprises the caller once at a named place."""

    calls: Counter[tuple[str, str]] = field(default_factory=Counter)
    traces: dict[str, set[str]] = field(default_factory=dict)
    surprises: dict[tuple[str, When], Surprise] = field(default_factory=dict)
    is_cut: bool = False

    def reset(self) -> None:
        self.surprises.clear()
        self.is_cut = False

    def note(self, payment_id: str, action: str, request: web.Request) -> None:
        self.calls[payment_id, action] += 1
        trace = request.headers["traceparent"].split("-")[1]
        self.traces.setdefault(payment_id, set()).add(trace)

    async def surprise(self, action: str, when: When) -> bool:
        """Whether the caller gets no answer here."""
        if self.is_cut:
            return True
        found = self.surprises.pop((action, when), None)
        if found is None:
            return False
        await found()
        return True


def hang_up(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def nothing() -> None:
    """Only the answer is lost."""


@dataclass
class Ledger(Wire):
    """A wire to the ledger at `url`."""

    url: str = ""
    session: aiohttp.ClientSession | None = None

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        parts = request.path.split("/")
        action = parts[4] if len(parts) > 4 else "hold"
        payment_id = parts[3] if len(parts) > 4 else (await request.json())["hold_id"]
        self.note(payment_id, action, request)
        if await self.surprise(action, "before"):
            return hang_up(request)
        assert self.session is not None
        headers = {name: request.headers[name] for name in PASSED_ON if name in request.headers}
        target = f"{self.url}{request.path}"
        async with self.session.request(
            request.method, target, data=body, headers=headers
        ) as answer:
            content = await answer.read()
        if await self.surprise(action, "after"):
            return hang_up(request)
        kind = answer.headers["content-type"].split(";")[0]
        return web.Response(status=answer.status, body=content, content_type=kind)


@dataclass
class Risk(Wire):
    """Answers what `says` holds for the debtor's account, and approves all others.

    `late` is no answer in time, `broken` an error; a list is said word by word, the last for good.
    """

    says: dict[str, str | list[str]] = field(default_factory=dict)

    def word(self, account: str) -> str:
        said = self.says.get(account, "approve")
        if isinstance(said, str):
            return said
        return said.pop(0) if len(said) > 1 else said[0]

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.note(body["decision_id"], "decision", request)
        if await self.surprise("decision", "before"):
            return hang_up(request)
        word = self.word(body["debtor_account"])
        if word == "late":
            await asyncio.sleep(5)
            return hang_up(request)
        if word == "broken":
            return web.Response(status=500)
        if await self.surprise("decision", "after"):
            return hang_up(request)
        return web.json_response(decision(body, word))


def decision(body: dict[str, Any], outcome: str) -> dict[str, Any]:
    reasons = {"approve": [], "review": ["model_score_raised"], "decline": ["model_score_high"]}
    score = {"approve": 0.01, "review": 0.5, "decline": 0.97}
    return {
        "decision_id": body["decision_id"],
        "outcome": outcome,
        "score": score[outcome],
        "reasons": [{"code": code, "text": {"zh": code, "en": code}} for code in reasons[outcome]],
        "policy": "test",
        "model": "test",
        "degraded": [],
        "decided_at": datetime.now(UTC).isoformat(),
    }


@contextlib.asynccontextmanager
async def serving(wire: Ledger | Risk) -> AsyncIterator[str]:
    """Serve `wire` on a free port of this machine; its base URL."""
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", wire.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()
