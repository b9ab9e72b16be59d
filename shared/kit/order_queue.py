"""Requests that arrive while a commit runs share the next one.

There is no timer: what waits when the writer is free goes together, so a lone request waits for
nobody and a crowd costs one call and one commit. Each still gets its own answer, after the commit
that holds what it asked for.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Generic, Protocol, TypeVar
from uuid import UUID

from shared.kit.app import Context
from shared.kit.database import AnySession
from shared.kit.problems import BankError, Unavailable

#: Orders of one commit: more would let the last of them wait too long.
MAX_BATCH = 500
#: Orders that may wait; one more is told to come again.
MAX_WAITING = 5_000

OrderT = TypeVar("OrderT")
ReplyT = TypeVar("ReplyT")
OrderT_contra = TypeVar("OrderT_contra", contravariant=True)
ReplyT_co = TypeVar("ReplyT_co", covariant=True)


class CarryOut(Protocol[OrderT_contra, ReplyT_co]):
    """Carries a batch out in its order, each for itself, in one call that commits by itself.

    Gives for each its answer or the error that refused it.
    """

    async def __call__(
        self, session: AnySession, *, orders: Sequence[OrderT_contra], now: datetime
    ) -> Sequence[ReplyT_co | BankError]: ...


class OrderQueue(Generic[OrderT, ReplyT]):
    """Gathers single orders of one kind into batches; one writer empties it.

    `ids` gives what an order may not share with another one of the same batch.
    """

    def __init__(
        self,
        context: Context,
        *,
        ids: Callable[[OrderT], tuple[UUID, ...]],
        carry_out: CarryOut[OrderT, ReplyT],
    ) -> None:
        self._context = context
        self._ids = ids
        self._carry_out = carry_out
        self._waiting: deque[tuple[OrderT, asyncio.Future[ReplyT]]] = deque()
        self._arrived = asyncio.Event()

    async def submit(self, order: OrderT) -> ReplyT:
        """Carry the order out, together with whatever else waits.

        Raises:
            Unavailable, or the error that refused the order.
        """
        if len(self._waiting) >= MAX_WAITING:
            raise Unavailable("Too many requests wait for the database")
        answer: asyncio.Future[ReplyT] = asyncio.get_running_loop().create_future()
        self._waiting.append((order, answer))
        self._arrived.set()
        return await answer

    async def run(self) -> None:
        """Carry out what waits, until cancelled."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while batch := self._next_batch():
                await self._carry_out_batch(batch)

    def _next_batch(self) -> list[tuple[OrderT, asyncio.Future[ReplyT]]]:
        """What waits, oldest first. A second order under one id stays for the next batch."""
        batch: list[tuple[OrderT, asyncio.Future[ReplyT]]] = []
        later: list[tuple[OrderT, asyncio.Future[ReplyT]]] = []
        seen: set[UUID] = set()
        while self._waiting and len(batch) < MAX_BATCH:
            order, answer = self._waiting.popleft()
            if answer.done():  # its request has gone away
                continue
            ids = self._ids(order)
            (batch if seen.isdisjoint(ids) else later).append((order, answer))
            seen.update(ids)
        self._waiting.extendleft(reversed(later))
        return batch

    async def _carry_out_batch(self, batch: list[tuple[OrderT, asyncio.Future[ReplyT]]]) -> None:
        try:
            async with self._context.database.statement() as session:
                replies = await self._carry_out(
                    session, orders=[order for order, _ in batch], now=self._context.clock()
                )
        except Exception as error:
            if len(batch) == 1 or isinstance(error, Unavailable):
                for _, answer in batch:
                    _answer(answer, error)
                return
            # One of them broke the statement for all, so each goes alone.
            for waiting in batch:
                await self._carry_out_batch([waiting])
            return
        self._context.published()
        for (_, answer), reply in zip(batch, replies, strict=True):
            _answer(answer, reply)


def _answer(answer: asyncio.Future[ReplyT], reply: ReplyT | Exception) -> None:
    if answer.done():
        return
    if isinstance(reply, Exception):
        answer.set_exception(reply)
    else:
        answer.set_result(reply)
