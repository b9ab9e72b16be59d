"""Counts decisions and labels into slots of time, a bounded number of them a statement.

Nothing is read twice: a place in the decisions of each product, and one in the labels, says how
far the counting came, and moves in the statement that counts.
"""

import asyncio
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, Double, bindparam, delete, func, insert, select, text
from sqlalchemy.dialects.postgresql import insert as upsert

from services.risk.policies.domain import PRODUCTS
from services.risk.watch.domain import DELAY_EDGES_S, LATENCY_EDGES_US, SLOT
from services.risk.watch.models import watch_bins, watch_counts, watch_places, watch_references
from services.risk.watch.references import Reference
from shared.kit.database import Database, Session

#: Decisions that one statement counts: with their features, some ten milliseconds.
PAGE: Final = 100
#: Pages of a product in one round; what is left waits for the next one.
PAGES: Final = 500
#: Between two pages the database rests so many times as long as one took: decisions that are made
#: meanwhile wait for it.
REST: Final = 9
#: A decision is stored a moment after the time that it bears, and replicas' clocks differ a
#: little. What is younger than this is left for the next round, so that none is passed over.
LAG: Final = timedelta(seconds=20)
#: A bank whose decisions were never counted begins with those of its last two weeks.
BEGIN: Final = timedelta(days=15)
#: Features of about so many decisions of a product are counted a day. Reading those of one takes
#: a tenth of a millisecond, and drift is as sure of a sample as of all; everything else is exact.
SAMPLE: Final = 20_000
KEEP_BINS: Final = timedelta(days=15)
FORGET_BATCH: Final = 20_000
LABELS: Final = "labels"

_PLACE = select(watch_places).where(watch_places.c.name == bindparam("of")).with_for_update()

#: `width_bucket` has the bins of `bisect_right`: an edge belongs to the bin that it begins.
_COUNT = text(
    """
    WITH page AS MATERIALIZED (
        SELECT decision_id, decided_at, product, policy, coalesce(model, '') AS model,
            model_sha256, outcome, score, degraded, elapsed_us, features,
            (facts -> 'model' ->> 'review_from')::float8 AS review_from,
            date_bin(:slot, decided_at, TIMESTAMPTZ 'epoch') AS slot,
            date_bin('1 hour', decided_at, TIMESTAMPTZ 'epoch') AS hour
        FROM decisions
        WHERE product = :product AND (decided_at, decision_id) > (:at, CAST(:last AS uuid))
            AND decided_at <= :until
        ORDER BY decided_at, decision_id
        LIMIT :most
    ), counted AS (
        INSERT INTO watch_counts AS kept
            (product, slot, policy, model, outcome, decisions, degraded, failed, alerts)
        SELECT product, slot, policy, model, outcome, count(*),
            count(*) FILTER (WHERE cardinality(degraded) > 0),
            count(*) FILTER (WHERE array_to_string(degraded, ' ') LIKE '%rule_failed%'),
            count(*) FILTER (WHERE score >= review_from)
        FROM page
        GROUP BY product, slot, policy, model, outcome
        ON CONFLICT (product, slot, policy, model, outcome) DO UPDATE SET
            decisions = kept.decisions + excluded.decisions,
            degraded = kept.degraded + excluded.degraded,
            failed = kept.failed + excluded.failed,
            alerts = kept.alerts + excluded.alerts
    ), of_subjects AS (
        SELECT subject, slot, elapsed_us, degraded
        FROM page CROSS JOIN LATERAL (VALUES (policy), (model)) AS subjects (subject)
        WHERE subject <> ''
    ), binned AS (
        SELECT subject, slot, 'latency' AS measure,
            width_bucket(elapsed_us::float8, :latency) AS bin
        FROM of_subjects
        UNION ALL
        SELECT subject, slot, 'cause.' || cause, 0
        FROM of_subjects CROSS JOIN LATERAL unnest(degraded) AS causes (cause)
        UNION ALL
        SELECT page.model, hour, name, CASE
            WHEN value IS NULL OR value = 'null' THEN 0
            ELSE 1 + width_bucket((value #>> '{}')::float8, edges) END
        FROM page
            CROSS JOIN LATERAL jsonb_each(features || jsonb_build_object('score', score))
                AS given (name, value)
            JOIN watch_references USING (model_sha256, name)
        WHERE score IS NOT NULL
            AND (:every = 1 OR mod(hashtext(decision_id::text)::bigint, :every) = 0)
    ), kept_bins AS (
        INSERT INTO watch_bins AS kept (subject, slot, measure, bin, decisions)
        SELECT subject, slot, measure, bin, count(*) FROM binned
        GROUP BY subject, slot, measure, bin
        ON CONFLICT (subject, slot, measure, bin)
            DO UPDATE SET decisions = kept.decisions + excluded.decisions
    ), moved AS (
        UPDATE watch_places SET at = last.decided_at, decision_id = last.decision_id
        FROM (
            SELECT decided_at, decision_id FROM page
            ORDER BY decided_at DESC, decision_id DESC LIMIT 1
        ) AS last
        WHERE name = :product
    )
    SELECT count(*) FROM page
    """
).bindparams(
    bindparam("slot", value=SLOT),
    bindparam("every", type_=BigInteger),
    bindparam("latency", value=list(LATENCY_EDGES_US), type_=ARRAY(Double)),
)

