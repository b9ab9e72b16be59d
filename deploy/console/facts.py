"""What the tables say, read by the auditor's role, which can change nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg

from deploy import postgres
from deploy.postgres import PostgresError
from shared.contracts.topics import SERVICES

CONNECT_TIMEOUT_S = 3.0
COMMAND_TIMEOUT_S = 10.0
LAST_PAYMENTS = 15

_CHART = """
    SELECT a.chart_code, c.name_zh, c.name_en, c.side, a.currency, count(*)::bigint AS accounts,
           sum(b.posted_minor)::bigint AS posted_minor, sum(b.held_minor)::bigint AS held_minor
    FROM accounts a JOIN balances b USING (account_id) JOIN chart c USING (chart_code)
    GROUP BY a.chart_code, c.name_zh, c.name_en, c.side, a.currency
    ORDER BY a.currency, a.chart_code
"""
_PAYMENTS = """
    SELECT payment_id, state, debtor_account, creditor_account, amount_minor, currency,
           reason_codes, risk_score, trace_id, received_at
    FROM payments ORDER BY received_at DESC LIMIT $1
"""
_QUEUE = """
    SELECT (SELECT count(*) FROM outbox WHERE published_at IS NULL) AS waiting,
           (SELECT count(*) FROM dead_letters WHERE replayed_at IS NULL) AS dead
"""
_PAYMENT_OF_TRACE = """
    SELECT payment_id, state, debtor_account, creditor_account, amount_minor, currency,
           reason_codes, risk_score, trace_id, received_at
    FROM payments WHERE trace_id = $1 ORDER BY received_at LIMIT 1
"""


class NoAnswer(Exception):
    """The database cannot be asked now."""


@dataclass(frozen=True, slots=True)
class ChartLine:
    """What the accounts of one line hold in one currency; a credit is positive."""

    chart_code: str
    name_zh: str
    name_en: str
    side: str
    currency: str
    accounts: int
    posted_minor: int
    held_minor: int


@dataclass(frozen=True, slots=True)
class PaymentLine:
    payment_id: str
    state: str
    debtor_account: str
    creditor_account: str
    amount_minor: int
    currency: str
    reason_codes: tuple[str, ...]
    risk_score: float | None
    trace_id: str | None
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Queue:
    service: str
    waiting: int
    dead: int


@dataclass(frozen=True, slots=True)
class Counts:
    customers: int
    accounts: int
    transfers: int
    payments: int


async def chart(run_dir: Path) -> list[ChartLine]:
    """Balances by chart line, all of one moment. Raises NoAnswer."""
    async with _reading(run_dir, "ledger") as connection:
        return [ChartLine(**dict(row)) for row in await connection.fetch(_CHART)]


async def last_payments(run_dir: Path) -> list[PaymentLine]:
    """The youngest payments first. Raises NoAnswer."""
    async with _reading(run_dir, "payments") as connection:
        return [_payment(row) for row in await connection.fetch(_PAYMENTS, LAST_PAYMENTS)]


async def payment_of_trace(run_dir: Path, trace_id: str) -> PaymentLine | None:
    async with _reading(run_dir, "payments") as connection:
        row = await connection.fetchrow(_PAYMENT_OF_TRACE, trace_id)
    return None if row is None else _payment(row)


async def queues(run_dir: Path) -> list[Queue]:
    """Of each service: events not yet on the bus, and events that it could not handle."""

    async def ask(service: str) -> Queue:
        async with _reading(run_dir, service) as connection:
            row = await connection.fetchrow(_QUEUE)
        return Queue(service, waiting=int(row["waiting"]), dead=int(row["dead"]))

    return list(await asyncio.gather(*(ask(service) for service in SERVICES)))


async def counts(run_dir: Path) -> Counts:
    """How much there is. Raises NoAnswer."""
    async with _reading(run_dir, "ledger") as connection:
        accounts = await connection.fetchval("SELECT count(*) FROM accounts")
        transfers = await connection.fetchval("SELECT count(*) FROM transfers")
    async with _reading(run_dir, "identity") as connection:
        customers = await connection.fetchval("SELECT count(*) FROM customers")
    async with _reading(run_dir, "payments") as connection:
        payments = await connection.fetchval("SELECT count(*) FROM payments")
    return Counts(
        customers=int(customers),
        accounts=int(accounts),
        transfers=int(transfers),
        payments=int(payments),
    )


def sums(lines: list[ChartLine]) -> dict[str, int]:
    """By currency: the sum of all balances, which is 0 in a bank that balances."""
    found: dict[str, int] = {}
    for line in lines:
        found[line.currency] = found.get(line.currency, 0) + line.posted_minor
    return found


def _payment(row: Any) -> PaymentLine:
    found = dict(row)
    return PaymentLine(
        **found
        | {
            "payment_id": str(found["payment_id"]),
            "reason_codes": tuple(found["reason_codes"]),
        }
    )


@asynccontextmanager
async def _reading(run_dir: Path, database: str) -> AsyncIterator[Any]:
    try:
        server = postgres.running(run_dir)
        if server is None:
            raise NoAnswer
        dsn = postgres.auditor_dsn(server, database)
        connection = await asyncpg.connect(
            dsn.replace("postgresql+asyncpg://", "postgresql://"),
            timeout=CONNECT_TIMEOUT_S,
            command_timeout=COMMAND_TIMEOUT_S,
        )
    except (PostgresError, OSError, TimeoutError, asyncpg.PostgresError) as error:
        raise NoAnswer from error
    try:
        yield connection
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise NoAnswer from error
    finally:
        await connection.close(timeout=CONNECT_TIMEOUT_S)
