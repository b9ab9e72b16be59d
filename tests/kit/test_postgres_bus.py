"""What the bus on PostgreSQL promises beyond the port, for operators of its database."""

import asyncpg
import pytest

from shared.kit.bus.port import Bus
from tests.bank import Bank
from tests.kit.support import Kit, Told, plain


@pytest.fixture
def on_postgres(kit: Kit, log: Bus) -> Bus:
    """The bus that the settings name, which in these tests is the one on PostgreSQL."""
    assert kit.settings.bus == "postgres"
    return log


class TestLog:
    async def test_loses_no_record_whose_partition_is_gone(
        self, on_postgres: Bus, told: Told, bank: Bank
    ):
        await told.publish(on_postgres, 4)
        owner = await bank.connect("bus")
        await owner.execute("DELETE FROM log_partitions WHERE topic = $1", told.topic)
        await owner.close()
        with pytest.raises(asyncpg.NotNullViolationError):
            await told.publish(on_postgres, 4)

    @pytest.mark.parametrize(
        "statement", ["UPDATE log SET value = ''", "TRUNCATE log", "DROP TABLE log"]
    )
    async def test_is_not_changed_by_a_service(self, kit: Kit, statement: str):
        assert kit.settings.bus_url is not None
        connection = await asyncpg.connect(plain(kit.settings.bus_url.get_secret_value()))
        try:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
        finally:
            await connection.close()
