"""`make bench`: measures a bank of its own, each figure against a reference of the same minutes."""

import argparse
import asyncio
import json
import platform
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

import psutil

from deploy.bench import events, ledger, page, payment, pgbench, risk
from deploy.bench.figures import Figure, above, at_least, below, line, write_json
from deploy.bench.load import Load
from deploy.bench.setting import Setting, setting_of
from deploy.local.bank import reset_bank, running_bank
from deploy.local.book import load_book
from deploy.local.options import ROOT, LocalError, read_options
from deploy.scale.tables import write as write_scale

DOCUMENT = ROOT / "docs/performance.md"
REPORT = ROOT / ".run/bench.json"
PORT = "18080"
CHAIN_PORT = 18_180
BERKA = ROOT.parent / "shared/data/berka"
SECONDS = 6.0
PAYMENTS = {1: 250, 16: 1_500, 64: 2_000}
EVENTS = 20_000
BULK_BATCHES = 20

Tell = Callable[[Figure], None]


async def measure_ledger(setting: Setting, tell: Tell) -> None:
    await ledger.open_accounts(setting)
    pgbench.prepare(setting.server)
    before = pgbench.transactions_per_second(setting.server, seconds=int(SECONDS))
    single = await ledger.single(setting, seconds=SECONDS)
    bulk = await ledger.bulk(setting, batches=BULK_BATCHES)
    http = await ledger.over_http(setting, seconds=SECONDS)
    after = pgbench.transactions_per_second(setting.server, seconds=int(SECONDS))
    reference = (before + after) / 2
    tell(Figure("pgbench", round(reference, 1), "tx/s"))
    unit = "transfers/s"
    tell(at_least("ledger.single", single, unit, reference="pgbench", against=reference, times=0.6))
    tell(at_least("ledger.bulk", bulk, unit, reference="pgbench", against=reference, times=1.5))
    tell(
        replace(
            above("ledger.http", http, unit, floor=1_000),
            ratio=round(http / reference, 3),
            reference="pgbench",
        )
    )


async def measure_risk(setting: Setting, tell: Tell) -> None:
    raw, whole = risk.raw_model_us(), risk.in_process_us()
    tell(Figure("risk.model", round(raw, 1), "us"))
    tell(
        Figure(
            "risk.decide.in_process",
            round(whole, 1),
            "us",
            "one raw onnxruntime call",
            round(whole / raw, 2),
            "<= 3x later",
            None,
        )
    )
    load = await risk.over_http(setting, seconds=SECONDS)
    tell(Figure("risk.decide.http", round(load.rate, 1), "decisions/s"))
    tell(Figure("risk.decide.http.p50", round(load.percentile_ms(50), 2), "ms"))
    tell(Figure("risk.decide.http.p99", round(load.percentile_ms(99), 2), "ms"))


async def measure_payment(setting: Setting, tell: Tell) -> dict[str, float]:
    """CPU milliseconds of one payment, by process."""
    chain = {}
    with payment.bare_chain(CHAIN_PORT) as url:
        for connections in payment.CONNECTIONS:
            chain[connections] = await payment.chain_rate(
                url, connections=connections, seconds=SECONDS / 2
            )
    counter = await payment.prepare(setting)
    await payment.pay(counter, connections=16, count=300)  # pools fill, plans settle
    cpu: dict[str, float] = {}
    for connections, count in PAYMENTS.items():
        before = setting.cpu_seconds()
        load = await payment.pay(counter, connections=connections, count=count)
        if connections == 16:
            cpu = _cpu_ms(before, setting.cpu_seconds(), len(load.latencies))
        _tell_payment(tell, load, bare=chain[connections].rate, connections=connections)
    steady = await payment.pay_at_rate(counter, per_second=50, seconds=10)
    tell(below("payment.p99_at_50_per_s", steady.percentile_ms(99), "ms", ceiling=100))
    through, direct = await payment.gateway_overhead(setting, counter)
    tell(
        Figure(
            "gateway.overhead",
            round(through.percentile_ms(50) - direct.percentile_ms(50), 2),
            "ms p50",
            "the same read at payments",
            round(through.percentile_ms(50) / direct.percentile_ms(50), 2),
        )
    )
    return cpu


