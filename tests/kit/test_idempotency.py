"""What `once` promises: the same key and body have one effect and one answer."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from pydantic import BaseModel
from sqlalchemy import text

from shared.kit.clock import utc_now
from shared.kit.database import Database
from shared.kit.idempotency import KeyReused, body_hash, once
from tests.kit.support import Kit


class Order(BaseModel):
    amount_minor: int
    note: str | None = None


class NewerOrder(Order):
    """The same contract a release later: only optional fields are added."""

    urgent: bool = False
    channel: str | None = None


class Receipt(BaseModel):
    number: int


class Shop:
    """Counts its effects in the database, so that an undone one does not count."""

    def __init__(self, database: Database, kit: Kit) -> None:
        self._database = database
        self._kit = kit

    async def order(
        self,
        body: Order,
        *,
        key: str = "k",
        scope: str = "customer:order",
        after: Callable[[], Awaitable[None]] | None = None,
    ) -> Receipt:
        async with self._database.transaction() as session:

            async def act() -> Receipt:
                number = await session.scalar(
                    text("INSERT INTO effects (word, number) VALUES ('o', :n) RETURNING position"),
                    {"n": body.amount_minor},
                )
                if after is not None:
                    await after()
                return Receipt(number=number)

            return await once(
                session, scope=scope, key=key, body=body, now=utc_now(), reply=Receipt, act=act
            )

    async def effects(self) -> int:
        return len(await self._kit.rows("SELECT 1 FROM effects"))


@pytest.fixture
def shop(database: Database, emptied: Kit) -> Shop:
    return Shop(database, emptied)


class TestOnce:
    async def test_gives_the_stored_answer_to_the_same_key_and_body(self, shop: Shop):
        first = await shop.order(Order(amount_minor=5))
        assert await shop.order(Order(amount_minor=5)) == first
        assert await shop.effects() == 1

    async def test_refuses_the_key_with_another_body(self, shop: Shop):
        first = await shop.order(Order(amount_minor=5))
        with pytest.raises(KeyReused) as refused:
            await shop.order(Order(amount_minor=6))
        assert (refused.value.status, refused.value.field) == (422, "Idempotency-Key")
        assert await shop.effects() == 1
        assert await shop.order(Order(amount_minor=5)) == first

    async def test_takes_another_key_and_another_scope_for_another_write(self, shop: Shop):
        receipts = [
            await shop.order(Order(amount_minor=5)),
            await shop.order(Order(amount_minor=5), key="other"),
            await shop.order(Order(amount_minor=5), scope="other"),
        ]
        assert len({receipt.number for receipt in receipts}) == 3

    async def test_has_one_effect_of_sixteen_at_once(self, emptied: Kit):
        wide = emptied.database(pool_size=16)
        shop = Shop(wide, emptied)
        receipts = await asyncio.gather(*(shop.order(Order(amount_minor=5)) for _ in range(16)))
        await wide.close()
        assert len({receipt.number for receipt in receipts}) == 1
        assert await shop.effects() == 1

    async def test_refuses_all_but_one_of_sixteen_bodies_at_once(self, emptied: Kit):
        wide = emptied.database(pool_size=16)
        shop = Shop(wide, emptied)
        orders = (shop.order(Order(amount_minor=n)) for n in range(16))
        outcomes = await asyncio.gather(*orders, return_exceptions=True)
        await wide.close()
        assert sum(isinstance(outcome, Receipt) for outcome in outcomes) == 1
        assert sum(isinstance(outcome, KeyReused) for outcome in outcomes) == 15
        assert await shop.effects() == 1

    async def test_leaves_nothing_of_an_attempt_that_failed(self, shop: Shop, emptied: Kit):
        async def fail() -> None:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await shop.order(Order(amount_minor=5), after=fail)
        assert await emptied.rows("SELECT 1 FROM idempotency_keys") == []
        assert await shop.effects() == 0
        await shop.order(Order(amount_minor=6))
        assert await shop.effects() == 1

    async def test_lets_one_that_waited_act_where_the_first_failed(self, shop: Shop):
        begun, let_fail = asyncio.Event(), asyncio.Event()

        async def fail_later() -> None:
            begun.set()
            await let_fail.wait()
            raise ZeroDivisionError

        first = asyncio.create_task(shop.order(Order(amount_minor=5), after=fail_later))
        await begun.wait()
        second = asyncio.create_task(shop.order(Order(amount_minor=5)))
        let_fail.set()
        with pytest.raises(ZeroDivisionError):
            await first
        assert isinstance(await second, Receipt)
        assert await shop.effects() == 1


class TestBodyHash:
    def test_is_of_what_was_understood(self):
        same = [
            Order.model_validate_json('{"amount_minor": 5, "note": "n"}'),
            Order.model_validate_json('{ "note":"n","amount_minor":5, "unknown": 1}'),
        ]
        assert body_hash(same[0]) == body_hash(same[1])
        assert body_hash(same[0]) != body_hash(Order(amount_minor=5, note="m"))
        assert body_hash(same[0]) != body_hash(Order(amount_minor=5))

    def test_outlives_a_release_that_adds_an_optional_field(self):
        sent = {"amount_minor": 5, "note": "n"}
        before, after = Order.model_validate(sent), NewerOrder.model_validate(sent)
        assert body_hash(before) == body_hash(after)
        assert body_hash(after) != body_hash(NewerOrder(**sent, urgent=True))
