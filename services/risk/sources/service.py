"""Asks the outside for what a policy needs, within one deadline, and says how each answer came.

`gather` opens its own statements and transactions: none is open while a source is asked.
"""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any, cast
from uuid import UUID
from weakref import WeakValueDictionary

from services.risk.sources import gauges, repository
from services.risk.sources.answers import known_answers
from services.risk.sources.breakers import Breaker
from services.risk.sources.domain import PURPOSES, TERMS, Consent, Kept, State, may_ask
from services.risk.sources.port import Cause, Connector, Question, SourceFailed
from services.risk.sources.repository import UseRow
from shared.contracts.http.risk_sources import Purpose, Source
from shared.kit import tracing
from shared.kit.app import Context
from shared.kit.clock import new_id
from shared.kit.database import Database

log = logging.getLogger(__name__)

#: What is left of a request's time for everything that follows the last answer.
RESERVE_MS = 300


@dataclass(frozen=True, slots=True)
class SourceUse:
    """What became of one source that a decision asked for: a part of the decision's record.

    `age_ms` is that of the answer, null where there is none. `cost_minor` is in fen of CNY.
    """

    source: str
    state: State
    age_ms: int | None
    cost_minor: int
    cause: str | None
    elapsed_ms: int

    def kept(self) -> dict[str, Any]:
        """As the decision's record has it, in JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Gathered:
    """`facts` go to the policy as `sources`; null for a source that said nothing.

    `degraded` are flags of the decision: `source_unavailable.bureau`, `source_stale.bureau`,
    `source_no_consent.bureau`.
    """

    facts: Mapping[str, Mapping[str, object] | None]
    uses: tuple[SourceUse, ...]
    degraded: tuple[str, ...]


NOTHING = Gathered({}, (), ())


@dataclass(slots=True)
class Sources:
    """What asks, in this process. A source without a connector is one that is always away."""

    connectors: Mapping[Source, Connector]
    breakers: Mapping[Source, Breaker]
    deadline_ms: int
    #: What is waited for one source; the table's where it is not named.
    timeouts_ms: Mapping[Source, int] = field(default_factory=dict)
    _turns: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary)

    def turn(self, customer_id: str) -> asyncio.Lock:
        """Two decisions on one customer at once pay for one answer: the second finds it kept."""
        lock = self._turns.get(customer_id)
        if lock is None:
            lock = self._turns[customer_id] = asyncio.Lock()
        return lock

    def timeout_ms(self, source: Source) -> int:
        return self.timeouts_ms.get(source, TERMS[source].timeout_ms)


def sources_of(context: Context) -> Sources:
    """What the start-up has opened."""
    return cast("Sources", context.resources["sources"])


async def gather(
    context: Context,
    *,
    decision_id: UUID,
    customer_id: str,
    product: str,
    needs: frozenset[str],
    now: datetime,
) -> Gathered:
    """Ask the sources that a policy `needs`, all at once; never raises for a source's fault.

    Without the customer's consent a source is not asked, and an answer that is kept not used.

    Raises:
        Unavailable: the database is away, so that no call could be accounted for.
    """
    return await gathered(
        sources_of(context),
        context.database,
        decision_id=decision_id,
        customer_id=customer_id,
        purpose=PURPOSES.get(product),
        needs=needs,
        now=now,
    )


@dataclass(frozen=True, slots=True)
class _Asked:
    """One source of one decision: its row in the books, and the facts once there are some."""

    source: str
    row: UseRow
    facts: Mapping[str, object] | None = None
    #: What is kept of the source, for the case that it does not answer.
    kept: Kept | None = None
    fresh: Kept | None = None


async def gathered(
    sources: Sources,
    database: Database,
    *,
    decision_id: UUID,
    customer_id: str,
    purpose: Purpose | None,
    needs: frozenset[str],
    now: datetime,
) -> Gathered:
    """See `gather`; `purpose` is what the customer's consent has to be for."""
    if not needs:
        return NOTHING
    blank = UseRow(
        use_id=decision_id,
        decision_id=decision_id,
        customer_id=customer_id,
        source="",
        purpose=purpose or "none",
        state="failed",
        is_call=False,
        charged=False,
        cost_minor=0,
        cause=None,
        age_ms=None,
        elapsed_ms=0,
        used_at=now,
    )
    async with sources.turn(customer_id):
        return await _in_turn(sources, database, blank, needs, purpose)


