"""Load from one process: so many connections, each with its next request at once or at a rate."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Self

Call = Callable[[], Awaitable[bool]]
"""One request; True where the answer was the one wanted, or `BadAnswer` where it was not."""


class BadAnswer(Exception):
    """An answer that is not the one wanted, in words."""


@dataclass(slots=True)
class Load:
    """What came of a load: latencies in seconds of the good answers, and how many were not."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    failed: int = 0
    #: The first answer that was not wanted, in words.
    first_failure: str = ""

    @property
    def rate(self) -> float:
        """Good answers a second."""
        return len(self.latencies) / self.seconds if self.seconds else 0.0

    def percentile_ms(self, percent: float) -> float:
        ordered = sorted(self.latencies)
        if not ordered:
            return float("inf")
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] * 1000

    def note_failure(self, words: str) -> None:
        self.failed += 1
        self.first_failure = self.first_failure or words

    def all_good(self, name: str) -> Self:
        """The load itself, whose figures may be told.

        Raises RuntimeError: an answer was not the one wanted, or there was none at all.
        """
        asked = self.failed + len(self.latencies)
        if self.failed:
            words = f"{name}: {self.failed} of {asked} were not answered as they should be"
            raise RuntimeError(f"{words}, the first: {self.first_failure or 'no reason given'}")
        if not asked:
            raise RuntimeError(f"{name}: nothing was answered")
        return self


async def _one(call: Call, load: Load) -> None:
    began = time.perf_counter()
    try:
        good = await call()
    except BadAnswer as answer:
        load.note_failure(str(answer))
        return
    if good:
        load.latencies.append(time.perf_counter() - began)
    else:
        load.note_failure("")


async def closed_loop(call: Call, *, connections: int, seconds: float) -> Load:
    """`connections` callers, each of which asks again as soon as it has its answer."""
    load = Load()
    began = time.perf_counter()

    async def caller() -> None:
        while time.perf_counter() - began < seconds:
            await _one(call, load)

    await asyncio.gather(*(caller() for _ in range(connections)))
    load.seconds = time.perf_counter() - began
    return load


async def open_loop(call: Call, *, per_second: float, seconds: float) -> Load:
    """Requests begin at a rate, whether or not the earlier ones are answered."""
    load = Load()
    tasks = []
    began = time.perf_counter()
    for number in range(int(per_second * seconds)):
        await asyncio.sleep(max(0.0, began + number / per_second - time.perf_counter()))
        tasks.append(asyncio.create_task(_one(call, load)))
    await asyncio.gather(*tasks)
    load.seconds = time.perf_counter() - began
    return load
