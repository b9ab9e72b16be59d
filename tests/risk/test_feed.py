"""The windows of a running service: fed from the bus, rebuilt at start, flagged when behind."""

from uuid import UUID

from services.risk.consumers import Feed
from services.risk.features import Windows
from shared.contracts.events.risk import DecisionLabelled
from shared.kit.bus.port import Record
from shared.kit.bus.postgres import PostgresBus
from shared.kit.clock import new_id
from tests.bank import Bank, eventually
from tests.risk.support import (
    NOON,
    decided,
    message,
    minutes,
    payment,
    publish,
    publish_and_wait,
    received,
    record,
    ring_of,
)


async def features_of(bank: Bank, made: dict) -> dict[str, float | None]:
    return dict((await record(bank, made["decision_id"]))["features"])


async def label(bank: Bank, body: dict, word: str) -> None:
    """Tell on the bus what became of a decision."""
    told = DecisionLabelled(
        decision_id=UUID(body["decision_id"]),
        customer_id=body["customer_id"],
        product="payment",
        label=word,
        source="staff",
        author="s-tester",
        at=NOON,
    )
    bus = PostgresBus(bank.credentials["bus"].dsn, application="test")
    try:
        await bus.publish([message(told)])
    finally:
        await bus.close()


class TestFeed:
    async def test_counts_what_other_replicas_decided(self, bank: Bank, unique: str):
        earlier = [
            payment(unique, amount_minor=10_000, at=(NOON - minutes(i)).isoformat())
            for i in range(1, 6)
        ]
        async with bank.client("risk") as risk:
            await publish_and_wait(risk, bank, unique, earlier)
            features = await features_of(bank, await decided(risk, bank, payment(unique)))
        assert features["customer_count_10m"] == 6
        assert features["payee_new"] == 0

    async def test_counts_a_payment_once_that_was_decided_here(self, bank: Bank, unique: str):
        body = payment(unique)
        async with bank.client("risk") as risk:
            await decided(risk, bank, body)
            await publish_and_wait(risk, bank, unique, [body, body])
            features = await features_of(bank, await decided(risk, bank, payment(unique)))
        assert features["customer_count_1h"] == 2

    async def test_leaves_out_what_came_later_than_the_payment(self, bank: Bank, unique: str):
        later = payment(unique, at=(NOON + minutes(1)).isoformat())
        async with bank.client("risk") as risk:
            await publish_and_wait(risk, bank, unique, [later])
            features = await features_of(bank, await decided(risk, bank, payment(unique)))
        assert features["customer_count_1h"] == 1
        assert features["payee_new"] == 1

    async def test_rebuilds_the_windows_before_it_is_ready(self, bank: Bank, unique: str):
        earlier = [payment(unique, at=(NOON - minutes(i)).isoformat()) for i in range(1, 8)]
        bank.start("risk")
        bank.kill("risk")
        await publish(bank, earlier)
        async with bank.client("risk") as risk:  # returns when /readyz says so
            made = await decided(risk, bank, payment(unique))
        assert (await features_of(bank, made))["customer_count_10m"] == 8
        assert made["degraded"] == []

    async def test_goes_on_past_an_event_that_cannot_be_read(self, bank: Bank, unique: str):
        bus = PostgresBus(bank.credentials["bus"].dsn, application="test")
        windows = Windows()
        feed = Feed(windows=windows, bus=bus)
        wrong = message(received(payment(f"{unique}-wrong"))).value
        assert '"amount_minor":1250' in wrong
        wrong = wrong.replace('"amount_minor":1250', '"amount_minor":-1')
        values = [
            "{",
            "{}",
            '{"type":"PaymentReceived"',
            '{"type":"PaymentReceived"}',
            wrong,
            message(received(payment(unique))).value,
        ]
        feed.apply(
            [
                Record("payments.payment.v1", 0, i, "k", new_id(), value, NOON)
                for i, value in enumerate(values)
            ]
        )
        assert {n for n, size in windows.size().items() if size} == {"customer", "account", "payee"}
        await bus.close()


class TestRings:
    async def test_join_customers_by_device_and_know_how_far_fraud_is(
        self, bank: Bank, unique: str
    ):
        shared = {"device_id": f"device-{unique}"}
        mule = payment(unique, customer_id=f"mule-{unique}", **shared)
        async with bank.client("risk") as risk:
            made = await decided(risk, bank, mule)
            assert await ring_of(bank, made) == {"size": 1, "fraud_distance": None}
            made = await decided(risk, bank, payment(unique, **shared))
            assert await ring_of(bank, made) == {"size": 2, "fraud_distance": None}
            await label(bank, mule, "fraud")

            async def near() -> bool:
                made = await decided(risk, bank, payment(unique))
                return await ring_of(bank, made) == {"size": 2, "fraud_distance": 2}

            await eventually(near)
            await label(bank, mule, "honest")

            async def cleared() -> bool:
                made = await decided(risk, bank, payment(unique))
                return await ring_of(bank, made) == {"size": 2, "fraud_distance": None}

            await eventually(cleared)
