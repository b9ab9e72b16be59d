"""Whether every process of the bank is ready, by its own word."""

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from deploy.local.files import read_json

TIMEOUT_S = 1.5


@dataclass(frozen=True, slots=True)
class Health:
    """`state` is `ready`, `not_ready` or `down`; `memory_mb` is 0 where it cannot be told."""

    name: str
    role: str
    port: int
    pid: int
    state: str
    restarts: int
    up_s: float
    memory_mb: float


async def health_of(run_dir: Path) -> list[Health]:
    """Asks all of them at once; what does not answer within a moment is down."""
    programs: list[dict[str, Any]] = (read_json(run_dir / "bank.json") or {}).get("programs", [])
    async with httpx.AsyncClient(timeout=TIMEOUT_S) as client:
        states = await asyncio.gather(*(_state(client, int(one["port"])) for one in programs))
    memory = await asyncio.to_thread(lambda: [_memory_mb(int(one["pid"])) for one in programs])
    return [
        Health(
            name=str(one["name"]),
            role=str(one["role"]),
            port=int(one["port"]),
            pid=int(one["pid"]),
            state=state,
            restarts=int(one["restarts"]),
            up_s=max(0.0, time.time() - float(one["started_at"])),
            memory_mb=size,
        )
        for one, state, size in zip(programs, states, memory, strict=True)
        if one["name"] != "console"
    ]


async def _state(client: httpx.AsyncClient, port: int) -> str:
    try:
        answer = await client.get(f"http://127.0.0.1:{port}/readyz")
    except httpx.HTTPError:
        return "down"
    return "ready" if answer.status_code == httpx.codes.OK else "not_ready"


def _memory_mb(pid: int) -> float:
    try:
        full = psutil.Process(pid).memory_full_info()
        return int(getattr(full, "pss", 0) or full.uss) / 1_000_000
    except psutil.Error:
        return 0.0