async def _in_turn(
    sources: Sources,
    database: Database,
    blank: UseRow,
    needs: frozenset[str],
    purpose: Purpose | None,
) -> Gathered:
    customer_id, now = blank.customer_id, blank.used_at
    async with database.statement() as session:
        consents = await repository.latest_consents(session, customer_id=customer_id)
        kept = await repository.kept_answers(session, customer_id=customer_id, now=now)
    deadline_ms = _left_ms(sources)
    plan = [
        _planned(
            sources,
            replace(blank, use_id=new_id(), source=name),
            consents,
            kept.get(name),
            deadline_ms,
        )
        for name in sorted(needs)
    ]
    try:
        async with database.statement() as session:
            await repository.insert_uses(session, [asked.row for asked in plan])
        answered = await _ask_all(sources, plan, deadline_ms=deadline_ms)
    finally:
        # whatever ended it, a breaker's one trial call must not stay out for ever
        for asked in plan:
            if asked.row.is_call:
                sources.breakers[cast("Source", asked.source)].release(asked.row.use_id)
    calls = [asked for asked in answered if asked.row.is_call]
    if calls:
        await _book(database, calls, customer_id=customer_id, purpose=purpose)
    return _told(answered)


def _planned(
    sources: Sources,
    row: UseRow,
    consents: Mapping[tuple[str, str], Consent],
    found: Kept | None,
    deadline_ms: float,
) -> _Asked:
    """What is done about one source: a refusal, a kept answer, or a call that goes out next."""
    if row.source not in TERMS:
        return _Asked(row.source, replace(row, cause="unknown_source"))
    source, now = cast("Source", row.source), row.used_at
    purpose = row.purpose
    if purpose == "none" or not may_ask(
        consents, source=source, purpose=cast("Purpose", purpose), now=now
    ):
        return _Asked(source, replace(row, state="refused_consent"))
    checked = None if found is None else known_answers(source, found.answers)
    if found is not None and checked is not None:
        found = replace(found, answers=checked)
        row = replace(row, age_ms=_ms(found.age(now).total_seconds()))
        if found.age(now) <= TERMS[source].valid_for:
            return _Asked(source, replace(row, state="cached"), found.answers)
    else:
        found = None
    obstacle = _obstacle(sources, source, row.use_id, deadline_ms)
    if obstacle is not None:
        return _without(_Asked(source, row, kept=found), obstacle)
    return _Asked(source, replace(row, state="asked", is_call=True, charged=None), kept=found)


def _obstacle(sources: Sources, source: Source, use_id: UUID, deadline_ms: float) -> Cause | None:
    """Why no call goes out; without one, the breaker has let this call in."""
    if source not in sources.connectors:
        return "not_configured"
    if deadline_ms <= 0:
        return "deadline"
    return None if sources.breakers[source].admits(time.monotonic(), use_id) else "breaker_open"


def _without(asked: _Asked, cause: str, **changes: Any) -> _Asked:
    """The source said nothing: an aged answer stands in, where there is one."""
    if asked.kept is None:
        row = replace(asked.row, state="failed", cause=cause, age_ms=None, **changes)
        return replace(asked, row=row)
    row = replace(asked.row, state="stale", cause=cause, **changes)
    return replace(asked, row=row, facts=asked.kept.answers)


def _left_ms(sources: Sources) -> float:
    """How long all sources together may take; none where the request has no time for them."""
    left = tracing.remaining_ms()
    return sources.deadline_ms if left is None else min(sources.deadline_ms, left - RESERVE_MS)


