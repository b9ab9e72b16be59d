"""A watch over decisions that a test makes up: a database of its own, and a time of its own."""

import itertools
import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import numpy as np

from services.risk.watch import counting, references, repository, service
from services.risk.watch.domain import Alarm
from services.risk.watch.references import Reference
from services.risk.watch.service import Looked
from shared.kit.clock import new_id
from shared.kit.database import Database
from tests.risk.test_training import ARTIFACTS

#: Each test has two months of its own: what is counted of one is never of another.
_ERAS = itertools.count()
_COLUMNS = (
    "decision_id",
    "customer_id",
    "product",
    "body_hash",
    "outcome",
    "score",
    "reason_codes",
    "policy",
    "model",
    "model_sha256",
    "degraded",
    "features",
    "facts",
    "elapsed_us",
    "decided_at",
)
REFERENCE = references.load(ARTIFACTS)
#: What a tenth or so of the scores of training reach.
REVIEW_FROM = 0.005
POLICY = "payment-2026.1"


def era() -> datetime:
    """A moment two months after that of any other test."""
    return datetime(2030, 1, 1, tzinfo=UTC) + timedelta(days=60 * next(_ERAS))


@dataclass
class Watched:
    """A database with the tables of risk, watched at `now`."""

    database: Database
    dsn: str
    now: datetime
    rows: list[dict[str, Any]] = field(default_factory=list)

    async def sql(self, statement: str, *values: Any) -> list[Any]:
        connection = await asyncpg.connect(self.dsn)
        try:
            return await connection.fetch(statement, *values)
        finally:
            await connection.close()

    async def begin(self) -> None:
        """As if nothing was counted before; alarms of other tests are over."""
        await self.sql("DELETE FROM watch_places")
        await self.sql(
            "INSERT INTO watch_places (name, at, position)"
            " SELECT 'labels', now(), coalesce(max(position), 0) FROM labels"
        )
        await self.sql("UPDATE watch_alarms SET closed_at = now(), closed_why = 'below'")
        await self.sql("DELETE FROM watch_limits")
        async with self.database.transaction() as session:
            await counting.plant(session, REFERENCE)

    async def decide(self, rows: list[dict[str, Any]]) -> list[UUID]:
        """Store decisions as risk would; their ids."""
        kept = [_row(row) for row in rows]
        connection = await asyncpg.connect(self.dsn)
        try:
            await connection.copy_records_to_table(
                "decisions",
                records=[tuple(row[name] for name in _COLUMNS) for row in kept],
                columns=_COLUMNS,
            )
        finally:
            await connection.close()
        self.rows += kept
        return [row["decision_id"] for row in kept]

    async def label(self, decision_id: UUID, label: str, *, at: datetime) -> None:
        await self.sql(
            "INSERT INTO labels (decision_id, label, source, author, note, labelled_at)"
            " VALUES ($1, $2, 'staff', 's-tester', '', $3)",
            decision_id,
            label,
            at,
        )

    async def count(self, *, later: timedelta = counting.LAG) -> None:
        """Count all that there is."""
        while not (await counting.count_all(self.database, now=self.now + later)).is_done:
            pass

    async def look(self, *, later: timedelta = timedelta(0)) -> Looked:
        async with self.database.transaction() as session:
            return await service.look(session, now=self.now + later)

    async def counted_and_looked(self) -> Looked:
        await self.count()
        return await self.look()

    async def alarms(self) -> list[Alarm]:
        async with self.database.transaction() as session:
            return await repository.open_alarms(session)


def decision(at: datetime, **changes: Any) -> dict[str, Any]:
    """A payment that was approved, without a model."""
    row = {
        "product": "payment",
        "outcome": "approve",
        "score": None,
        "policy": POLICY,
        "model": None,
        "model_sha256": None,
        "degraded": [],
        "features": {},
        "facts": {"model": {"review_from": None}},
        "elapsed_us": 200,
        "decided_at": at,
    }
    return row | changes


def scored(at: datetime, *, score: float, features: dict[str, Any], **changes: Any) -> Any:
    """The same, scored by the model that comes with the release."""
    of_model = {
        "model": REFERENCE.model,
        "model_sha256": bytes.fromhex(REFERENCE.model_sha256),
        "facts": {"model": {"review_from": REVIEW_FROM}},
    }
    return decision(at, score=score, features=features, **of_model, **changes)


def spread(now: datetime, count: int, *, over: timedelta = timedelta(minutes=50)) -> list[datetime]:
    """Moments evenly before `now`, the oldest first."""
    return [now - over * (count - place) / (count + 1) for place in range(count)]


def drawn(reference: Reference, count: int, *, seed: int) -> list[tuple[float, dict[str, Any]]]:
    """Scores and features that are distributed as in training."""
    draw = np.random.default_rng(seed)
    columns = {}
    for name, one in reference.distributions().items():
        shares = np.asarray(one.counts) / sum(one.counts)
        # a value within each bin; the outer ones have no end
        inner = [(low + high) / 2 for low, high in itertools.pairwise(one.edges)]
        values = [None, one.edges[0] - 1e-9, *inner, one.edges[-1]]
        columns[name] = [values[place] for place in draw.choice(len(shares), count, p=shares)]
    names = list(columns)
    rows = [dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return [(min(1.0, max(0.0, row.pop("score"))), row) for row in rows]


def tally(rows: list[dict[str, Any]], *names: str) -> Counter[Any]:
    return Counter(tuple(row[name] for name in names) for row in rows)


def _row(row: dict[str, Any]) -> dict[str, Any]:
    kept = {
        "decision_id": new_id(),
        "customer_id": "c-watched",
        "body_hash": b"\0" * 32,
        "reason_codes": [],
    }
    kept |= row
    return kept | {name: json.dumps(kept[name]) for name in ("features", "facts")}