#: The label before takes its decision out of the count again: the last one counts.
_COUNT_LABELS = text(
    """
    WITH page AS MATERIALIZED (
        SELECT position, label, labelled_at, decision_id
        FROM labels
        WHERE position > :position AND position < coalesce(
            (SELECT min(position) FROM labels
                WHERE position > :position AND labelled_at > :until),
            9223372036854775807
        )
        ORDER BY position
        LIMIT :most
    ), known AS MATERIALIZED (
        SELECT page.label, labelled_at, decided_at, product, policy,
            coalesce(model, '') AS model,
            date_bin(:slot, decided_at, TIMESTAMPTZ 'epoch') AS slot,
            (SELECT former.label FROM labels AS former
                WHERE former.decision_id = page.decision_id AND former.position < page.position
                ORDER BY former.position DESC LIMIT 1) AS before
        FROM page JOIN decisions USING (decision_id)
    ), changes AS (
        SELECT product, slot, policy, model, label, 1 AS change FROM known
        UNION ALL
        SELECT product, slot, policy, model, before, -1 FROM known WHERE before IS NOT NULL
    ), counted AS (
        INSERT INTO watch_labels AS kept (product, slot, policy, model, label, decisions)
        SELECT product, slot, policy, model, label, sum(change) FROM changes
        GROUP BY product, slot, policy, model, label
        ON CONFLICT (product, slot, policy, model, label)
            DO UPDATE SET decisions = kept.decisions + excluded.decisions
    ), delays AS (
        INSERT INTO watch_bins AS kept (subject, slot, measure, bin, decisions)
        SELECT subject, date_bin(:slot, labelled_at, TIMESTAMPTZ 'epoch'), 'delay',
            width_bucket(extract(epoch FROM labelled_at - decided_at)::float8, :delays), count(*)
        FROM known CROSS JOIN LATERAL (VALUES (policy), (model)) AS subjects (subject)
        WHERE before IS NULL AND subject <> ''
        GROUP BY 1, 2, 3, 4
        ON CONFLICT (subject, slot, measure, bin)
            DO UPDATE SET decisions = kept.decisions + excluded.decisions
    ), moved AS (
        UPDATE watch_places SET at = last.labelled_at, position = last.position
        FROM (SELECT labelled_at, position FROM page ORDER BY position DESC LIMIT 1) AS last
        WHERE name = 'labels'
    )
    SELECT count(*) FROM page
    """
).bindparams(
    bindparam("slot", value=SLOT),
    bindparam("delays", value=list(DELAY_EDGES_S), type_=ARRAY(Double)),
)