async def _ask_all(sources: Sources, plan: Sequence[_Asked], *, deadline_ms: float) -> list[_Asked]:
    async def one(asked: _Asked) -> _Asked:
        if not asked.row.is_call:
            return asked
        return await _ask(sources, asked, deadline_ms=deadline_ms)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(asked)) for asked in plan]
    return [task.result() for task in tasks]


async def _ask(sources: Sources, asked: _Asked, *, deadline_ms: float) -> _Asked:
    source, row = cast("Source", asked.source), asked.row
    terms, breaker = TERMS[source], sources.breakers[source]
    question = Question(row.use_id, row.customer_id, cast("Purpose", row.purpose))
    own_ms = sources.timeout_ms(source)
    timeout_ms = min(own_ms, deadline_ms)
    began = time.monotonic()
    try:
        answers = await _answers(sources.connectors[source], question, timeout_ms / 1000)
    except SourceFailed as error:
        cause: str = error.cause
        if cause == "timeout" and timeout_ms < own_ms:
            cause = "deadline"  # it was not given the time that it may take
        else:
            breaker.failed(time.monotonic(), row.use_id)
        elapsed_ms = _ms(time.monotonic() - began)
        log.warning(
            "source.failed",
            extra={"source": source, "cause": cause, "breaker": breaker.state(time.monotonic())},
        )
        cost_minor = terms.price_minor if error.charged else 0
        return _without(
            asked, cause, charged=error.charged, cost_minor=cost_minor, elapsed_ms=elapsed_ms
        )
    breaker.succeeded()
    row = replace(
        row,
        state="live",
        charged=True,
        cost_minor=terms.price_minor,
        age_ms=0,
        elapsed_ms=_ms(time.monotonic() - began),
    )
    return replace(asked, row=row, facts=answers, fresh=Kept(source, answers, row.used_at))


async def _answers(
    connector: Connector, question: Question, timeout_s: float
) -> Mapping[str, object]:
    try:
        return await connector.ask(question, timeout_s=timeout_s)
    except SourceFailed:
        raise
    except Exception as error:
        # a connector's own mistake is that source's failure, and no other's
        log.exception("source.mistake", extra={"cause": type(error).__name__})
        raise SourceFailed("mistake", charged=None) from error


async def _book(
    database: Database, calls: Sequence[_Asked], *, customer_id: str, purpose: Purpose | None
) -> None:
    """Write down how each call ended, and keep what it brought where that is still allowed."""
    async with database.transaction() as session:
        await repository.lock_customer(session, customer_id=customer_id)
        consents = await repository.latest_consents(session, customer_id=customer_id)
        for asked in calls:
            await repository.end_call(session, asked.row)
            fresh = asked.fresh
            if fresh is None or purpose is None:
                continue
            # it may have been withdrawn while the source was asked
            if may_ask(consents, source=fresh.source, purpose=purpose, now=asked.row.used_at):
                consent = consents.get((fresh.source, purpose))
                await repository.keep_answer(
                    session,
                    fresh,
                    customer_id=customer_id,
                    allowed_until=consent.until if consent else None,
                )


_FLAGS: Mapping[str, str] = {
    "stale": "source_stale",
    "failed": "source_unavailable",
    "refused_consent": "source_no_consent",
}


def _told(answered: Sequence[_Asked]) -> Gathered:
    for asked in answered:
        gauges.USES.labels(asked.source, asked.row.state).inc()
        gauges.COST.labels(asked.source).inc(asked.row.cost_minor)
    uses = tuple(
        SourceUse(
            source=asked.source,
            state=cast("State", asked.row.state),
            age_ms=asked.row.age_ms,
            cost_minor=asked.row.cost_minor,
            cause=asked.row.cause,
            elapsed_ms=asked.row.elapsed_ms or 0,
        )
        for asked in answered
    )
    return Gathered(
        facts={asked.source: asked.facts for asked in answered},
        uses=uses,
        degraded=tuple(f"{_FLAGS[use.state]}.{use.source}" for use in uses if use.state in _FLAGS),
    )


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
