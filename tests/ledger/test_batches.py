"""Orders that share a call: in a batch each ends as it would alone, one after the other."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from services.ledger import service
from services.ledger.holds import service as holds
from shared.contracts.events.envelope import Envelope
from shared.contracts.events.ledger import PostedLeg, TransferPosted
from shared.contracts.http import ledger as contract
from shared.kit.clock import bank_date, new_id
from shared.kit.database import Database
from shared.kit.problems import BankError
from shared.kit.tracing import span
from tests.bank import Bank
from tests.ledger.support import transfer

#: Far ahead, so that the running ledger's own clock finds no hold here overdue.
NOW = datetime(2099, 3, 4, 5, 6, 7, 891, tzinfo=UTC)
AMOUNTS = st.integers(1, 120)
SIDES = st.integers(0, 3)  # the last one does not exist
HOLDS = st.integers(0, 9)

OPEN = text(
    "WITH opened AS (INSERT INTO accounts SELECT account_id, '2011', 'CNY', 'h-' || account_id,"
    " floor_minor, false, DATE '2026-01-01', '', now()"
    " FROM unnest(CAST(:ids AS text[]), CAST(:floors AS bigint[])) AS t (account_id, floor_minor)"
    " RETURNING account_id)"
    " INSERT INTO balances SELECT account_id FROM opened"
)
STATE = text(
    "SELECT b.posted_minor, b.held_minor, b.entries,"
    " (SELECT coalesce(sum(h.amount_minor), 0) FROM holds AS h"
    "  WHERE h.account_id = b.account_id AND h.state = 'placed') AS placed"
    " FROM unnest(CAST(:ids AS text[])) WITH ORDINALITY AS w (account_id, place)"
    " JOIN balances AS b USING (account_id) ORDER BY w.place"
)
TOLD = text("SELECT envelope FROM outbox WHERE key = ANY(CAST(:keys AS text[])) ORDER BY position")


class World:
    """Three accounts and ten ids of holds and transfers, the same in each world but for a word."""

    def __init__(self, database: Database, *, floors: list[int], funds: list[int]) -> None:
        word = new_id().hex[12:]
        self.database = database
        self.names = [f"{side}-{word}" for side in range(3)]
        self.source = f"src-{word}"
        self.floors, self.funds = floors, funds
        self.hold_ids = [new_id() for _ in range(10)]
        self.transfer_ids = [new_id() for _ in range(10)]

    def name(self, side: int) -> str:
        return self.names[side] if side < 3 else f"nobody-{self.source}"

    async def open(self) -> None:
        async with self.database.statement() as session:
            ids = [*self.names, self.source]
            await session.execute(OPEN, {"ids": ids, "floors": [*self.floors, None]})
        async with self.database.statement() as session:
            orders = [
                self.posting(transfer((self.source, -amount), (name, amount)))
                for name, amount in zip(self.names, self.funds, strict=True)
            ]
            await service.post_orders(session, orders=orders, now=NOW)

    async def change(self, side: int, column: str, value: object) -> None:
        """What an operator does to an account: `frozen` or `floor_minor`."""
        async with self.database.statement() as session:
            statement = f"UPDATE accounts SET {column} = :value WHERE account_id = :id"
            await session.execute(text(statement), {"value": value, "id": self.names[side]})

    def posting(self, body: dict[str, Any]) -> service.Order:
        return service.order_of(contract.PostTransfer.model_validate(body), now=NOW)

    def placing(self, step: tuple[int, int, int, int, str]) -> holds.Placing:
        number, side, destination, amount, currency = step
        body = contract.PlaceHold(
            hold_id=self.hold_ids[number],
            account_id=self.name(side),
            destination_id=self.name(destination),
            amount_minor=amount,
            currency=currency,
            expires_in_s=60 + number,
        )
        # The last of the ids is of holds that are overdue as soon as they are placed.
        return holds.placing(body, now=NOW if number < 9 else NOW - timedelta(hours=1))

    def capturing(self, step: tuple[int, int, int | None]) -> holds.Capturing:
        number, transfer_number, amount = step
        body = contract.CaptureHold(
            transfer_id=self.transfer_ids[transfer_number], kind="test", amount_minor=amount
        )
        return holds.capturing(self.hold_ids[number], body)

    async def place(self, steps: Sequence[Any], *, batches: bool) -> list[object]:
        return await self._carry_out(holds.place, [self.placing(it) for it in steps], batches)

    async def capture(self, steps: Sequence[Any], *, batches: bool) -> list[object]:
        return await self._carry_out(holds.capture, [self.capturing(it) for it in steps], batches)

    async def _carry_out(self, act: Any, orders: list[Any], batches: bool) -> list[object]:
        found = []
        for batch in [orders] if batches else [[order] for order in orders]:
            async with self.database.statement() as session:
                found += await act(session, orders=batch, now=NOW)
        return [self._plain(reply) for reply in found]

    def _plain(self, reply: Any) -> object:
        """The reply without the words and ids that differ from world to world."""
        if isinstance(reply, BankError):
            said = reply.detail
            for number, it in enumerate([*self.names, self.source, *self.hold_ids]):
                said = said.replace(str(it), f"<{number}>")
            return type(reply), said, reply.field, reply.expected
        number = self.hold_ids.index(reply.hold_id)
        by = self.transfer_ids.index(reply.transfer_id) if reply.transfer_id else None
        return number, reply.state, reply.amount_minor, reply.expires_at, by

    async def state(self) -> list[tuple[int, ...]]:
        async with self.database.statement() as session:
            rows = (await session.execute(STATE, {"ids": self.names})).all()
        return [tuple(row) for row in rows]

    async def told(self) -> list[str]:
        keys = [str(it) for it in self.transfer_ids]
        async with self.database.statement() as session:
            return list((await session.execute(TOLD, {"keys": keys})).scalars())


CHANGES = st.sampled_from(
    [None, ("frozen", True), ("frozen", False), ("floor_minor", 80), ("floor_minor", -20)]
)
PLACES = st.lists(
    st.tuples(HOLDS, SIDES, SIDES, AMOUNTS, st.sampled_from(["CNY"] * 6 + ["EUR"])),
    min_size=1,
    max_size=10,
    unique_by=lambda step: step[0],
)
CAPTURES = st.lists(
    st.tuples(HOLDS, HOLDS, st.one_of(st.none(), AMOUNTS)),
    min_size=1,
    max_size=10,
    unique_by=(lambda step: step[0], lambda step: step[1]),
)


@asynccontextmanager
async def world(
    bank: Bank, *, floors: list[int] | None = None, funds: list[int] | None = None
) -> AsyncIterator[World]:
    database = Database(bank.credentials["ledger"].dsn, pool_size=8, application="test")
    opened = World(database, floors=floors or [0, 0, 0], funds=funds or [1000, 1000, 1000])
    await opened.open()
    yield opened
    await database.close()


class TestBatch:
    @settings(max_examples=20)
    @given(
        floors=st.lists(st.integers(-50, 0), min_size=3, max_size=3),
        funds=st.lists(st.integers(1, 300), min_size=3, max_size=3),
        rounds=st.lists(
            st.tuples(PLACES, CHANGES, st.integers(0, 2), CAPTURES), min_size=1, max_size=3
        ),
    )
    def test_of_holds_ends_as_one_after_the_other(
        self, bank: Bank, floors: list[int], funds: list[int], rounds: list[Any]
    ):
        bank.start("ledger")

        async def live(*, batches: bool) -> list[object]:
            seen: list[object] = []
            async with world(bank, floors=floors, funds=funds) as it:
                for places, change, side, captures in rounds:
                    seen.append(await it.place(places, batches=batches))
                    if change is not None:
                        await it.change(side, *change)
                    seen.append(await it.capture(captures, batches=batches))
                    seen.append(await it.state())
                seen.append(len(await it.told()))
                assert all(held == placed for _, held, _, placed in await it.state())
            return seen

        assert asyncio.run(live(batches=True)) == asyncio.run(live(batches=False))

    async def test_lets_the_first_of_two_holds_through_and_a_smaller_one_after(self, bank: Bank):
        bank.start("ledger")
        async with world(bank) as it:
            steps = [(number, 0, 1, amount, "CNY") for number, amount in enumerate([700, 400, 300])]
            replies = await it.place(steps, batches=True)
            assert [isinstance(reply[0], int) for reply in replies] == [True, False, True]
            assert (await it.state())[0] == (1000, 1000, 1, 1000)

    async def test_keeps_the_hold_of_a_capture_that_is_refused(self, bank: Bank):
        bank.start("ledger")
        async with world(bank) as it:
            await it.place([(0, 0, 1, 100, "CNY"), (1, 2, 1, 100, "CNY")], batches=True)
            await it.change(0, "frozen", value=True)
            frozen, captured = await it.capture([(0, 0, None), (1, 1, 60)], batches=True)
            assert frozen[2] == "legs.0.account_id"
            assert captured[:2] == (1, "captured")
            assert await it.state() == [(1000, 100, 1, 100), (1060, 0, 2, 0), (940, 0, 2, 0)]
            assert len(await it.told()) == 1

    async def test_counts_the_holds_that_come_after_where_a_floor_was_raised(self, bank: Bank):
        bank.start("ledger")
        async with world(bank) as it:
            await it.place([(0, 0, 1, 600, "CNY"), (1, 0, 1, 400, "CNY")], batches=True)
            await it.change(0, "floor_minor", value=500)
            refused = await it.capture([(0, 0, None), (1, 1, None)], batches=True)
            assert [reply[0].code for reply in refused] == ["insufficient_funds"] * 2
            assert (await it.state())[0] == (1000, 1000, 1, 1000)

    async def test_never_waits_for_another_in_a_ring(self, bank: Bank):
        bank.start("ledger")
        async with world(bank, funds=[10**6] * 3) as it:

            async def both_ways(turn: int) -> None:
                sides = [(0, 1), (1, 2), (2, 0), (1, 0)]
                for _ in range(12):
                    steps = [
                        holds.placing(
                            contract.PlaceHold(
                                hold_id=new_id(),
                                account_id=it.names[debit],
                                destination_id=it.names[credit],
                                amount_minor=1,
                                currency="CNY",
                                expires_in_s=60,
                            ),
                            now=NOW,
                        )
                        for debit, credit in sides[:: 1 if turn % 2 else -1]
                    ]
                    async with it.database.statement() as session:
                        placed = await holds.place(session, orders=steps, now=NOW)
                    captures = [
                        holds.capturing(
                            reply.hold_id, contract.CaptureHold(transfer_id=new_id(), kind="test")
                        )
                        for reply in reversed(placed)
                    ]
                    async with it.database.statement() as session:
                        ended = await holds.capture(session, orders=captures, now=NOW)
                    assert {reply.state for reply in ended} == {"captured"}

            await asyncio.gather(*(both_ways(turn) for turn in range(8)))
            assert [held for _, held, _, _ in await it.state()] == [0, 0, 0]


class TestEvent:
    async def test_written_by_the_database_is_what_the_model_would_write(self, bank: Bank):
        bank.start("ledger")
        async with world(bank) as it:
            bodies = [
                transfer((it.names[0], -7), (it.names[1], 3), (it.names[2], 4)),
                transfer((it.names[0], -5000), (it.names[1], 5000)),
                transfer((it.names[1], -1), (it.source, 1), value_date="2026-02-28"),
            ]
            for number in range(3):
                bodies[number]["transfer_id"] = str(it.transfer_ids[number])
            with span(None) as trace:
                first = it.posting(bodies[0])
            orders = [first, *(it.posting(body) for body in bodies[1:])]
            async with it.database.statement() as session:
                replies = await service.post_orders(session, orders=orders, now=NOW)
            posted = [(order, reply) for order, reply in zip(orders, replies, strict=True)]
            assert isinstance(posted.pop(1)[1], BankError)
            told = await it.told()
            assert len(told) == 2
            for written, (order, reply) in zip(told, posted, strict=True):
                event = TransferPosted(
                    transfer_id=reply.transfer_id,
                    kind="test",
                    value_date=reply.value_date,
                    booking_date=bank_date(NOW),
                    recorded_at=NOW,
                    legs=[
                        PostedLeg(
                            account_id=leg.account_id,
                            holder_id=f"h-{leg.account_id}",
                            amount_minor=leg.amount_minor,
                            currency="CNY",
                            balance_minor=leg.balance_minor,
                        )
                        for leg in reply.postings
                    ],
                )
                envelope = Envelope(
                    id=Envelope.model_validate_json(written).id,
                    source="ledger",
                    type="TransferPosted",
                    time=NOW,
                    subject=str(reply.transfer_id),
                    traceparent=trace.traceparent() if order is first else None,
                    data=event.model_dump(mode="json"),
                )
                assert written == envelope.model_dump_json()
