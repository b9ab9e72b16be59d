"""Use cases of usage: count in memory, write now and then, show it."""

import asyncio
import logging
from datetime import date, datetime, timedelta
from typing import Final

from gateway.limits.domain import day_of
from gateway.usage import repository
from gateway.usage.domain import KEPT_DAYS, MAX_COUNTS, Counted, Usage, check_span, merge
from shared.kit.database import Database, Session

log = logging.getLogger(__name__)

FLUSH_EVERY_S: Final = 5.0
MAX_ROWS: Final = 10_000


class Meter:
    """Counts of this process that are not written yet; a process that dies loses them.

    They bill nobody and limit nobody: limits have counts of their own, in the database.
    """

    def __init__(self) -> None:
        self._counts: dict[Counted, int] = {}

    def count(self, *, partner_id: str, endpoint: str, status: int, now: datetime) -> None:
        counted = (partner_id, day_of(now), endpoint, status // 100)
        if counted in self._counts or len(self._counts) < MAX_COUNTS:
            self._counts[counted] = self._counts.get(counted, 0) + 1

    async def flush(self, database: Database) -> None:
        """Writes what was counted; where that fails, it stays counted for the next time."""
        counts, self._counts = self._counts, {}
        if not counts:
            return
        try:
            async with database.transaction() as session:
                await repository.add(session, counts=counts)
        except Exception as error:
            merge(self._counts, counts)
            log.warning("usage.retry", extra={"cause": type(error).__name__})

    async def run(self, database: Database) -> None:
        while True:
            await asyncio.sleep(FLUSH_EVERY_S)
            await self.flush(database)


async def usage(
    session: Session, *, partner_id: str | None, first: date, last: date
) -> list[Usage]:
    """Counts of one partner, or of all, a bounded number. Raises `UsageSpanRefused`."""
    check_span(first, last)
    return await repository.find(
        session, partner_id=partner_id, first=first, last=last, limit=MAX_ROWS
    )


async def tidy(session: Session, *, now: datetime) -> int:
    return await repository.forget(session, before=day_of(now) - timedelta(days=KEPT_DAYS))
