"""The queues of a running ledger, one a kind of order: each has a writer of its own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from services.ledger import service
from services.ledger.holds import service as holds
from shared.contracts.http import ledger as contract
from shared.kit.app import Context
from shared.kit.order_queue import OrderQueue


@dataclass(frozen=True, slots=True)
class Queues:
    """Where single requests wait for the commit that they share."""

    transfers: OrderQueue[service.Order, contract.Transfer]
    places: OrderQueue[holds.Placing, contract.Hold]
    captures: OrderQueue[holds.Capturing, contract.Hold]


@asynccontextmanager
async def queues(context: Context) -> AsyncIterator[None]:
    """The service's resource: the queues and their writers, while the service runs."""
    opened = Queues(
        transfers=OrderQueue(
            context,
            ids=lambda order: (order.item.transfer_id,),
            carry_out=service.post_orders,
        ),
        places=OrderQueue(context, ids=lambda order: (order.body.hold_id,), carry_out=holds.place),
        captures=OrderQueue(
            context,
            ids=lambda order: (order.hold_id, order.body.transfer_id),
            carry_out=holds.capture,
        ),
    )
    context.resources["queues"] = opened
    writers = [
        asyncio.create_task(opened.transfers.run(), name="transfers"),
        asyncio.create_task(opened.places.run(), name="places"),
        asyncio.create_task(opened.captures.run(), name="captures"),
    ]
    try:
        yield
    finally:
        for writer in writers:
            writer.cancel()
        await asyncio.gather(*writers, return_exceptions=True)


def queues_of(context: Context) -> Queues:
    found = context.resources["queues"]
    if not isinstance(found, Queues):
        raise TypeError("the queues are not running")
    return found
