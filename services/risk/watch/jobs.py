"""The worker's round: count what was decided, look at it, and take back what does harm."""

import asyncio
import logging
from datetime import datetime
from pathlib import Path

from services.risk.policies.domain import PRODUCTS
from services.risk.registry import repository as registry
from services.risk.settings import RiskSettings
from services.risk.watch import counting, gauges, guards, references, service
from services.risk.watch.references import Reference, ReferenceRefused
from services.risk.watch.service import Looked
from shared.kit.app import Context
from shared.kit.database import Database

log = logging.getLogger(__name__)

EVERY_S = 30.0
#: Under which name a context keeps why there is no reference, so that it is told once.
REFUSED = "watch_reference_refused"


def reference_of(context: Context) -> Reference | None:
    """The reference beside the model as it is now, since its files may change meanwhile.

    None, told in the log, where it is refused: rates and latency go on alone.
    """
    settings = context.settings
    folder = settings.artifacts_dir if isinstance(settings, RiskSettings) else Path()
    try:
        found = references.load(folder)
    except ReferenceRefused as error:
        if context.resources.get(REFUSED) != str(error):
            log.error("watch.reference_refused", extra={"cause": str(error)})  # noqa: TRY400
        context.resources[REFUSED] = str(error)
        return None
    context.resources.pop(REFUSED, None)
    return found


async def watch(context: Context) -> None:
    """The worker's job."""
    reference = await asyncio.to_thread(reference_of, context)
    await plant_registered(context.database, besides=reference)
    looked = await one_round(context.database, reference=reference, now=context.clock())
    if looked is not None:
        gauges.show(looked)


async def plant_registered(database: Database, *, besides: Reference | None) -> None:
    """Keep what came with models of the registry; one that is not whole is told in the log."""
    async with database.statement() as session:
        found = await registry.references(session)
    for label, content in found.items():
        if besides is not None and label == besides.model:
            continue
        try:
            reference = references.read(content)
        except ReferenceRefused as error:
            log.warning("watch.reference_refused", extra={"model": label, "cause": str(error)})
            continue
        async with database.transaction() as session:
            await counting.plant(session, reference)


async def one_round(
    database: Database, *, reference: Reference | None, now: datetime
) -> Looked | None:
    """One round. What lies further back than a round can count is counted by the next ones.

    None where there is such: rates of half of the decisions are no rates.
    """
    if reference is not None:
        async with database.transaction() as session:
            await counting.plant(session, reference)
    counted = await counting.count_all(database, now=now)
    if not counted.is_done:
        log.info("watch.catching_up", extra={"decisions": counted.seen})
        return None
    async with database.transaction() as session:
        looked = await service.look(session, now=now)
    for product in PRODUCTS:
        try:
            async with database.transaction() as session:
                await guards.judge(session, product=product, now=now)
        except Exception as error:  # the other products are judged all the same
            log.exception(
                "watch.guard_failed", extra={"product": product, "cause": type(error).__name__}
            )
    async with database.transaction() as session:
        await counting.forget(session, now=now)
    return looked
