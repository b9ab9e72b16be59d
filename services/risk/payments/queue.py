"""The queue of a running risk: payments wait in it for the commit that they share."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import TypeAlias, cast

from services.risk.engine import Engine
from services.risk.payments import service
from services.risk.payments.service import Order
from shared.contracts.http import risk as contract
from shared.kit.app import Context
from shared.kit.database import AnySession
from shared.kit.order_queue import OrderQueue
from shared.kit.problems import BankError

PaymentQueue: TypeAlias = OrderQueue[Order, contract.Decision]


@asynccontextmanager
async def queueing(context: Context, engine: Engine) -> AsyncIterator[None]:
    """The queue and its writer, beside the block."""

    async def carry_out(
        session: AnySession, *, orders: Sequence[Order], now: datetime
    ) -> Sequence[contract.Decision | BankError]:
        return await service.decide(session, engine=engine, orders=orders, now=now)

    queue: PaymentQueue = OrderQueue(
        context, ids=lambda order: (order.body.decision_id,), carry_out=carry_out
    )
    context.resources["payment_queue"] = queue
    writer = asyncio.create_task(queue.run(), name="decisions")
    try:
        yield
    finally:
        writer.cancel()
        with suppress(asyncio.CancelledError):
            await writer


def queue_of(context: Context) -> PaymentQueue:
    """What the start-up has built."""
    return cast("PaymentQueue", context.resources["payment_queue"])
