"""How fast the ledger posts: its own code in this process, and over HTTP."""

import asyncio
import gc
import itertools
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import aiohttp

from deploy.bench.load import closed_loop
from deploy.bench.setting import Setting, service_token
from services.ledger.main import build
from services.ledger.queues import queues_of
from services.ledger.service import order_of, post_transfers
from services.ledger.settings import LedgerSettings
from shared.contracts.http.ledger import Leg, PostTransfer, PostTransfers
from shared.kit.app import Context
from shared.kit.clock import new_id

ACCOUNTS = 100_000
BULK = 1_000
WARM_UP = 4
IN_FLIGHT = 64
FUNDS = 10**12


def account(number: int) -> str:
    return f"bench-{number}"


async def open_accounts(setting: Setting) -> None:
    """Funded accounts, written as the ledger's owner: opening is not what is measured."""
    connection = await setting.connect("ledger")
    try:
        await connection.execute(
            "INSERT INTO accounts SELECT 'bench-' || i, '2011', 'CNY', 'bench-' || i, $2, false,"
            " DATE '2026-01-01', ''::bytea, now() FROM generate_series(0, $1) AS i",
            ACCOUNTS - 1,
            -FUNDS,
        )
        await connection.execute(
            "INSERT INTO balances SELECT 'bench-' || i FROM generate_series(0, $1) AS i",
            ACCOUNTS - 1,
        )
        await connection.execute("ANALYZE accounts, balances")
    finally:
        await connection.close()


def transfer(random: Random) -> PostTransfer:
    debit, credit = random.sample(range(ACCOUNTS), 2)
    return PostTransfer(
        transfer_id=new_id(),
        kind="bench",
        legs=[
            Leg(account_id=account(debit), direction="debit", amount_minor=5, currency="CNY"),
            Leg(account_id=account(credit), direction="credit", amount_minor=5, currency="CNY"),
        ],
    )


@asynccontextmanager
async def ledger_context(setting: Setting, log_file: Path) -> AsyncIterator[Context]:
    """The ledger's own app, alive in this process, without a server in front of it."""
    credentials = setting.credentials
    app = build(
        LedgerSettings(
            database_url=credentials["ledger"].dsn,
            bus_url=credentials["bus"].dsn,
            keys_dir=setting.keys_dir("ledger"),
            role="api",  # the running bank's own worker publishes what is posted here
            log_file=log_file,
        )
    )
    async with app.router.lifespan_context(app):
        yield app.state.context


async def single(setting: Setting, *, seconds: float) -> float:
    """Transfers a second, each asked for alone by one of 64 callers."""
    random = Random(1)  # noqa: S311 - a load, not a secret
    async with ledger_context(setting, setting.run_dir / "logs/bench.jsonl") as context:
        queue = queues_of(context).transfers

        async def post() -> bool:
            await queue.submit(order_of(transfer(random), now=context.clock()))
            return True

        load = await closed_loop(post, connections=IN_FLIGHT, seconds=seconds)
    return load.rate


async def bulk(setting: Setting, *, batches: int) -> float:
    """Transfers a second in batches of a thousand, two batches under way.

    A few go before the clock starts, so that plans are made and accounts are in memory.
    """
    random = Random(2)  # noqa: S311 - a load, not a secret
    bodies = [
        PostTransfers(transfers=[transfer(random) for _ in range(BULK)])
        for _ in range(WARM_UP + batches)
    ]
    async with ledger_context(setting, setting.run_dir / "logs/bench.jsonl") as context:

        async def writer(waiting: Iterator[PostTransfers]) -> None:
            for body in waiting:
                async with context.database.statement() as session:
                    await post_transfers(session, body=body, now=context.clock())

        await writer(iter(bodies[:WARM_UP]))
        waiting = iter(bodies[WARM_UP:])
        gc.freeze()  # the collector shall not look through the load that waits
        began = time.perf_counter()
        await asyncio.gather(writer(waiting), writer(waiting))
        spent = time.perf_counter() - began
        gc.unfreeze()
        return batches * BULK / spent


async def over_http(setting: Setting, *, seconds: float) -> float:
    """Transfers a second over HTTP, 64 connections."""
    random = Random(3)  # noqa: S311 - a load, not a secret
    prepared = itertools.cycle([transfer(random).model_dump(mode="json") for _ in range(1_000)])
    token = service_token(setting, caller="payments", target="ledger")
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    url = f"{setting.url('ledger')}/v1/transfers"
    connector = aiohttp.TCPConnector(limit=IN_FLIGHT)
    async with aiohttp.ClientSession(headers=headers, connector=connector) as http:

        async def post() -> bool:
            body = json.dumps(next(prepared) | {"transfer_id": str(new_id())})
            async with http.post(url, data=body) as answer:
                await answer.read()
                return answer.status == 201

        load = await closed_loop(post, connections=IN_FLIGHT, seconds=seconds)
    if load.failed:
        raise RuntimeError(f"{load.failed} transfers were refused")
    return load.rate
