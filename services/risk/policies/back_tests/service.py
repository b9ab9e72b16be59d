"""Back-tests: kept decisions ruled again by a version and by the one in force.

It runs beside the live decisions of its process and gives way to them: a few rulings at a time,
each some microseconds, then whatever else waits. What the version in force itself has decided is
not ruled again by it: a replay of it gives the same, which is tested.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast
from uuid import UUID

from services.risk.policies import repository as versions
from services.risk.policies import service as policies
from services.risk.policies.back_tests import repository
from services.risk.policies.back_tests.domain import Kept, Tally, said_by
from services.risk.policies.back_tests.repository import BackTestRow, Place
from services.risk.policies.contents import read as read_version
from services.risk.policies.domain import Product
from services.risk.policies.programs import Program
from shared.contracts.http import risk_policies as contract
from shared.kit.app import Context
from shared.kit.auth import Caller
from shared.kit.clock import new_id
from shared.kit.database import AnySession, Session
from shared.kit.problems import BankError, InvalidRequest

log = logging.getLogger(__name__)

#: Decisions of one statement. Their JSON is read by slices, since that takes as long as ruling.
PAGE = 256
#: Decisions ruled before others get their turn.
SLICE = 16
TELL_EVERY = 2_048
#: Silent for so long, its process has died.
LOST_AFTER = timedelta(seconds=60)
MAX_SPAN = timedelta(days=400)


class BackTestNotFound(BankError):
    status, code, title = 404, "back_test_not_found", "There is no such back-test"


class BackTestRunning(BankError):
    status, code, title = 409, "back_test_running", "Another back-test runs; wait for its end"


class BackTests:
    """The back-tests of policies and models that run in this process: one at a time."""

    def __init__(self) -> None:
        self._running: asyncio.Task[None] | None = None

    @property
    def is_busy(self) -> bool:
        return self._running is not None and not self._running.done()

    def start(self, context: Context, row: BackTestRow, before: Program, after: Program) -> None:
        self.run(_run(context, row, before=before, after=after))

    def run(self, work: Coroutine[object, object, None]) -> None:
        self._running = asyncio.create_task(work, name="back-test")

    async def stop(self) -> None:
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)


@asynccontextmanager
async def back_testing(context: Context) -> AsyncIterator[None]:
    """Ends with the block whatever back-test still runs."""
    running = context.resources["back_tests"] = BackTests()
    try:
        yield
    finally:
        await running.stop()


def back_tests_of(context: Context) -> BackTests:
    return cast("BackTests", context.resources["back_tests"])


async def ask(
    session: Session,
    *,
    running: BackTests,
    product: Product,
    version: str,
    body: contract.AskBackTest,
    caller: Caller,
    now: datetime,
) -> tuple[BackTestRow, Program, Program]:
    """Note a back-test, and what to run: the row, the version in force, the version asked for.

    Raises InvalidRequest, BackTestRunning, PolicyVersionNotFound.
    """
    check_span(body.since, body.until)
    if running.is_busy:
        raise BackTestRunning
    after, _ = read_version(await policies.found(session, product=product, version=version))
    last = await versions.last_activation(session, product=product)
    if last is None:
        raise policies.PolicyVersionNotFound("No version of this product is in force yet")
    before, _ = read_version(await policies.found(session, product=product, version=last.version))
    row = BackTestRow(
        back_test_id=new_id(),
        product=product,
        version=version,
        against=last.version,
        since=body.since,
        until=body.until,
        most=body.most,
        asked_by=caller.staff_id or caller.service,
        asked_at=now,
        told_at=now,
    )
    await repository.insert_back_test(session, row)
    return row, before, after


async def read(session: Session, *, back_test_id: UUID, now: datetime) -> contract.BackTest:
    """How far it is, or its swap-set. Raises BackTestNotFound."""
    row = await repository.back_test(session, back_test_id)
    if row is None:
        raise BackTestNotFound(f"There is no back-test {back_test_id}")
    return told(row, now=now)


def told(row: BackTestRow, *, now: datetime) -> contract.BackTest:
    lost = row.state == "running" and row.told_at + LOST_AFTER < now
    values = {name: getattr(row, name) for name in BackTestRow.__slots__}
    return contract.BackTest.model_validate(values | ({"state": "lost"} if lost else {}))


def check_span(since: datetime, until: datetime) -> None:
    """Raises InvalidRequest."""
    for field, at in (("since", since), ("until", until)):
        if at.tzinfo is None:
            raise InvalidRequest(field=field, expected="a time with its offset from UTC")
    if not timedelta(0) < until - since <= MAX_SPAN:
        words = f"a time after since, by at most {MAX_SPAN.days} days"
        raise InvalidRequest(field="until", expected=words)


async def _run(context: Context, row: BackTestRow, *, before: Program, after: Program) -> None:
    tally, began = Tally(), time.perf_counter_ns()
    state, swap_set = "failed", None
    try:
        await _replay(context, row, tally, before=before, after=after)
        state, swap_set = "done", tally.swap_set()
    except Exception as error:
        log.exception("back_test.failed", extra={"cause": type(error).__name__})
    async with context.database.statement() as session:
        await repository.tell(
            session,
            row.back_test_id,
            state=state,
            seen=tally.seen,
            spent_us=(time.perf_counter_ns() - began) // 1000,
            now=context.clock(),
            swap_set=swap_set,
        )


async def _replay(
    context: Context, row: BackTestRow, tally: Tally, *, before: Program, after: Program
) -> None:
    began = time.perf_counter_ns()

    async def tell(session: AnySession) -> None:
        await repository.tell(
            session,
            row.back_test_id,
            state="running",
            seen=tally.seen,
            spent_us=(time.perf_counter_ns() - began) // 1000,
            now=context.clock(),
        )

    asked = Asked(row.product, row.since, row.until, row.most)
    async for kept in slices(context, asked, tell=tell):
        rule_again(kept, tally, before=before, after=after)


@dataclass(frozen=True, slots=True)
class Asked:
    """Which kept decisions a back-test wants: a product's newest `most` between two times."""

    product: str
    since: datetime
    until: datetime
    most: int


async def slices(
    context: Context, asked: Asked, *, tell: Callable[[AnySession], Awaitable[None]]
) -> AsyncIterator[Sequence[Kept]]:
    """The decisions, the newest first, some at a time; others get their turn after each part.

    `tell` is called now and then, so that whoever waits sees how far it is.
    """
    place: Place | None = Place(asked.until, UUID(int=0))
    left, unheard = asked.most, 0
    while place is not None and left > 0:
        async with context.database.statement() as session:
            rows, place = await repository.page(
                session,
                product=asked.product,
                since=asked.since,
                before=place,
                limit=min(PAGE, left),
            )
            left, unheard = left - len(rows), unheard + len(rows)
            if unheard >= TELL_EVERY:
                unheard = 0
                await tell(session)
        for start in range(0, len(rows), SLICE):
            yield [repository.kept_of(row, asked.product) for row in rows[start : start + SLICE]]
            await asyncio.sleep(0)


def rule_again(kept: Sequence[Kept], tally: Tally, *, before: Program, after: Program) -> None:
    """Rule decisions by both versions, and count what comes of it."""
    for one in kept:
        if one.facts is None:
            tally.unreadable += 1
            continue
        by_itself = one.policy_sha256 == before.sha256
        was = one.said() if by_itself else said_by(before.ruling(one.facts))
        tally.add(one, before=was, after=said_by(after.ruling(one.facts)))
