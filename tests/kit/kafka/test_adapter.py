"""What is Kafka's own in the adapter: topics, listeners that ask who one is, a broker away."""

import asyncio
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import KafkaError

from shared.contracts.topics import BY_NAME, Topic
from shared.kit.bus.port import Bus
from shared.kit.bus.select import open_bus
from tests.broker import Broker
from tests.kit.adapters import KafkaAdapter
from tests.kit.support import Kit, Stream, Told, collect, everything, numbers, topic_named


@pytest.fixture(scope="module")
def admin(broker: Broker) -> Any:
    with KafkaAdminClient(bootstrap_servers=broker.bootstrap) as client:
        yield client


class TestTopic:
    async def test_is_made_as_the_topic_table_has_it(
        self, bus: Bus, admin: KafkaAdminClient, unique: str
    ):
        name = f"kit.kept-{unique}.v1"
        BY_NAME[name] = Topic(name, ("kit",), (), "word", 30, 3)
        try:
            await Told(name).publish(bus, 9)
        finally:
            del BY_NAME[name]
        (topic,) = admin.describe_topics([name])
        assert len(topic["partitions"]) == 3
        wanted = [ConfigResource(ConfigResourceType.TOPIC, name)]
        configs = admin.describe_configs(wanted, config_filter="all")["topic"][name]
        assert configs["retention.ms"]["value"] == str(30 * 24 * 3600 * 1000)
        assert configs["message.timestamp.type"]["value"] == "LogAppendTime"

    async def test_without_an_end_is_kept_for_good(
        self, bus: Bus, admin: KafkaAdminClient, told: Told
    ):
        await told.publish(bus, 1)
        wanted = [ConfigResource(ConfigResourceType.TOPIC, told.topic)]
        configs = admin.describe_configs(wanted, config_filter="all")["topic"][told.topic]
        assert configs["retention.ms"]["value"] == "-1"

    async def test_with_other_partitions_than_the_table_has_is_refused(
        self, bus: Bus, kit: Kit, broker: Broker, unique: str
    ):
        name = f"kit.grown-{unique}.v1"
        with topic_named(name, partitions=2):
            await Told(name).publish(bus, 4)
        later = KafkaAdapter(kit, broker.settings()).open("kafka-later")
        with topic_named(name, partitions=4), pytest.raises(ValueError, match="2 partitions, not"):
            await Told(name).publish(later, 4)
        await later.close()

    async def test_record_without_an_id_gets_the_same_one_each_time(
        self, bus: Bus, broker: Broker, told: Told
    ):
        await told.publish(bus, 1)
        with KafkaProducer(bootstrap_servers=broker.bootstrap) as foreign:
            foreign.send(told.topic, value=b"\xff not ours", partition=0).get(timeout=10)
        first, second = await everything(bus, told.topic), await everything(bus, told.topic)
        assert len(first) == 2
        assert first == second


class TestListener:
    @pytest.mark.parametrize("kind", ["sasl", "tls"])
    async def test_that_asks_who_one_is_is_met(
        self, kit: Kit, broker: Broker, told: Told, stream: Stream, kind: str
    ):
        settings = broker.sasl_settings() if kind == "sasl" else broker.tls_settings()
        bus = KafkaAdapter(kit, settings).open("kafka-secure")
        await told.publish(bus, 10)
        assert numbers(await everything(bus, told.topic)) == list(range(10))
        consumer = await bus.consumer(group=stream.group, topics=[told.topic], member="one")
        assert numbers(await collect(consumer, 10)) == list(range(10))
        await consumer.close()
        await bus.close()

    async def test_refuses_whom_it_does_not_know(self, kit: Kit, broker: Broker, told: Told):
        unsigned = broker.tls_settings()
        del unsigned["KAFKA_SSL_CAFILE"]
        strangers = [
            broker.sasl_settings() | {"KAFKA_SASL_PASSWORD": "guessed"},
            broker.sasl_settings() | {"KAFKA_SECURITY_PROTOCOL": "PLAINTEXT"},
            broker.tls_settings() | {"KAFKA_SECURITY_PROTOCOL": "PLAINTEXT"},
            unsigned,
        ]

        async def refused(settings: dict[str, str]) -> BaseException | None:
            bus = KafkaAdapter(kit, settings).open("kafka-stranger")
            try:
                await told.publish(bus, 1)
            except KafkaError as error:
                return error
            finally:
                await bus.close()
            return None

        async with asyncio.timeout(60):
            assert all(await asyncio.gather(*(refused(one) for one in strangers)))

    def test_without_an_address_is_no_setting(self, kit: Kit):
        settings = kit.settings.model_copy(update={"bus": "kafka"})
        with pytest.raises(ValueError, match="KAFKA_BOOTSTRAP_SERVERS"):
            open_bus(settings, application="kafka-nowhere")


class TestBrokerThatStandsStill:
    async def test_is_told_to_who_waits_for_it_and_is_met_again(
        self, bus: Bus, kit: Kit, broker: Broker, told: Told
    ):
        await told.publish(bus, 5)
        reading = KafkaAdapter(kit, broker.settings()).open("kafka-reading")
        reader = await reading.reader(topics=[told.topic], since=None)
        await collect(reader, 5)

        async def poll_until_it_fails() -> None:
            while True:
                await reader.poll(limit=10, timeout_s=0.2)

        broker.freeze()
        try:
            # Else a reader would believe that it has seen everything there is.
            polling = asyncio.create_task(poll_until_it_fails())
            with pytest.raises(KafkaError):
                await told.publish(bus, 5, first=5)
            with pytest.raises(KafkaError):
                await polling
        finally:
            broker.thaw()
        await told.publish(bus, 5, first=5)
        found = await collect(reader, 5)
        # What was under way when it was given up may have come as well; the inbox absorbs it.
        assert set(numbers(found)) == set(range(5, 10))
        await reader.close()
        await reading.close()
