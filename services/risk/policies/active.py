"""The versions that are in force, ready to rule in this process.

A decision reads the number of the last activation with the statement that it begins with. Where
that is newer than what is loaded here, the versions are loaded first: so every replica decides by
the new version from the first decision after the activation was committed.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from services.risk.policies import repository, trials
from services.risk.policies.domain import PRODUCTS, PolicyRefused, Product
from services.risk.policies.programs import Program
from services.risk.policies.repository import ActivationRow, VersionRow
from services.risk.policies.seeds import APPROVER, AUTHOR, VERSION, seed, seed_program
from shared.kit.app import Context
from shared.kit.database import AnySession, Session

log = logging.getLogger(__name__)

RETRY_S = 1.0
#: The flag of a decision whose product has no version in force that works.
FALLBACK = "policy_fallback"


@dataclass(frozen=True, slots=True)
class _Loaded:
    """`is_fallback` where another version should decide, and cannot."""

    program: Program
    is_fallback: bool


class ActivePolicies:
    """By product, the version that decides. Until the first load the packaged ones do."""

    def __init__(self) -> None:
        #: The last activation that is loaded; None: nothing was read yet.
        self.revision: int | None = None
        self._loading = asyncio.Lock()
        self._loaded = {
            product: _Loaded(seed_program(product), is_fallback=True) for product in PRODUCTS
        }

    def of(self, product: Product) -> tuple[Program, tuple[str, ...]]:
        """The policy that decides now, and what to flag: nothing, or that it is a fallback."""
        loaded = self._loaded[product]
        return loaded.program, (FALLBACK,) if loaded.is_fallback else ()

    async def follow(self, session: AnySession, revision: int) -> None:
        """Load what is in force, where `revision` is newer than what is loaded."""
        if self.revision is not None and revision <= self.revision:
            return
        async with self._loading:
            if self.revision is not None and revision <= self.revision:
                return
            rows = {row.product: row for row in await repository.in_force(session)}
            for product in PRODUCTS:
                self._loaded[product] = self._next(product, rows.get(product))
            # what was read is at least as new as `revision`; the next decision finds out
            self.revision = revision

    def _next(self, product: Product, row: repository.InForce | None) -> _Loaded:
        now = self._loaded[product]
        if row is None or row.graph is None or row.tests is None:
            log.error("policy.missing", extra={"product": product})
            return _Loaded(now.program, is_fallback=True)
        if row.version == now.program.version and not now.is_fallback:
            return now
        try:
            program = checked(product, row.version, row.graph, row.tests)
        except Exception as error:  # whatever is wrong with it, it must not decide
            log.exception(
                "policy.broken",
                extra={"policy": f"{product}-{row.version}", "cause": type(error).__name__},
            )
            return _Loaded(now.program, is_fallback=True)
        log.info("policy.active", extra={"policy": program.label})
        return _Loaded(program, is_fallback=False)


def checked(
    product: Product, version: str, graph: Mapping[str, Any], tests: Mapping[str, Any]
) -> Program:
    """The version ready to rule, its tests passed in this process. Raises PolicyRefused."""
    program = Program(product=product, version=version, graph=graph)
    report = trials.run(program, trials.trials_of(tests, program=program))
    if not report.passed:
        raise PolicyRefused("tests", report.complaint())
    return program


async def plant_seeds(session: Session, *, now: datetime) -> None:
    """Give each product that has no version yet the packaged one, and put it in force."""
    for product in PRODUCTS:
        await repository.lock(session, product)
        if await repository.numbers(session, product):
            continue
        packaged = seed(product)
        row = VersionRow(
            product=product,
            version=VERSION,
            graph=packaged.graph,
            tests=packaged.tests,
            based_on=None,
            note="Comes with the release",
            state="active",
            author=AUTHOR,
            drafted_at=now,
            proposed_at=now,
            approved_by=APPROVER,
            approved_at=now,
        )
        await repository.insert_version(session, row)
        words = "the first version"
        await repository.insert_activation(
            session, ActivationRow(product, VERSION, "seed", None, AUTHOR, words, now)
        )


async def _prepare(context: Context, policies: ActivePolicies) -> None:
    while policies.revision is None:
        try:
            async with context.database.transaction() as session:
                await plant_seeds(session, now=context.clock())
            async with context.database.statement() as alone:
                await policies.follow(alone, await repository.revision(alone))
        except Exception as error:
            log.warning("policies.retry", extra={"cause": type(error).__name__})
            await asyncio.sleep(RETRY_S)


@asynccontextmanager
async def following(context: Context, policies: ActivePolicies) -> AsyncIterator[None]:
    """Loads the policies beside the block; `/readyz` waits for them."""
    context.ready["policies"] = lambda: policies.revision is not None
    task = asyncio.create_task(_prepare(context, policies), name="policies")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def policies_of(context: Context) -> ActivePolicies:
    """What the start-up has built."""
    return cast("ActivePolicies", context.resources["policies"])
