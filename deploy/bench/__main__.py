"""`make bench`: measures a bank of its own, each figure against a reference of the same minutes."""

import argparse
import asyncio
import itertools
import os
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path

from deploy import kafka
from deploy.bench import events, group, history, ledger, payment, pgbench, registry, risk
from deploy.bench.figures import Figure, above, at_least, below
from deploy.bench.load import Load
from deploy.bench.run import Run, write
from deploy.bench.setting import Setting, setting_of
from deploy.book.report import RECONCILIATION
from deploy.local.bank import reset_bank, running_bank
from deploy.local.book import load_book
from deploy.local.files import read_json
from deploy.local.options import ROOT, Options, read_options

RUN_DIR = ".run/bench"
PORT = "18080"
#: Where the empty hops listen, above the bank's own port.
CHAIN_OFFSET = 100
BERKA = ROOT.parent / "shared/data/berka"
SECONDS = 6.0
#: By connections. Proofs are signed before and good for a minute: not more than that takes.
PAYMENTS = {1: 250, 16: 1_500, 64: 1_500}
EVENTS = 20_000
#: Published within the ten seconds that a consumer may hold a batch back for.
BACKLOG = 10_000
#: Milliseconds that a consumer waits for each event, where CPU shall not be the limit.
WAIT_MS = 1.0
BULK_BATCHES = 20

Tell = Callable[[Figure], None]


async def measure_ledger(setting: Setting, run: Run) -> None:
    """Over HTTP in the whole bank; the ledger's own code beside PostgreSQL alone, as pgbench is."""
    tell = run.tell
    await ledger.open_accounts(setting)
    pgbench.prepare(setting.server)
    http = await ledger.over_http(setting, seconds=SECONDS)
    with setting.paused():
        before = pgbench.transactions_per_second(setting.server, seconds=int(SECONDS))
        single = await ledger.single(setting, seconds=SECONDS)
        bulk = await ledger.bulk(setting, batches=BULK_BATCHES)
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


async def measure_risk(setting: Setting, run: Run) -> None:
    tell = run.tell
    raw = risk.raw_model_us(setting.bank.options.run_dir.parent / "bench-reference.onnx")
    tell(Figure("risk.model.reference", round(raw, 1), "us"))
    with run.part("risk.decide.in_process"):
        with setting.paused():
            three, five = (risk.in_process(has_signals=has) for has in (False, True))
        reference = "one raw onnxruntime call, 300 trees"
        for name, times in (("in_process", three), ("in_process.five_entities", five)):
            ratio = round(times.p50_us / raw, 2)
            value = round(times.p50_us, 1)
            goal = (f"<= 3x {reference}", ratio <= 3)
            tell(Figure(f"risk.decide.{name}", value, "us", reference, ratio, *goal))
        tell(below("risk.decide.cpu", three.cpu_us, "us", ceiling=80))
    with run.part("risk.shadow"):
        with setting.paused():
            alone_us, added_us = registry.shadow()
        share = 100 * added_us / alone_us
        tell(below("risk.shadow", share, "% of a decision", ceiling=15))
    with run.part("risk.rebuild"):
        bus = events.postgres_bus(setting)
        with setting.paused():
            rate = history.rebuild(bus)
        await bus.close()
        tell(above("risk.rebuild", rate, "events/s", floor=50_000))
    with run.part("risk.decide.http"):
        most, steady, cpu_us = await risk.over_http(setting, seconds=SECONDS)
        rate = most.all_good("decisions over HTTP").rate
        tell(Figure("risk.decide.http", round(rate, 1), "decisions/s"))
        tell(above("risk.decide.http.core", 1e6 / cpu_us, "decisions/s a core", floor=1_500))
        late = steady.all_good(f"decisions at {risk.STEADY_PER_S} a second")
        tell(below("risk.decide.http.p99", late.percentile_ms(99), "ms", ceiling=10))
    with run.part("risk.backtest"):
        for name, tried in (
            ("risk.backtest", registry.back_test),
            ("risk.backtest.model", registry.evaluation),
        ):
            found = await asyncio.to_thread(tried, setting)
            tell(above(name, found.rate, "decisions/s", floor=10_000))


