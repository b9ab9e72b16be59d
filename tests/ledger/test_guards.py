"""What the database itself refuses, whoever writes: tried with plain SQL as the owner."""

from datetime import UTC, datetime

import asyncpg
import pytest

from shared.kit.clock import new_id
from tests.bank import Bank
from tests.ledger.support import fund, open_account, transfer

TRANSFER = """
INSERT INTO transfers (transfer_id, kind, value_date, booking_date, recorded_at, leg_count,
    body_hash)
VALUES ($1, 'test', '2026-01-05', '2026-01-05', now(), 2, '')
"""
LEG = """
INSERT INTO postings (account_id, entry_no, transfer_id, leg_no, amount_minor, currency,
    balance_minor, value_date, booking_date)
VALUES ($1, 900, $3, 1, $4, $6, 0, '2026-01-05', '2026-01-05'),
       ($2, 900, $3, 2, $5, $6, 0, '2026-01-05', '2026-01-05')
"""


@pytest.fixture
async def pair(bank: Bank, unique: str) -> tuple[str, str, str]:
    """Two accounts, and a transfer that funded the first from the second."""
    async with bank.client("ledger", roles=("operator",)) as ledger:
        await open_account(ledger, f"a-{unique}")
        source = await fund(ledger, f"a-{unique}", 1000)
        body = transfer((f"a-{unique}", -300), (source, 300))
        await ledger.post("/v1/transfers", json=body)
    return f"a-{unique}", source, body["transfer_id"]


class TestDatabase:
    @pytest.mark.parametrize(
        ("debit", "credit", "currency"), [(-5, 4, "CNY"), (-5, -5, "CNY"), (-5, 5, "EUR")]
    )
    async def test_refuses_an_unbalanced_or_foreign_leg(
        self, bank: Bank, pair: tuple[str, str, str], debit: int, credit: int, currency: str
    ):
        owner = await bank.connect("ledger")
        with pytest.raises(asyncpg.PostgresError) as refused:
            async with owner.transaction():
                transfer_id = new_id()
                await owner.execute(TRANSFER, transfer_id)
                await owner.execute(LEG, pair[0], pair[1], transfer_id, debit, credit, currency)
        assert refused.value.sqlstate == "TB003"
        await owner.close()

    async def test_takes_a_balanced_transfer(self, bank: Bank, pair: tuple[str, str, str]):
        owner = await bank.connect("ledger")
        transaction = owner.transaction()
        await transaction.start()
        transfer_id = new_id()
        await owner.execute(TRANSFER, transfer_id)
        await owner.execute(LEG, pair[0], pair[1], transfer_id, -5, 5, "CNY")
        await owner.execute("SET CONSTRAINTS ALL IMMEDIATE")
        await transaction.rollback()
        await owner.close()

    async def test_refuses_a_transfer_without_legs(self, bank: Bank):
        owner = await bank.connect("ledger")
        with pytest.raises(asyncpg.PostgresError) as refused:
            await owner.execute(TRANSFER, new_id())
        assert refused.value.sqlstate == "TB003"
        await owner.close()

    async def test_refuses_later_legs_even_balanced_ones(
        self, bank: Bank, pair: tuple[str, str, str]
    ):
        owner = await bank.connect("ledger")
        with pytest.raises(asyncpg.PostgresError) as refused:
            await owner.execute(LEG, pair[0], pair[1], pair[2], -5, 5, "CNY")
        assert refused.value.sqlstate in {"TB003", "23505"}
        await owner.close()

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE postings SET amount_minor = amount_minor + 1",
            "UPDATE transfers SET kind = 'other'",
            "DELETE FROM postings",
            "DELETE FROM transfers",
            "TRUNCATE postings",
            "TRUNCATE transfers CASCADE",
        ],
    )
    @pytest.mark.parametrize("owner", [True, False])
    async def test_never_changes_what_was_posted(
        self, bank: Bank, pair: tuple[str, str, str], statement: str, owner: bool
    ):
        connection = await bank.connect("ledger", owner=owner)
        with pytest.raises(asyncpg.PostgresError) as refused:
            await connection.execute(statement)
        # The owner meets the guard; the service's role has not even the right.
        assert refused.value.sqlstate == ("TB002" if owner else "42501")
        await connection.close()

    async def test_gives_the_service_no_right_to_drop_its_guards(self, bank: Bank):
        connection = await bank.connect("ledger", owner=False)
        for statement in (
            "ALTER TABLE postings DISABLE TRIGGER ALL",
            "SET session_replication_role = replica",
            f"CREATE TABLE later_{datetime.now(UTC):%f} (i int)",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
        await connection.close()
