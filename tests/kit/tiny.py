"""A service of nothing but the kit, as a process of its own: `python -m tests.kit.tiny`."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict
from sqlalchemy import text

from shared.kit import tracing
from shared.kit.app import Ctx, create_app, serve
from shared.kit.auth import Caller, allow
from shared.kit.settings import Settings

router = APIRouter()


class Thing(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    count: int = 0
    labels: dict[str, Any] = {}


@router.post("/v1/things")
async def make(body: Thing) -> Thing:
    return body


@router.get("/v1/things/{thing_id}")
async def read(thing_id: str, note: str = "") -> dict[str, str]:
    return {"thing_id": thing_id, "note": note}


@router.get("/v1/failure/{phone}")
async def fail(phone: str) -> None:
    raise RuntimeError(f"no row for {phone}")


@router.get("/v1/late-failure/{phone}")
async def fail_after_the_start(phone: str) -> StreamingResponse:
    async def parts() -> AsyncIterator[bytes]:
        yield b"begun "
        raise RuntimeError(f"no row for {phone}")

    return StreamingResponse(parts())


@router.get("/v1/hold")
async def hold(until: Path) -> dict[str, bool]:
    """Waits until the test writes that file, so that no test depends on how long it takes."""
    while not until.exists():  # noqa: ASYNC110, ASYNC240 - another process writes it
        await asyncio.sleep(0.02)
    return {"held": True}


@router.get("/v1/patience")
async def patience() -> dict[str, float | None]:
    return {"remaining_ms": tracing.remaining_ms()}


@router.get("/v1/word")
async def ask_database(context: Ctx) -> dict[str, str]:
    async with context.database.transaction() as session:
        return {"word": await session.scalar(text("SELECT 'stored'"))}


@router.get("/v1/caller")
async def who(
    caller: Annotated[Caller, Depends(allow("payments", roles=("operator",)))],
) -> dict[str, str | None]:
    return {"service": caller.service, "customer_id": caller.customer_id}


if __name__ == "__main__":
    settings = Settings()
    serve(create_app(settings, routers=[router]), settings)
