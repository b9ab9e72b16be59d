"""What the tests of the kit share: a database with the kit's tables alone, topics of one test."""

import asyncio
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import asyncpg
from pydantic import SecretStr

from deploy.postgres import ServiceCredentials
from shared.contracts.events.envelope import Event
from shared.contracts.topics import BY_NAME, Topic, dead_letter_topic
from shared.kit.bus.port import Bus, Consumer, Message, Reader, Record
from shared.kit.bus.select import open_bus
from shared.kit.clock import new_id
from shared.kit.database import Database
from shared.kit.settings import Settings
from shared.kit.tables import GRANTS, metadata
from tests.kit.proxy import Proxy

ROOT = Path(__file__).resolve().parents[2]
SERVICE = "kit"
PARTITIONS = 4

#: What the events of these tests do, beside the kit's own tables.
_EFFECTS = (
    "CREATE TABLE effects (position bigint GENERATED ALWAYS AS IDENTITY, word text, number int)",
    f"GRANT SELECT, INSERT ON effects TO {SERVICE}",
)


@dataclass(frozen=True)
class Kit:
    """A service named `kit`, of nothing but the kit: its settings and its database."""

    settings: Settings
    owner_dsn: str

    def database(self, *, pool_size: int = 5) -> Database:
        url = self.settings.database_url.get_secret_value()
        return Database(url, pool_size=pool_size, application=f"kit-{uuid.uuid4().hex[:8]}")

    def bus(self) -> Bus:
        return open_bus(self.settings, application=f"kit-{uuid.uuid4().hex[:8]}")

    async def rows(self, statement: str, *values: object) -> list[asyncpg.Record]:
        """Plain SQL as the owner, seen from outside of the kit."""
        connection = await asyncpg.connect(plain(self.owner_dsn))
        try:
            return await connection.fetch(statement, *values)
        finally:
            await connection.close()

    async def empty(self) -> None:
        names = ", ".join([table.name for table in metadata.sorted_tables] + ["effects"])
        await self.rows(f"TRUNCATE {names}")

    def bus_through(self, proxy: Proxy) -> Bus:
        """The bus by a way that a test may cut."""
        assert self.settings.bus_url is not None
        url = SecretStr(proxy.through(self.settings.bus_url.get_secret_value()))
        settings = self.settings.model_copy(update={"bus_url": url})
        return open_bus(settings, application="kit-cut")

    def database_through(self, proxy: Proxy) -> Database:
        url = proxy.through(self.settings.database_url.get_secret_value())
        return Database(url, pool_size=2, application="kit-cut")

    def environment(self) -> dict[str, str]:
        """The settings as a process of its own reads them."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        return kept | {
            "SERVICE": self.settings.service,
            "DATABASE_URL": self.settings.database_url.get_secret_value(),
            "BUS": self.settings.bus,
            "BUS_URL": self.settings.bus_url.get_secret_value() if self.settings.bus_url else "",
            "KEYS_DIR": str(self.settings.keys_dir),
            "PYTHONPATH": str(ROOT),
        }


def plain(dsn: str) -> str:
    """The address as asyncpg itself reads it."""
    return dsn.replace("postgresql+asyncpg://", "postgresql://")


async def create_tables(credentials: ServiceCredentials) -> None:
    """The kit's tables with the rights that `create_kit_tables` gives, without a service's own."""
    database = Database(credentials.owner_dsn, pool_size=1, application="kit-owner")
    try:
        async with database.transaction() as session:
            await session.run_sync(metadata.create_all)
            for table, rights in GRANTS.items():
                await session.exec_driver_sql(f"GRANT {rights} ON {table} TO {SERVICE}")
            for statement in _EFFECTS:
                await session.exec_driver_sql(statement)
    finally:
        await database.close()


@contextmanager
def topic_named(name: str, *, partitions: int = PARTITIONS) -> Iterator[str]:
    """A topic of this process, so that no test sees another's records."""
    BY_NAME[name] = Topic(name, (SERVICE,), (SERVICE,), "word", None, partitions)
    try:
        yield name
    finally:
        del BY_NAME[name]


class Counted(Event):
    """The event of these tests; a subclass made for one test names its topic."""

    topic: ClassVar[str] = ""
    example: ClassVar[dict[str, object]] = {"word": "w", "number": 1}
    word: str
    number: int

    def key(self) -> str:
        return self.word


@dataclass(frozen=True)
class Stream:
    """A topic, its kind of event, a group that reads it, and that group's dead letters."""

    topic: str
    counted: type[Counted]
    group: str

    @property
    def dead_topic(self) -> str:
        return dead_letter_topic(self.group)


@contextmanager
def stream_named(unique: str) -> Iterator[Stream]:
    name, group = f"kit.counted-{unique}.v1", f"kit-{unique}"
    with topic_named(name), topic_named(dead_letter_topic(group), partitions=1):
        counted = type("Counted", (Counted,), {"topic": name, "__module__": __name__})
        yield Stream(name, counted, group)


@dataclass(frozen=True)
class Told:
    """Publishes plain values to the topic of one test, for tests of the bus alone."""

    topic: str

    def message(self, key: str, value: object) -> Message:
        return Message(self.topic, key, new_id(), str(value))

    async def publish(self, bus: Bus, count: int, *, first: int = 0, keys: int = 8) -> None:
        """Values `first`, `first` + 1, …, spread over `keys` keys and so over all partitions."""
        numbered = range(first, first + count)
        await bus.publish([self.message(f"key-{n % keys}", n) for n in numbered])


def values(records: list[Record]) -> list[str]:
    return [record.value for record in records]


def numbers(records: list[Record]) -> list[int]:
    return sorted(int(record.value) for record in records)


async def collect(source: Consumer | Reader, number: int, *, within_s: float = 20) -> list[Record]:
    """Poll until `number` records have come; what comes with them comes too."""
    records: list[Record] = []
    async with asyncio.timeout(within_s):
        while len(records) < number:
            records += await source.poll(limit=1_000, timeout_s=0.5)
    return records


async def everything(bus: Bus, topic: str) -> list[Record]:
    """All that the log has of a topic now."""
    reader = await bus.reader(topics=[topic], since=None)
    try:
        records: list[Record] = []
        while not await reader.caught_up():
            records += await reader.poll(limit=1_000, timeout_s=0.2)
        return records
    finally:
        await reader.close()
