"""Counting in small steps gives what a recount of everything gives."""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import numpy as np

from services.risk.watch import counting
from services.risk.watch.domain import DELAY_EDGES_S, LATENCY_EDGES_US, slot_of
from tests.risk.watch.support import (
    REFERENCE,
    REVIEW_FROM,
    Watched,
    decision,
    drawn,
    scored,
    spread,
)

HOUR = timedelta(hours=1)


def mixed(watched: Watched, count: int) -> list[dict[str, Any]]:
    """Decisions of several policies, outcomes and causes over three hours, most of them scored."""
    draw = np.random.default_rng(7)
    rows = []
    moments = spread(watched.now, count, over=timedelta(hours=3))
    for at, (score, features) in zip(moments, drawn(REFERENCE, count, seed=7), strict=True):
        given = {
            "policy": str(draw.choice(["payment-2026.1", "payment-2026.2"])),
            "outcome": str(draw.choice(["approve", "review", "decline"], p=[0.8, 0.15, 0.05])),
            "degraded": list(draw.choice(["windows_behind", "rule_failed.r1"], draw.integers(3))),
            "elapsed_us": int(draw.lognormal(5, 2)),
        }
        row = scored(at, score=score, features=features, **given)
        rows.append(row if draw.random() < 0.9 else decision(at, **given))
    return rows


async def kept(watched: Watched, table: str) -> list[dict[str, Any]]:
    """The rows of this test's own time."""
    since = watched.now - timedelta(days=20)
    found = await watched.sql(
        f"SELECT * FROM {table} WHERE slot BETWEEN $1 AND $2", since, watched.now + 20 * HOUR
    )
    return [dict(row) for row in found]


class TestCounting:
    async def test_gives_what_a_recount_gives(self, watched: Watched):
        rows = mixed(watched, 2_300)
        for start in range(0, len(rows), 900):  # in several rounds, as they would come
            await watched.decide(rows[start : start + 900])
            await watched.count()
        expected: dict[Any, Counter[str]] = {}
        for row in rows:
            key = (slot_of(row["decided_at"]), row["policy"], row["model"] or "", row["outcome"])
            counts = expected.setdefault(key, Counter())
            counts["decisions"] += 1
            counts["degraded"] += bool(row["degraded"])
            counts["failed"] += "rule_failed.r1" in row["degraded"]
            counts["alerts"] += row["score"] is not None and row["score"] >= REVIEW_FROM
        found = {
            (row["slot"], row["policy"], row["model"], row["outcome"]): Counter(
                {name: row[name] for name in ("decisions", "degraded", "failed", "alerts")}
            )
            for row in await kept(watched, "watch_counts")
        }
        assert found == expected
        assert sum(counts["alerts"] for counts in found.values()) > 5

    async def test_bins_values_as_the_reference_does(self, watched: Watched):
        rows = mixed(watched, 1_500)
        await watched.decide(rows)
        await watched.count()
        expected: Counter[Any] = Counter()
        edges = np.asarray(LATENCY_EDGES_US)
        for row in rows:
            slot, hour = slot_of(row["decided_at"]), slot_of(row["decided_at"], HOUR)
            for subject in filter(None, (row["policy"], row["model"])):
                place = int(np.searchsorted(edges, row["elapsed_us"], side="right"))
                expected[subject, slot, "latency", place] += 1
                for cause in row["degraded"]:
                    expected[subject, slot, f"cause.{cause}", 0] += 1
            if row["model"]:
                values = row["features"] | {"score": row["score"]}
                for name, one in REFERENCE.distributions().items():
                    expected[row["model"], hour, name, one.bin_of(values[name])] += 1
        found = Counter(
            {
                (row["subject"], row["slot"], row["measure"], row["bin"]): row["decisions"]
                for row in await kept(watched, "watch_bins")
            }
        )
        assert found == expected

    async def test_counts_each_once_where_two_count_at_once(self, watched: Watched):
        await watched.decide([decision(at) for at in spread(watched.now, 2_500)])
        await asyncio.gather(*(watched.count() for _ in range(3)))
        rows = await kept(watched, "watch_counts")
        assert sum(row["decisions"] for row in rows) == 2_500

    async def test_leaves_the_youngest_to_the_next_round(self, watched: Watched):
        """One that was made before, and is stored a moment later, is not passed over."""
        first, second = watched.now - timedelta(seconds=10), watched.now - timedelta(seconds=12)
        await watched.decide([decision(first)])
        await watched.count(later=timedelta(0))
        assert await kept(watched, "watch_counts") == []
        await watched.decide([decision(second)])
        await watched.count()
        assert sum(row["decisions"] for row in await kept(watched, "watch_counts")) == 2

    async def test_takes_a_bounded_number_a_round(self, watched: Watched, monkeypatch):
        monkeypatch.setattr(counting, "PAGE", 10)
        monkeypatch.setattr(counting, "PAGES", 2)
        await watched.decide([decision(at) for at in spread(watched.now, 25)])
        later = watched.now + counting.LAG
        found = await counting.count_all(watched.database, now=later)
        assert (found.seen, found.is_done) == (20, False)
        found = await counting.count_all(watched.database, now=later)
        assert (found.seen, found.is_done) == (5, True)

    async def test_takes_features_of_a_sample_where_there_are_many(
        self, watched: Watched, monkeypatch
    ):
        monkeypatch.setattr(counting, "SAMPLE", 100)
        rows = drawn(REFERENCE, 1_000, seed=8)
        moments = spread(watched.now, 1_000)
        made = [scored(at, score=s, features=f) for at, (s, f) in zip(moments, rows, strict=True)]
        await watched.decide(made[:400])
        await watched.count()  # four times as many as are wanted of a day
        await watched.decide(made[400:])
        await watched.count()
        counts = await kept(watched, "watch_counts")
        assert sum(row["decisions"] for row in counts) == 1_000
        bins = [row for row in await kept(watched, "watch_bins") if row["measure"] == "amount_log"]
        assert 400 + 90 < sum(row["decisions"] for row in bins) < 400 + 220

    async def test_begins_with_the_last_two_weeks(self, watched: Watched):
        ages = (timedelta(days=16), timedelta(days=14))
        await watched.decide([decision(watched.now - age) for age in ages])
        await watched.count()
        rows = await kept(watched, "watch_counts")
        assert [row["slot"] for row in rows] == [slot_of(watched.now - ages[1])]


