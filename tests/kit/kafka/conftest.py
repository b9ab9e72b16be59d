"""The tests of Kafka alone: their bus is on the tests' own broker, which they may kill."""

from collections.abc import AsyncIterator

import pytest

from shared.kit.bus.port import Bus
from tests.broker import Broker
from tests.kit.adapters import KafkaAdapter
from tests.kit.support import Kit


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent.name == "kafka":
            item.add_marker(pytest.mark.kafka)


@pytest.fixture
async def bus(kit: Kit, broker: Broker, unique: str) -> AsyncIterator[Bus]:
    opened = KafkaAdapter(kit, broker.settings()).open(f"kafka-{unique}")
    yield opened
    await opened.close()
