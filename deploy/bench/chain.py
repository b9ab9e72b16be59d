"""The reference of a payment's way: four services that do nothing but hand the request on.

`python -m deploy.bench.chain PORT [NEXT_URL]` is one hop, on the same libraries as the bank's.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import httpx
import uvicorn
from fastapi import Body, FastAPI
from httpx_aiohttp import AiohttpTransport

HOPS = 4


def hop(next_url: str | None) -> FastAPI:
    """An app that answers what the next hop answers, and the last one what it was sent."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with httpx.AsyncClient(transport=AiohttpTransport()) as client:
            app.state.client = client
            yield

    app = FastAPI(lifespan=lifespan, openapi_url=None)

    @app.post("/")
    async def forward(body: Annotated[dict[str, str | int], Body()]) -> dict[str, str | int]:
        if next_url is None:
            return body
        answer = await app.state.client.post(next_url, json=body)
        found: dict[str, str | int] = answer.json()
        return found

    return app


def main() -> None:
    port = int(sys.argv[1])
    next_url = sys.argv[2] if len(sys.argv) > 2 else None
    uvicorn.run(hop(next_url), host="127.0.0.1", port=port, log_level="error", access_log=False)


if __name__ == "__main__":
    main()
