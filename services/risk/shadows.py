"""What challengers would have scored: beside the decisions, after their answers are on their way.

A decision that was kept leaves its features here, which costs it a look into a dict. They are
scored together, some at a time, and stored apart: no outcome, no reason and no event ever reads
them. What cannot be scored in time is left out and counted; an evaluation scores kept decisions
anew from their features, so nothing is lost by it.
"""

import asyncio
import logging
import math
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from prometheus_client import Counter
from sqlalchemy import ARRAY, DateTime, Double, Text, Uuid, bindparam, func, insert, select, text

from services.risk.registry.models import shadow_scores
from services.risk.scorecards import Scorer
from services.risk.scoring import FraudModel
from shared.kit.app import Context
from shared.kit.database import AnySession

log = logging.getLogger(__name__)

#: Decisions that wait to be scored; more are left out.
MOST_WAITING: Final = 5_000
#: So long decisions gather, so that they share one statement.
GATHER_S: Final = 0.25
#: Decisions of one statement, and of those how many are scored before others get their turn.
BATCH: Final = 1_000
SLICE: Final = 64

#: Older shadow scores are dropped: an evaluation scores kept decisions anew.
KEEP: Final = timedelta(days=90)
FORGET_BATCH: Final = 10_000
FORGET_EVERY_S: Final = 60.0

LEFT_OUT = Counter("tongbao_risk_shadow_left_out", "Decisions that no challenger scored", ["cause"])

Features = Mapping[str, float | None]


class Seen(NamedTuple):
    """A kept decision, for challengers to score."""

    decision_id: UUID
    features: Features


class Scores(NamedTuple):
    """Columns of what one challenger scored; None where it could not."""

    label: str
    ids: Sequence[UUID]
    scores: Sequence[float | None]


class Shadows:
    """Challengers by product, and the decisions that wait for them."""

    def __init__(self) -> None:
        self.challengers: Mapping[str, Sequence[Scorer]] = {}
        self._waiting: deque[tuple[str, Seen]] = deque()
        self._arrived = asyncio.Event()

    def note(self, product: str, decision_id: UUID, features: Features) -> None:
        """Leave a decision to the product's challengers, if there are any."""
        if product not in self.challengers:
            return
        if len(self._waiting) >= MOST_WAITING:
            LEFT_OUT.labels("too_many").inc()
            return
        self._waiting.append((product, Seen(decision_id, features)))
        if not self._arrived.is_set():
            self._arrived.set()

    async def arrival(self) -> None:
        """Waits until there is something to score."""
        await self._arrived.wait()
        self._arrived.clear()

    def taken(self) -> dict[str, list[Seen]]:
        """The oldest that wait, by product, for one statement."""
        found: dict[str, list[Seen]] = {}
        for _ in range(min(BATCH, len(self._waiting))):
            product, seen = self._waiting.popleft()
            found.setdefault(product, []).append(seen)
        return found


def scored_by(challenger: Scorer, seen: Sequence[Seen]) -> Scores:
    """What the challenger gives for each; one that fails spoils only its own scores."""
    scores: list[float | None]
    try:
        if isinstance(challenger, FraudModel):
            found, _ = challenger.scored_all([one.features for one in seen])
            scores = [score if math.isfinite(score) else None for score in found.tolist()]
        else:
            scores = [challenger.scored(_numbers(one.features)).score for one in seen]
    except Exception as error:
        log.exception("shadow.failed", extra={"cause": type(error).__name__})
        scores = [None] * len(seen)
    return Scores(challenger.label, [one.decision_id for one in seen], scores)


def _numbers(features: Features) -> dict[str, float]:
    return {name: math.nan if value is None else value for name, value in features.items()}


_GIVEN = select(
    func.unnest(bindparam("labels", type_=ARRAY(Text))),
    func.unnest(bindparam("ids", type_=ARRAY(Uuid))),
    func.unnest(bindparam("scores", type_=ARRAY(Double))),
    bindparam("at", type_=DateTime(timezone=True)),
)
#: Columns of arrays: however many they are, the statement stays the same.
_INSERT = insert(shadow_scores).from_select(["label", "decision_id", "score", "scored_at"], _GIVEN)


async def store(session: AnySession, scores: Sequence[Scores], *, now: datetime) -> None:
    values: dict[str, object] = {
        "labels": [one.label for one in scores for _ in one.ids],
        "ids": [identity for one in scores for identity in one.ids],
        "scores": [score for one in scores for score in one.scores],
        "at": now,
    }
    await session.execute(_INSERT, values)


_FORGET = text(
    """
    DELETE FROM shadow_scores WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM shadow_scores WHERE scored_at < :before LIMIT :most
    ))
    """
)


async def forget(context: Context) -> None:
    """The worker's job: drop a bounded number of scores that nobody looks at any more."""
    async with context.database.transaction() as session:
        values = {"before": context.clock() - KEEP, "most": FORGET_BATCH}
        await session.execute(_FORGET, values)


@asynccontextmanager
async def shadowing(context: Context, shadows: Shadows) -> AsyncIterator[None]:
    """Scores and stores beside the block."""
    task = asyncio.create_task(_run(context, shadows), name="shadows")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _run(context: Context, shadows: Shadows) -> None:
    while True:
        await shadows.arrival()
        await asyncio.sleep(GATHER_S)
        while taken := shadows.taken():
            await _score(context, shadows, taken)


async def _score(context: Context, shadows: Shadows, taken: Mapping[str, Sequence[Seen]]) -> None:
    scores: list[Scores] = []
    for product, seen in taken.items():
        for challenger in shadows.challengers.get(product, ()):
            for start in range(0, len(seen), SLICE):
                scores.append(scored_by(challenger, seen[start : start + SLICE]))
                await asyncio.sleep(0)
    if not scores:  # the last challenger was withdrawn meanwhile
        return
    try:
        async with context.database.statement() as session:
            await store(session, scores, now=context.clock())
    except Exception as error:
        LEFT_OUT.labels("not_stored").inc(sum(len(one.ids) for one in scores))
        log.warning("shadow.not_stored", extra={"cause": type(error).__name__})
