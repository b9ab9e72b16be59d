"""Requests that arrive while a commit runs share the next one.

There is no timer: what waits when the writer is free goes together, so a lone request waits for
nobody and a crowd costs one call and one commit. Each still gets its own answer, after the commit
that holds its transfer.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from services.ledger import service
from services.ledger.service import Order
from shared.contracts.http import ledger as contract
from shared.kit.app import Context
from shared.kit.problems import Unavailable

#: Transfers of one commit: more would let the last of them wait too long.
MAX_BATCH = 500
#: Orders that may wait; one more is told to come again.
MAX_WAITING = 5_000

Waiting = tuple[Order, "asyncio.Future[contract.Transfer]"]


class PostingQueue:
    """Gathers single transfers into batches; one writer empties it."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._waiting: deque[Waiting] = deque()
        self._arrived = asyncio.Event()

    async def post(self, body: contract.PostTransfer) -> contract.Transfer:
        """Post one transfer, together with whoever else waits.

        Raises:
            What `service.order_of` and `service.post_orders` name, and Unavailable.
        """
        if len(self._waiting) >= MAX_WAITING:
            raise Unavailable("Too many transfers wait to be posted")
        order = service.order_of(body, now=self._context.clock())
        answer: asyncio.Future[contract.Transfer] = asyncio.get_running_loop().create_future()
        self._waiting.append((order, answer))
        self._arrived.set()
        return await answer

    async def run(self) -> None:
        """Post what waits, until cancelled."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while batch := self._next_batch():
                await self._post_batch(batch)

    def _next_batch(self) -> list[Waiting]:
        """What waits, oldest first. A second order under one id stays for the next batch."""
        batch: list[Waiting] = []
        later: list[Waiting] = []
        seen = set()
        while self._waiting and len(batch) < MAX_BATCH:
            waiting = self._waiting.popleft()
            if waiting[1].done():  # its request has gone away
                continue
            transfer_id = waiting[0].item.transfer_id
            (later if transfer_id in seen else batch).append(waiting)
            seen.add(transfer_id)
        self._waiting.extendleft(reversed(later))
        return batch

    async def _post_batch(self, batch: list[Waiting]) -> None:
        try:
            async with self._context.database.transaction() as session:
                replies = await service.post_orders(
                    session, orders=[order for order, _ in batch], now=self._context.clock()
                )
        except Exception as error:
            if len(batch) == 1 or isinstance(error, Unavailable):
                for _, answer in batch:
                    _answer(answer, error)
                return
            # One of them broke the statement for all, so each goes alone.
            for waiting in batch:
                await self._post_batch([waiting])
            return
        self._context.published()
        for (_, answer), reply in zip(batch, replies, strict=True):
            _answer(answer, reply)


def _answer(
    answer: "asyncio.Future[contract.Transfer]", reply: contract.Transfer | Exception
) -> None:
    if answer.done():
        return
    if isinstance(reply, Exception):
        answer.set_exception(reply)
    else:
        answer.set_result(reply)


@asynccontextmanager
async def posting(context: Context) -> AsyncIterator[None]:
    """The service's resource: a queue and its writer, while the service runs."""
    queue = PostingQueue(context)
    context.resources["postings"] = queue
    writer = asyncio.create_task(queue.run(), name="posting-queue")
    try:
        yield
    finally:
        writer.cancel()
        with suppress(asyncio.CancelledError):
            await writer


def postings_of(context: Context) -> PostingQueue:
    queue = context.resources["postings"]
    if not isinstance(queue, PostingQueue):
        raise TypeError("the posting queue is not running")
    return queue
