"""A partner's own little server: keeps what came, and answers as the test wants."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from aiohttp import web


@dataclass
class Receiver:
    url: str = ""
    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    #: Cleared, it lets no answer out.
    answering: asyncio.Event = field(default_factory=asyncio.Event)

    def ids(self) -> list[str]:
        return [headers["webhook-id"] for headers, _ in self.got]


@contextlib.asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    receiver.answering.set()

    async def take(request: web.Request) -> web.Response:
        body = await request.read()
        receiver.got.append(({k.lower(): v for k, v in request.headers.items()}, body))
        await receiver.answering.wait()
        return web.Response(status=receiver.status, headers=receiver.headers)

    app = web.Application()
    app.router.add_post("/hook", take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    try:
        yield receiver
    finally:
        receiver.answering.set()
        await runner.cleanup()