class TestLabels:
    async def test_count_by_the_last_one_and_their_delay_by_the_first(self, watched: Watched):
        ids = await watched.decide(
            [decision(watched.now - timedelta(minutes=30)) for _ in range(3)]
        )
        minutes = timedelta(minutes=1)
        await watched.label(ids[0], "unknown", at=watched.now - 20 * minutes)
        await watched.label(ids[1], "honest", at=watched.now - 15 * minutes)
        await watched.count()
        await watched.label(ids[0], "fraud", at=watched.now - 10 * minutes)
        await watched.count()
        rows = await kept(watched, "watch_labels")
        counts = {row["label"]: row["decisions"] for row in rows}
        assert counts == {"fraud": 1, "honest": 1, "unknown": 0}
        delays = [row for row in await kept(watched, "watch_bins") if row["measure"] == "delay"]
        assert sum(row["decisions"] for row in delays) == 2
        edges = np.asarray(DELAY_EDGES_S)
        expected = {int(np.searchsorted(edges, s, side="right")) for s in (600.0, 900.0)}
        assert {row["bin"] for row in delays} == expected
        report = (await watched.look()).report
        labels = next(one for one in report.policies if one.policy == "payment-2026.1")
        found = labels.windows["hour"].labels
        assert (found.labelled.hits, found.labelled.seen) == (2, 3)
        assert (found.fraud.hits, found.fraud.seen) == (1, 2)

    async def test_of_no_decision_are_passed_over(self, watched: Watched):
        ids = await watched.decide([decision(watched.now - timedelta(minutes=30))])
        nobody = "01930000-0000-7000-8000-000000000009"
        await watched.label(nobody, "fraud", at=watched.now - timedelta(minutes=9))
        await watched.label(ids[0], "fraud", at=watched.now - timedelta(minutes=8))
        await watched.count()
        rows = await kept(watched, "watch_labels")
        assert [(row["label"], row["decisions"]) for row in rows] == [("fraud", 1)]


class TestReference:
    async def test_of_another_file_begins_the_histograms_anew(self, watched: Watched):
        row = drawn(REFERENCE, 1, seed=1)[0]
        at = watched.now - timedelta(minutes=30)
        await watched.decide([scored(at, score=row[0], features=row[1])])
        await watched.count()
        other = REFERENCE.model_copy(update={"model_sha256": "0" * 64})
        async with watched.database.transaction() as session:
            await counting.plant(session, other)
        found = [one for one in await kept(watched, "watch_bins") if one["measure"] == "score"]
        assert found == []