@dataclass(frozen=True, slots=True)
class Counted:
    """How many a round counted, and whether it came to the end of what there is."""

    seen: int
    is_done: bool


async def count_all(database: Database, *, now: datetime) -> Counted:
    """Count what was decided and labelled until a moment ago; a bounded part where it is much."""
    until, seen, is_done = now - LAG, 0, True
    await _begin(database, at=now - BEGIN)
    for product in (*PRODUCTS, LABELS):
        async with database.transaction() as session:
            every = await _every(session, product, now=now)
        for _ in range(PAGES):
            began = time.monotonic()
            async with database.transaction() as session:
                found = await _page(session, product, until=until, every=every)
            seen += found
            if found < PAGE:
                break
            await asyncio.sleep(REST * (time.monotonic() - began))
        else:
            is_done = False
    return Counted(seen, is_done)


async def _begin(database: Database, *, at: datetime) -> None:
    first = {"at": at, "decision_id": UUID(int=0), "position": None}
    rows = [{"name": product, **first} for product in PRODUCTS]
    rows.append({"name": LABELS, "at": at, "decision_id": None, "position": 0})
    async with database.transaction() as session:
        await session.execute(upsert(watch_places).values(rows).on_conflict_do_nothing())


async def _every(session: Session, product: str, *, now: datetime) -> int:
    """One decision in so many has its features counted: by how many a day lately were made."""
    lately = select(func.coalesce(func.sum(watch_counts.c.decisions), 0)).where(
        watch_counts.c.product == product, watch_counts.c.slot >= now - timedelta(days=1)
    )
    return max(1, int((await session.execute(lately)).scalar_one()) // SAMPLE)


async def _page(session: Session, name: str, *, until: datetime, every: int) -> int:
    place = (await session.execute(_PLACE, {"of": name})).one()
    if name == LABELS:
        values = {"position": place.position, "until": until, "most": PAGE}
        return int((await session.execute(_COUNT_LABELS, values)).scalar_one())
    values = {"product": name, "at": place.at, "last": place.decision_id}
    values |= {"until": until, "most": PAGE, "every": every}
    return int((await session.execute(_COUNT, values)).scalar_one())


_LOCK_REFERENCE = text("SELECT pg_advisory_xact_lock(hashtextextended('watch ' || :model, 0))")


async def plant(session: Session, reference: Reference) -> None:
    """Keep what a model's decisions are compared with.

    Another file under the same name has other bins, so what was counted into the old ones goes.
    """
    digest = bytes.fromhex(reference.model_sha256)
    # rows that are not there cannot be locked, and two workers may come with the same ones
    await session.execute(_LOCK_REFERENCE, {"model": reference.model})
    kept = select(watch_references.c.model_sha256).where(
        watch_references.c.model == reference.model
    )
    found = {bytes(row) for row in (await session.execute(kept)).scalars()}
    if found == {digest}:
        return
    if found:
        of_model = watch_bins.c.subject == reference.model
        await session.execute(delete(watch_bins).where(of_model))
        of_model = watch_references.c.model == reference.model
        await session.execute(delete(watch_references).where(of_model))
    rows = [
        {
            "model": reference.model,
            "name": name,
            "model_sha256": digest,
            "edges": one.edges,
            "counts": one.counts,
        }
        for name, one in reference.distributions().items()
    ]
    await session.execute(insert(watch_references), rows)


_FORGET = text(
    """
    DELETE FROM watch_bins WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM watch_bins WHERE slot < :before LIMIT :most
    ))
    """
)


async def forget(session: Session, *, now: datetime) -> None:
    """Drop a bounded number of histograms that no window reaches any more."""
    await session.execute(_FORGET, {"before": now - KEEP_BINS, "most": FORGET_BATCH})
