"""Evaluations: a candidate over kept decisions, beside the champion, by the policy in force.

One pass scores, rules and compares; out of it come the gates, the measures and the swap-set. It
runs beside the live decisions and gives way to them, as a back-test of a policy does.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, cast
from uuid import UUID

from services.risk.policies import repository as policies
from services.risk.policies.back_tests import service as back_tests
from services.risk.policies.back_tests.domain import Kept
from services.risk.policies.back_tests.service import Asked, BackTestRunning, BackTests
from services.risk.policies.contents import read as read_version
from services.risk.policies.domain import Product
from services.risk.policies.programs import Program
from services.risk.policies.service import PolicyVersionNotFound
from services.risk.policies.service import found as found_version
from services.risk.registry import contents
from services.risk.registry import repository as registry
from services.risk.registry.domain import gates_of, is_valid, papers_of
from services.risk.registry.evaluations import repository
from services.risk.registry.evaluations.domain import Comparison
from services.risk.registry.evaluations.figures import figures_of
from services.risk.registry.evaluations.repository import EvaluationRow
from services.risk.registry.repository import ModelRow
from services.risk.scorecards import Scorer
from services.risk.scoring import ModelRefused
from services.risk.watch import references
from services.risk.watch.references import Reference, ReferenceRefused
from shared.contracts.http import risk_models as contract
from shared.kit.app import Context
from shared.kit.auth import Caller
from shared.kit.clock import new_id
from shared.kit.database import AnySession, Session
from shared.kit.problems import BankError

log = logging.getLogger(__name__)

SPAN: Final = timedelta(days=30)
#: Decisions whose labels are read by one statement.
PART: Final = 256
#: Decisions that are scored at once: a call costs as much as ten rows of it.
SCORED: Final = 64


class EvaluationNotFound(BankError):
    status, code, title = 404, "evaluation_not_found", "There is no such evaluation"


class ModelUnsound(BankError):
    status, code, title = 409, "model_unsound", "The model's bytes are not as they were registered"


@dataclass(frozen=True, slots=True)
class Ready:
    """All that an evaluation needs, read and checked."""

    row: EvaluationRow
    model: ModelRow
    candidate: Scorer
    champion: Scorer | None
    reference: Reference | None
    policy: Program


async def ask(
    session: Session,
    *,
    running: BackTests,
    model: ModelRow,
    body: contract.AskEvaluation,
    caller: Caller,
    now: datetime,
) -> Ready:
    """Note an evaluation, and read what it needs.

    Raises InvalidRequest, BackTestRunning, ModelUnsound, PolicyVersionNotFound.
    """
    until = body.until or now
    since = body.since or until - SPAN
    back_tests.check_span(since, until)
    if running.is_busy:
        raise BackTestRunning
    product = cast("Product", model.product)
    last = await policies.last_activation(session, product=product)
    if last is None:
        raise PolicyVersionNotFound("No version of this product is in force yet")
    policy, _ = read_version(await found_version(session, product=product, version=last.version))
    candidate = await _sound(session, model.label)
    champions = await registry.of_product(session, product, state="champion")
    champion = await _sound(session, champions[0].label) if champions else None
    row = EvaluationRow(
        evaluation_id=new_id(),
        product=product,
        label=model.label,
        against=None if champion is None else champion.label,
        policy=last.version,
        since=since,
        until=until,
        most=body.most,
        asked_by=caller.staff_id or caller.service,
        asked_at=now,
        told_at=now,
    )
    await repository.insert_evaluation(session, row)
    reference = await _reference(session, model.label)
    return Ready(row, model, candidate, champion, reference, policy)


async def read(session: Session, *, evaluation_id: UUID, now: datetime) -> contract.Evaluation:
    """How far it is, or what it has found. Raises EvaluationNotFound."""
    row = await repository.evaluation(session, evaluation_id)
    if row is None:
        raise EvaluationNotFound(f"There is no evaluation {evaluation_id}")
    return told(row, now=now)


def told(row: EvaluationRow, *, now: datetime) -> contract.Evaluation:
    lost = row.state == "running" and row.told_at + back_tests.LOST_AFTER < now
    names = [name for name in contract.Evaluation.model_fields if name != "state"]
    values = {name: getattr(row, name) for name in names}
    return contract.Evaluation.model_validate(values | {"state": "lost" if lost else row.state})


async def run(context: Context, ready: Ready) -> None:
    """Carry it out, and keep what it has found or that it failed."""
    try:
        row = await _evaluated(context, ready)
    except Exception as error:
        log.exception("evaluation.failed", extra={"cause": type(error).__name__})
        row = replace(ready.row, state="failed")
    async with context.database.statement() as session:
        await repository.tell(session, replace(row, told_at=context.clock()))


async def _evaluated(context: Context, ready: Ready) -> EvaluationRow:
    found = Comparison(candidate=ready.candidate, champion=ready.champion, policy=ready.policy)
    row, began = ready.row, time.perf_counter_ns()

    async def tell(session: AnySession) -> None:
        spent_us = (time.perf_counter_ns() - began) // 1000
        now = context.clock()
        await repository.tell(
            session, replace(row, seen=found.tally.seen, spent_us=spent_us, told_at=now)
        )

    asked = Asked(row.product, row.since, row.until, row.most)
    part: list[Kept] = []
    async for kept in back_tests.slices(context, asked, tell=tell):
        part += kept
        if len(part) >= PART:
            await _add(context, found, part)
            part = []
    await _add(context, found, part)
    spent_us = (time.perf_counter_ns() - began) // 1000
    scores, theirs, labels = found.arrays()
    measures, figures = await asyncio.to_thread(
        figures_of,
        scores,
        theirs,
        labels,
        candidate=ready.candidate,
        champion=ready.champion,
        reference=ready.reference,
        tally=found.tally,
    )
    model = ready.model
    gates = gates_of(
        papers_of(model.checks),
        measures,
        is_in_time=is_valid(model.valid_from, model.valid_until, now=context.clock()),
    )
    return replace(
        row,
        state="done",
        seen=found.tally.seen,
        spent_us=spent_us,
        gates=[gate.kept() for gate in gates],
        figures=figures,
        swap_set=found.tally.swap_set(),
    )


async def _add(context: Context, found: Comparison, part: Sequence[Kept]) -> None:
    if not part:
        return
    async with context.database.statement() as session:
        labels = await repository.labels_of(session, [one.decision_id for one in part])
    for start in range(0, len(part), SCORED):
        ready = found.score(part[start : start + SCORED])
        await asyncio.sleep(0)
        for place in range(0, len(ready), back_tests.SLICE):
            found.rule(ready[place : place + back_tests.SLICE], labels)
            await asyncio.sleep(0)


async def _sound(session: Session, label: str) -> Scorer:
    """The checked model. Raises ModelUnsound."""
    content = await registry.content(session, label)
    try:
        if content is None:
            raise ModelRefused("there is no such model")
        return await asyncio.to_thread(contents.read, content)
    except ModelRefused as error:
        raise ModelUnsound(str(error)[:300]) from None


async def _reference(session: Session, label: str) -> Reference | None:
    content = await registry.reference(session, label)
    try:
        return None if content is None else references.read(content)
    except ReferenceRefused:
        return None