async def measure_history(setting: Setting, run: Run) -> None:
    """Minutes for ten million events: in a process of its own while the bank stands still."""
    with setting.paused():
        found = []
        for grown in history.grown():
            found.append(grown)
            name = f"risk.history.{grown.events / 1_000_000:g}m"
            run.tell(Figure(f"{name}.p50", grown.p50_us, "us"))
            run.tell(Figure(f"{name}.p99", grown.p99_us, "us"))
            run.tell(Figure(f"{name}.memory", grown.memory_mb, "MB"))
    for less, more in itertools.pairwise(found):
        ratio = more.p50_us / less.p50_us
        name = f"risk.history.{more.events / 1_000_000:g}m"
        reference = f"{less.events / 1_000_000:g} million events"
        run.tell(
            Figure(name, more.p50_us, "us", reference, round(ratio, 2), "<= 1.25x", ratio <= 1.25)
        )


async def measure_payment(setting: Setting, run: Run) -> None:
    chain = {}
    with payment.bare_chain(setting.bank.options.port + CHAIN_OFFSET) as url:
        for connections in payment.CONNECTIONS:
            load = await payment.chain_rate(url, connections=connections, seconds=SECONDS / 2)
            chain[connections] = load.all_good("empty hops").rate
    counter = await payment.prepare(setting)
    await payment.pay(counter, connections=16, count=300)  # pools fill, plans settle
    for connections, count in PAYMENTS.items():
        with run.part(f"payment.end_to_end.{connections}"):
            before = setting.cpu_seconds()
            load = await payment.pay(counter, connections=connections, count=count)
            if connections == 16:
                run.cpu_ms = _cpu_ms(before, setting.cpu_seconds(), len(load.latencies))
            _tell_payment(run.tell, load, bare=chain[connections], connections=connections)
    with run.part("payment.p99_at_50_per_s"):
        steady = await payment.pay_at_rate(counter, per_second=50, seconds=10)
        late = steady.all_good("payments at 50 a second").percentile_ms(99)
        run.tell(below("payment.p99_at_50_per_s", late, "ms", ceiling=100))
    with run.part("gateway.overhead"):
        through, direct = await payment.gateway_overhead(setting, counter)
        run.tell(
            Figure(
                "gateway.overhead",
                round(through.percentile_ms(50) - direct.percentile_ms(50), 2),
                "ms p50",
                "the same read at payments",
                round(through.percentile_ms(50) / direct.percentile_ms(50), 2),
            )
        )


def _tell_payment(tell: Tell, load: Load, *, bare: float, connections: int) -> None:
    name = f"payment.end_to_end.{connections}"
    load.all_good(f"payments over {connections} connections")
    tell(
        at_least(
            name, load.rate, "payments/s", reference="four empty hops", against=bare, times=0.2
        )
    )
    tell(Figure(f"{name}.p50", round(load.percentile_ms(50), 1), "ms"))
    tell(Figure(f"{name}.p99", round(load.percentile_ms(99), 1), "ms"))


def _cpu_ms(
    before: Mapping[str, float], after: Mapping[str, float], payments: int
) -> dict[str, float]:
    spent = {name: (after[name] - before.get(name, 0.0)) * 1000 / payments for name in after}
    return {name: used for name, used in spent.items() if used >= 0.01}


async def measure_events(setting: Setting, run: Run) -> None:
    bus = events.postgres_bus(setting)
    try:
        rate = await events.profiles(setting, bus, count=EVENTS)
    finally:
        await bus.close()
    run.tell(Figure("events.profiles.postgres", round(rate, 1), "events/s"))


async def measure_kafka(setting: Setting, run: Run) -> None:
    """The same consumer over a broker of the benchmark's own: alone, and two that share."""
    lacking = kafka.missing()
    if lacking is not None:
        run.leave_out(f"events.profiles.kafka: {lacking}")
        return
    with group.own_broker(setting) as broker:
        with run.part("events.profiles.kafka"):
            rate = await _consumed(setting, broker, number=None)
            run.tell(Figure("events.profiles.kafka", round(rate, 1), "events/s"))
        with run.part("events.backlog.kafka"):
            one, two = await _one_and_two(setting, broker, wait_ms=0.0)
            run.tell(Figure("events.backlog.kafka.one", round(one, 1), "events/s"))
            name, reference = "events.backlog.kafka.two", "one consumer"
            run.tell(Figure(name, round(two, 1), "events/s", reference, round(two / one, 3)))
        with run.part("events.waiting.kafka"):
            one, two = await _one_and_two(setting, broker, wait_ms=WAIT_MS)
            run.tell(Figure("events.waiting.kafka.one", round(one, 1), "events/s"))
            name, reference = "events.waiting.kafka.two", "one consumer that waits"
            run.tell(at_least(name, two, "events/s", reference=reference, against=one, times=1.7))


