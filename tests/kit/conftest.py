"""Fixtures of the kit's tests: its own database beside the bank's, and streams of one test."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from pydantic import SecretStr

from deploy.postgres import provision
from shared.kit.auth import write_keys
from shared.kit.bus.port import Bus
from shared.kit.database import Database
from shared.kit.settings import Settings
from tests.bank import Bank
from tests.kit.adapters import Adapter, KafkaAdapter, PostgresAdapter, named_broker
from tests.kit.proxy import Proxy
from tests.kit.running import Tiny, running_tiny
from tests.kit.support import SERVICE, Kit, Stream, Told, create_tables, stream_named


@pytest.fixture(scope="session")
def kit(bank: Bank) -> Kit:
    credentials = provision(bank.server, (SERVICE,))[SERVICE]
    asyncio.run(create_tables(credentials))
    keys = bank.folder / "kit-keys"
    write_keys(keys, (SERVICE, "payments", "identity"), serial="1")
    settings = Settings(
        service=SERVICE,
        database_url=SecretStr(credentials.dsn),
        bus_url=SecretStr(bank.credentials["bus"].dsn),
        keys_dir=keys,
    )
    return Kit(settings=settings, owner_dsn=credentials.owner_dsn)


@pytest.fixture
def stream(unique: str) -> Iterator[Stream]:
    with stream_named(unique) as made:
        yield made


@pytest.fixture
async def emptied(kit: Kit) -> Kit:
    """The kit with nothing in its database."""
    await kit.empty()
    return kit


@pytest.fixture
async def database(emptied: Kit) -> AsyncIterator[Database]:
    opened = emptied.database()
    yield opened
    await opened.close()


@pytest.fixture
async def log(kit: Kit) -> AsyncIterator[Bus]:
    """The bus that the settings name."""
    opened = kit.bus()
    yield opened
    await opened.close()


@pytest.fixture(params=[pytest.param("kafka", marks=pytest.mark.kafka), "postgres"])
def adapter(request: pytest.FixtureRequest, bank: Bank, kit: Kit) -> Adapter:
    """Each adapter of the `Bus` port in turn."""
    if request.param == "postgres":
        return PostgresAdapter(bank, kit)
    return KafkaAdapter(kit, named_broker() or request.getfixturevalue("broker").settings())


@pytest.fixture
async def bus(adapter: Adapter, unique: str) -> AsyncIterator[Bus]:
    opened = adapter.open(f"kit-{unique}")
    yield opened
    await opened.close()


@pytest.fixture
def told(stream: Stream) -> Told:
    return Told(stream.topic)


@pytest.fixture
async def proxy(kit: Kit) -> AsyncIterator[Proxy]:
    """A way to the test server that a test may cut."""
    made = Proxy(kit.settings.database_url.get_secret_value())
    await made.mend()
    yield made
    await made.close()


@pytest.fixture(scope="session")
async def tiny(kit: Kit, bank: Bank) -> AsyncIterator[Tiny]:
    """A running service of nothing but the kit."""
    async with running_tiny(kit, bank.folder / "tiny.jsonl") as running:
        yield running
