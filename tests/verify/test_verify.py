"""`make verify` finds each kind of breach: each is planted past every guard, and seen found."""

import json
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from deploy.postgres import superuser_dsn
from shared.kit.clock import new_id
from tests.bank import ROOT, Bank, eventually, running_bank
from tests.ledger.support import fund, open_account


@pytest.fixture(scope="module")
def own_bank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bank]:
    """A bank of this file alone, since its books are damaged here."""
    with running_bank(tmp_path_factory.mktemp("verified")) as running:
        yield running


@dataclass
class Books:
    """A small bank with one settled payment and one hold, its services stopped."""

    bank: Bank
    payment_id: str
    debtor: str
    creditor: str

    def verify(self) -> tuple[int, str, list[dict[str, Any]]]:
        """Run the command as an operator would; its exit code, what it said, its report, if any."""
        written = self.bank.folder / "verify.json"
        written.unlink(missing_ok=True)
        done = subprocess.run(
            [sys.executable, "-m", "deploy.verify", "--run", str(self.bank.folder)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        report = json.loads(written.read_text()) if written.exists() else []
        return done.returncode, done.stdout + done.stderr, report

    async def plant(self, database: str, *statements: str) -> None:
        """Write past every guard, as only the superuser can."""
        dsn = superuser_dsn(self.bank.server, database)
        connection = await asyncpg.connect(dsn.replace("postgresql+asyncpg://", "postgresql://"))
        try:
            await connection.execute("SET session_replication_role = replica")
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()


@pytest.fixture(scope="module")
async def books(own_bank: Bank) -> Books:
    async def profiles_committed() -> bool:
        bus = await own_bank.connect("bus")
        seen = await bus.fetchval(
            "SELECT sum(next_offset) FROM group_partitions WHERE group_name = 'profiles'"
        )
        await bus.close()
        return bool(seen)

    return await settled_books(own_bank, profiles_committed=profiles_committed)


async def settled_books(
    own_bank: Bank, *, profiles_committed: Callable[[], Awaitable[bool]]
) -> Books:
    customer, debtor, creditor = "c-verify", "verify-a", "verify-b"
    async with own_bank.client("ledger", roles=("operator",)) as ledger:
        await open_account(ledger, debtor, holder_id=customer)
        await open_account(ledger, creditor)
        await fund(ledger, debtor, 100_000)
    payment_id = str(new_id())
    async with own_bank.client("payments", caller="gateway", customer_id=customer) as payments:
        body = {
            "payment_id": payment_id,
            "customer_id": customer,
            "debtor_account": debtor,
            "creditor": {"account_id": creditor, "name": "Shop"},
            "amount_minor": 1250,
            "currency": "CNY",
            "end_to_end_id": "verify-1",
        }
        response = await payments.post(
            "/v1/payments", json=body, headers={"idempotency-key": payment_id}
        )
        assert response.status_code == 201, response.text
    own_bank.start("profiles")
    found = Books(own_bank, payment_id, debtor, creditor)
    async with own_bank.client("payments", roles=("reviewer",)) as reviewer:
        if response.json()["state"] == "in_review":
            await reviewer.post(
                f"/v1/payments/{payment_id}/review", json={"outcome": "approve", "reason": "test"}
            )

    async def is_quiet() -> bool:
        for name in ("ledger", "payments", "risk"):
            connection = await own_bank.connect(name)
            waiting = await connection.fetchval(
                "SELECT count(*) FROM outbox WHERE published_at IS NULL"
            )
            await connection.close()
            if waiting:
                return False
        return await profiles_committed()

    await eventually(is_quiet)
    own_bank.stop_services()
    return found


PLANTED = {
    "transfers balance": (
        "ledger",
        "UPDATE postings SET amount_minor = amount_minor + 1 WHERE leg_no = 1"
        " AND transfer_id = '{payment}'",
        "UPDATE postings SET amount_minor = amount_minor - 1 WHERE leg_no = 1"
        " AND transfer_id = '{payment}'",
    ),
    "balances equal their postings": (
        "ledger",
        "UPDATE balances SET posted_minor = posted_minor + 5 WHERE account_id = '{debtor}'",
        "UPDATE balances SET posted_minor = posted_minor - 5 WHERE account_id = '{debtor}'",
    ),
    "the books sum to zero": (
        "ledger",
        "UPDATE balances SET posted_minor = posted_minor + 5 WHERE account_id = '{debtor}'",
        "UPDATE balances SET posted_minor = posted_minor - 5 WHERE account_id = '{debtor}'",
    ),
    "running balances follow": (
        "ledger",
        "UPDATE postings SET balance_minor = balance_minor + 1 WHERE leg_no = 1"
        " AND transfer_id = '{payment}'",
        "UPDATE postings SET balance_minor = balance_minor - 1 WHERE leg_no = 1"
        " AND transfer_id = '{payment}'",
    ),
    "holds agree": (
        "ledger",
        "UPDATE balances SET held_minor = held_minor + 7 WHERE account_id = '{debtor}'",
        "UPDATE balances SET held_minor = held_minor - 7 WHERE account_id = '{debtor}'",
    ),
    "settled payments equal transfers": (
        "payments",
        "UPDATE payments SET amount_minor = amount_minor + 1 WHERE payment_id = '{payment}'",
        "UPDATE payments SET amount_minor = amount_minor - 1 WHERE payment_id = '{payment}'",
    ),
    "payment transfers have payments": (
        "payments",
        "UPDATE payments SET state = 'rejected', reason_codes = '{{planted}}',"
        " transfer_id = NULL"
        " WHERE payment_id = '{payment}'",
        "UPDATE payments SET state = 'settled', reason_codes = '{{}}',"
        " transfer_id = payment_id"
        " WHERE payment_id = '{payment}'",
    ),
    "holds have payments": (
        "payments",
        "UPDATE payments SET payment_id = '{other}', state = 'in_review', review_until = now(),"
        " due_at = now(), transfer_id = NULL"
        " WHERE payment_id = '{payment}'",
        "UPDATE payments SET payment_id = '{payment}', state = 'settled', review_until = NULL,"
        " due_at = NULL, transfer_id = '{payment}'"
        " WHERE payment_id = '{other}'",
    ),
    "outbox of payments is in the log": (
        "payments",
        "INSERT INTO outbox (event_id, topic, key, envelope, created_at, published_at)"
        " VALUES ('{other}', 'payments.payment.v1', 'k', '{{}}', now(), now())",
        "DELETE FROM outbox WHERE event_id = '{other}'",
    ),
    "inboxes are complete": (
        "profiles",
        "CREATE TABLE stolen AS SELECT * FROM inbox LIMIT 1;"
        " DELETE FROM inbox WHERE event_id IN (SELECT event_id FROM stolen)",
        "INSERT INTO inbox SELECT * FROM stolen; DROP TABLE stolen",
    ),
    "payment consents add up": (
        "gateway",
        "INSERT INTO payment_consents (consent_id, partner_id, payee_account, payee_name,"
        " currency, limit_minor, used_minor, expires_at, debtor_named, debtor_account, customer_id,"
        " state, code_failures, created_at, updated_at) VALUES ('{other}', 'p', 'a', 'n', 'CNY',"
        " 10, 5, now(), false, 'd', 'c', 'authorized', 0, now(), now())",
        "DELETE FROM payment_consents WHERE consent_id = '{other}'",
    ),
}


class TestVerify:
    def test_holds_for_a_sound_bank_and_counts(self, books: Books):
        code, said, report = books.verify()
        assert code == 0, said
        counted = {finding["name"]: finding["counted"] for finding in report}
        assert counted["settled payments equal transfers"] == 1
        assert counted["transfers balance"] == 2
        assert counted["inboxes are complete"] > 0
        assert counted["outbox of payments is in the log"] >= 2

    @pytest.mark.parametrize("name", PLANTED)
    async def test_finds_a_planted_breach(self, books: Books, name: str):
        database, wrong, right = PLANTED[name]
        words = {
            "payment": books.payment_id,
            "debtor": books.debtor,
            "other": str(new_id()),
        }
        await books.plant(database, wrong.format(**words))
        try:
            code, said, report = books.verify()
        finally:
            await books.plant(database, right.format(**words))
        assert code != 0
        assert "Traceback" not in said
        found = {finding["name"] for finding in report if finding["breaches"]}
        assert name in found

    def test_of_a_folder_without_a_bank_is_one_clear_line(self, tmp_path: Path):
        done = subprocess.run(
            [sys.executable, "-m", "deploy.verify", "--run", str(tmp_path / "nowhere")],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode != 0
        assert done.stderr.count("\n") == 1
        assert "there is no bank" in done.stderr