async def _one_and_two(
    setting: Setting, broker: kafka.Broker, *, wait_ms: float
) -> tuple[float, float]:
    """What one consumer does, the better of before and after, and what two do in between."""
    before, two, after = [
        await _consumed(setting, broker, number=number, wait_ms=wait_ms) for number in (1, 2, 1)
    ]
    return max(before, after), two


async def _consumed(
    setting: Setting, broker: kafka.Broker, *, number: int | None, wait_ms: float = 0.0
) -> float:
    """Events a second of the service's own worker while they are published (`number` is None),
    or of so many consumers that share a backlog.
    """
    module = group.WORKER if number is None else group.MEMBER
    bus = group.kafka_bus(setting, broker)
    try:
        with group.members(
            setting, broker, module=module, number=number or 1, wait_ms=wait_ms
        ) as joined:
            if number is None:
                return await events.profiles(setting, bus, count=EVENTS)
            return await events.backlog(setting, bus, count=BACKLOG, release=joined.release)
    finally:
        await bus.close()


def measure_import(environment: Mapping[str, str], run: Run) -> None:
    """Import the real book, into an empty bank, where it is there."""
    if not BERKA.is_dir():
        run.leave_out("import.berka: the real book is not here")
        return
    options = read_options({**environment, "BOOK": str(BERKA)})
    reset_bank(options.run_dir, say=_say)
    with running_bank(options, say=_say):
        load_book(options, say=_say)
    rate = postings_per_second(options.run_dir)
    run.tell(above("import.berka", rate, "postings/s", floor=5_000))


def postings_per_second(run_dir: Path) -> float:
    """What the import of a book left beside the bank.

    Raises RuntimeError where it tells no rate, or rows that the book's balances do not explain.
    """
    found = read_json(run_dir / RECONCILIATION) or {}
    rate = found.get("postings_per_second")
    if rate is None or found.get("unexplained") != 0:
        raise RuntimeError(f"the import was not clean: {rate=}, {found.get('unexplained')=}")
    return float(rate)


def _say(words: str) -> None:
    print(f"  {words}", flush=True)


Measure = Callable[[Setting, Run], Awaitable[None]]
#: Each in the running bank, in this order: what the ledger posts leaves the others work for a
#: while, so it comes last. The import has a bank of its own.
MEASURES: Mapping[str, Measure] = {
    "payment": measure_payment,
    "risk": measure_risk,
    "history": measure_history,
    "events": measure_events,
    "kafka": measure_kafka,
    "ledger": measure_ledger,
}
IMPORT = "import"


async def _measure_all(setting: Setting, run: Run, parts: list[str]) -> None:
    for name, one in MEASURES.items():
        if name in parts:
            with run.part(name):
                await one(setting, run)


def measure(options: Options, environment: Mapping[str, str], parts: list[str]) -> Run:
    """Measure the parts; what fails is noted, and the rest goes on."""
    run = Run()
    with run.part("the bank"):
        reset_bank(options.run_dir, say=_say)
        if any(name in parts for name in MEASURES):
            with running_bank(options, say=_say) as bank:
                asyncio.run(_measure_all(setting_of(bank), run, parts))
    if IMPORT in parts:
        with run.part(IMPORT):
            measure_import(environment, run)
    with run.part("cleaning up"):
        reset_bank(options.run_dir, say=_say)
    return run


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    every = [*MEASURES, IMPORT]
    parser.add_argument(
        "--only", nargs="+", choices=every, help="measure these alone and write nothing"
    )
    parser.add_argument("--run", default=RUN_DIR, help="the folder of the bank that is measured")
    parser.add_argument("--port", default=PORT, help="its first port")
    arguments = parser.parse_args()
    # `make` hands it to every program; the bank that is measured has PostgreSQL as its bus.
    os.environ.pop("BUS", None)
    environment = {"RUN_DIR": arguments.run, "PORT": arguments.port}
    began = time.monotonic()
    run = measure(read_options(environment), environment, arguments.only or every)
    if run.figures and not arguments.only:
        write(run)
    print(f"missed: {', '.join(run.missed)}" if run.missed else "every goal that was measured held")
    print(f"{time.monotonic() - began:.0f} s")
    if run.failed:
        sys.exit("\n".join(("bench: not everything was measured", *run.failed)))


if __name__ == "__main__":
    main()