def _tell_payment(tell: Tell, load: Load, *, bare: float, connections: int) -> None:
    name = f"payment.end_to_end.{connections}"
    tell(
        at_least(
            name, load.rate, "payments/s", reference="four empty hops", against=bare, times=0.2
        )
    )
    tell(Figure(f"{name}.p50", round(load.percentile_ms(50), 1), "ms"))
    tell(Figure(f"{name}.p99", round(load.percentile_ms(99), 1), "ms"))
    if load.failed:
        raise RuntimeError(f"{load.failed} of the payments did not settle")


def _cpu_ms(
    before: Mapping[str, float], after: Mapping[str, float], payments: int
) -> dict[str, float]:
    spent = {name: (after[name] - before.get(name, 0.0)) * 1000 / payments for name in after}
    return {name: used for name, used in spent.items() if used >= 0.01}


async def measure_events(setting: Setting, tell: Tell) -> None:
    bus = events.postgres_bus(setting)
    try:
        rate = await events.profiles(setting, bus, count=EVENTS)
    finally:
        await bus.close()
    tell(Figure("events.profiles.postgres", round(rate, 1), "events/s"))


def measure_import(environment: Mapping[str, str], tell: Tell) -> None:
    """Import the real book, into an empty bank, where it is there."""
    if not BERKA.is_dir():
        print("import.berka: the real book is not here, so it is not measured")
        return
    options = read_options({**environment, "BOOK": str(BERKA)})
    reset_bank(options.run_dir)
    with running_bank(options, say=_say):
        report = load_book(options, say=_say)
    tell(above("import.berka", float(report["postings_per_second"]), "postings/s", floor=5_000))


def _say(words: str) -> None:
    print(f"  {words}", flush=True)


def _machine() -> str:
    memory = psutil.virtual_memory().total / 2**30
    today = datetime.now(UTC).date()
    return (
        f"Measured on {today} by `make bench`: {psutil.cpu_count()} cores, {memory:.0f} GiB,"
        f" Python {platform.python_version()}, load generator and database on the same machine."
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--no-import", action="store_true", help="leave the real book out")
    arguments = parser.parse_args()
    figures: list[Figure] = []

    def tell(figure: Figure) -> None:
        figures.append(figure)
        print(line(figure), flush=True)

    environment = {"RUN_DIR": ".run/bench", "PORT": PORT}
    try:
        options = read_options(environment)
        reset_bank(options.run_dir)
        with running_bank(options, say=_say) as bank:
            setting = setting_of(bank)
            cpu = asyncio.run(_measure_all(setting, tell))
        if not arguments.no_import:
            measure_import(environment, tell)
        reset_bank(options.run_dir)
    except (LocalError, RuntimeError, TimeoutError) as error:
        sys.exit(f"bench: {error}")
    _write(figures, cpu)
    missed = [figure.name for figure in figures if figure.held is False]
    print(f"missed: {', '.join(missed)}" if missed else "every goal held")


async def _measure_all(setting: Setting, tell: Tell) -> dict[str, float]:
    cpu = await measure_payment(setting, tell)
    await measure_ledger(setting, tell)
    await measure_risk(setting, tell)
    await measure_events(setting, tell)
    return cpu


def _write(figures: list[Figure], cpu: Mapping[str, float]) -> None:
    REPORT.parent.mkdir(exist_ok=True)
    write_json(REPORT, figures)
    (REPORT.parent / "bench_cpu.json").write_text(json.dumps(cpu, indent=1) + "\n")
    where = "Where the time of a payment goes, at 16 connections:"
    page.replace_measured(
        DOCUMENT,
        f"{_machine()}\n\n{page.table(figures)}\n\n{where}\n\n{page.cpu_table(cpu)}",
    )
    pages = (REPORT, DOCUMENT, write_scale(REPORT.parent))
    print(f"written: {', '.join(str(one.relative_to(ROOT)) for one in pages)}")


if __name__ == "__main__":
    began = time.monotonic()
    main()
    print(f"{time.monotonic() - began:.0f} s")
