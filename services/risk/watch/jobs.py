"""The worker's round: count what was decided, look at it, and take back what does harm."""

import logging

from services.risk.policies.domain import PRODUCTS
from services.risk.watch import counting, gauges, guards, references, service
from services.risk.watch.references import Reference
from shared.kit.app import Context

log = logging.getLogger(__name__)

EVERY_S = 30.0
REFERENCE = "watch_reference"


def reference_of(context: Context) -> Reference | None:
    """The reference beside the model, which the start-up has read."""
    found = context.resources.get(REFERENCE)
    return found if isinstance(found, references.Reference) else None


async def watch(context: Context) -> None:
    """One round. What lies further back than a round can count is counted by the next ones."""
    reference = reference_of(context)
    if reference is not None:
        async with context.database.transaction() as session:
            await counting.plant(session, reference)
    counted = await counting.count_all(context.database, now=context.clock())
    if not counted.is_done:
        log.info("watch.catching_up", extra={"decisions": counted.seen})
        return
    async with context.database.transaction() as session:
        looked = await service.look(session, now=context.clock())
    gauges.show(looked)
    for product in PRODUCTS:
        try:
            async with context.database.transaction() as session:
                await guards.judge(session, product=product, now=context.clock())
        except Exception as error:  # the other products are judged all the same
            log.exception(
                "watch.guard_failed", extra={"product": product, "cause": type(error).__name__}
            )
    async with context.database.transaction() as session:
        await counting.forget(session, now=context.clock())
