"""Use cases of replays: kept decisions ruled and scored again by what is named in them.

It runs beside the live decisions of its process and gives way to them, as a back-test does.
"""

import asyncio
import logging
import time
from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import cast
from uuid import UUID

from services.risk import service as risk
from services.risk.policies import repository as versions
from services.risk.policies.domain import PolicyRefused, Product
from services.risk.policies.programs import Program
from services.risk.policies.seeds import seed_program
from services.risk.replays import repository
from services.risk.replays.domain import (
    Difference,
    facts_of,
    features_of,
    ruled_otherwise,
    scored_otherwise,
)
from services.risk.replays.kept_models import KeptModels
from services.risk.replays.repository import Place
from services.risk.repository import StoredDecision
from services.risk.scorecards import Scorer
from services.risk.scoring import FraudModel
from shared.kit.app import Context
from shared.kit.database import AnySession

log = logging.getLogger(__name__)

#: Decisions that are replayed before others get their turn: about a millisecond.
SLICE = 16
#: Decisions that are read at once: decoding them keeps others waiting.
READ = 64
#: Compiled versions that are held at once.
MOST_PROGRAMS = 32

ModelKey = tuple[str | None, bytes]


@dataclass(slots=True)
class Tally:
    """What came of the decisions that were replayed."""

    seen: int = 0
    equal: int = 0
    unreadable: int = 0
    scored: int = 0
    missing: Counter[ModelKey] = field(default_factory=Counter)
    differences: list[Difference] = field(default_factory=list)
    spent_ns: int = 0


class Replays:
    """What a replay needs in this process: versions and models, each made ready once."""

    def __init__(self, models: KeptModels) -> None:
        self.models = models
        self._programs: OrderedDict[tuple[str, bytes | None], Program] = OrderedDict()

    async def program(self, session: AnySession, made: StoredDecision) -> Program | None:
        """The version that made a decision; None where it is not kept as it was then.

        It is known by its label and, where the decision has it, the SHA-256 of its graph: the
        packaged version, which stands in at worst, may share a label with another one.
        """
        key = made.policy, made.policy_sha256
        if key not in self._programs:
            found = await _program(session, made)
            if found is None:
                return None
            self._programs[key] = found
            if len(self._programs) > MOST_PROGRAMS:
                self._programs.popitem(last=False)
        self._programs.move_to_end(key)
        return self._programs[key]


async def _program(session: AnySession, made: StoredDecision) -> Program | None:
    product = cast("Product", made.product)
    version = made.policy.removeprefix(f"{made.product}-")
    row = await versions.version(session, product=product, version=version)
    candidates: list[Program] = []
    if row is not None:
        try:
            candidates.append(Program(product=product, version=row.version, graph=row.graph))
        except PolicyRefused as error:
            log.warning("replay.policy_refused", extra={"cause": error.field})
    packaged = seed_program(product)
    if packaged.label == made.policy:
        candidates.append(packaged)
    for candidate in candidates:
        if made.policy_sha256 in {None, candidate.sha256}:
            return candidate
    return None


async def page(
    context: Context,
    *,
    replays: Replays,
    used: Sequence[Scorer],
    products: Sequence[str],
    since: datetime,
    before: Place,
    limit: int,
) -> tuple[Tally, Place | None]:
    """Replay a page of kept decisions, the youngest first."""
    tally = Tally()
    place: Place | None = before
    while place is not None and tally.seen < limit:
        async with context.database.statement() as session:
            made, place = await repository.page(
                session,
                products=products,
                since=since,
                before=place,
                limit=min(READ, limit - tally.seen),
            )
            await _replay(session, tally, replays, made, used=used)
    return tally, place


async def one(
    context: Context, *, replays: Replays, used: Sequence[Scorer], decision_id: UUID
) -> Tally:
    """Replay one kept decision. Raises DecisionNotFound."""
    async with context.database.statement() as session:
        made, tally = await risk.kept(session, decision_id), Tally()
        await _replay(session, tally, replays, [made], used=used)
    return tally


async def _replay(
    session: AnySession,
    tally: Tally,
    replays: Replays,
    made: Sequence[StoredDecision],
    *,
    used: Sequence[Scorer],
) -> None:
    models: dict[bytes, Scorer | None] = {}
    for start in range(0, len(made), SLICE):
        ready = []
        for decision in made[start : start + SLICE]:
            sha256 = decision.model_sha256
            if sha256 is not None and sha256 not in models:
                models[sha256] = await replays.models.find(sha256, used=used, session=session)
            model = None if sha256 is None else models[sha256]
            ready.append((decision, await replays.program(session, decision), model))
        began = time.perf_counter_ns()
        scores = _scores(ready)
        for i, (decision, program, _) in enumerate(ready):
            again(tally, decision, program=program, score=scores.get(i))
        tally.spent_ns += time.perf_counter_ns() - began
        await asyncio.sleep(0)


def _scores(
    ready: Sequence[tuple[StoredDecision, Program | None, Scorer | None]],
) -> dict[int, float]:
    """The scores by place, of those whose model is there: each model scores its own at once."""
    places: dict[int, tuple[Scorer, list[int]]] = {}
    for i, (decision, _, model) in enumerate(ready):
        if model is not None and decision.facts is not None:
            places.setdefault(id(model), (model, []))[1].append(i)
    found: dict[int, float] = {}
    for model, of_model in places.values():
        features = [features_of(ready[i][0]) for i in of_model]
        if isinstance(model, FraudModel):
            scores = [float(score) for score in model.scores_of(features)]
        else:
            scores = [model.scored(one).score for one in features]
        found.update(zip(of_model, scores, strict=True))
    return found


def again(
    tally: Tally, made: StoredDecision, *, program: Program | None, score: float | None
) -> None:
    """Rule one decision again, compare what the model scores now, and count what comes of it."""
    tally.seen += 1
    if made.facts is None:
        tally.unreadable += 1
        return
    if program is None:
        found = [Difference(made.decision_id, "policy", made.policy, None)]
    else:
        found = ruled_otherwise(made, program.ruling(facts_of(made)))
    if score is not None:
        tally.scored += 1
        found += scored_otherwise(made, score)
    elif made.model_sha256 is not None:
        tally.missing[(made.model, made.model_sha256)] += 1
    tally.equal += not found
    tally.differences += found
