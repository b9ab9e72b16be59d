"""The tables of `docs/scale.md`, from what `make bench` measured."""

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import cast
from uuid import UUID

from deploy.bench.page import replace_measured
from deploy.local.options import ROOT
from deploy.scale.model import DATABASE, Measured, limits, servers, simulate
from services.risk.consumers import Feed
from services.risk.features import Windows
from shared.contracts.events.envelope import Envelope
from shared.contracts.events.payments import PaymentReceived, PaymentSettled
from shared.contracts.topics import BY_NAME
from shared.kit.bus.port import Bus, Record

PAGE = ROOT / "docs/scale.md"
FACTORS = (1, 10, 100, 1_000)
#: Received and settled; the decision and the transfer are told by risk and the ledger.
EVENTS = 2
SIMULATED = 20_000
FED = 5_000
#: What one process takes from each bus; without Java the second is not measured.
BUSES = ("events.profiles.postgres", "events.profiles.kafka")


def window_us() -> float:
    """Microseconds that a replica of risk spends on one payment's events, measured here and now."""
    records = []
    for i in range(FED):
        told = dict(
            PaymentReceived.example, payment_id=str(UUID(int=i)), customer_id=f"c-{i % 999}"
        )
        for kind, data in (("PaymentReceived", told), ("PaymentSettled", PaymentSettled.example)):
            envelope = Envelope(
                id=UUID(int=i),
                source="payments",
                type=kind,
                time=datetime.now(UTC),
                subject=told["debtor_account"],
                data=data,
            )
            records.append(
                Record(
                    PaymentReceived.topic,
                    0,
                    i,
                    "",
                    envelope.id,
                    envelope.model_dump_json(),
                    envelope.time,
                )
            )
    feed = Feed(windows=Windows(), bus=cast(Bus, None))
    began = time.process_time()
    feed.apply(records)
    return (time.process_time() - began) * 1e6 / FED


def read(run_dir: Path) -> Measured:
    """What `make bench` left.

    Raises OSError, KeyError or ValueError: it has not run, or a figure failed.
    """
    found = {one["name"]: one["value"] for one in json.loads((run_dir / "bench.json").read_text())}
    return Measured(
        payments_per_s=found["payment.end_to_end.16"],
        cpu_ms=json.loads((run_dir / "bench_cpu.json").read_text()),
        events_per_s=min(found[bus] for bus in BUSES if bus in found),
        window_us=window_us(),
    )


def tables(measured: Measured) -> str:
    """The measured cost, the plan by load, and the narrow places, as Markdown."""
    cpu = {name: ms for name, ms in measured.cpu_ms.items() if ms >= 0.05 or name == DATABASE}
    names = sorted(cpu, key=lambda name: -cpu[name])
    heads = "".join(f" {name} |" for name in names)
    rows = [
        f"| load | payments/s |{heads} p50, ms | p99, ms |",
        "|---|---:|" + "---:|" * len(names),
    ]
    rows[1] += "---:|---:|"
    rows.append(f"| CPU of a payment, ms | |{''.join(f' {cpu[n]:.2f} |' for n in names)} | |")
    for factor in FACTORS:
        rate = measured.payments_per_s * factor
        stations = [(servers(rate, cpu[name]), cpu[name]) for name in names]
        took = simulate(stations, payments_per_s=rate, count=SIMULATED, seed=factor)
        counts = "".join(f" {number} |" for number, _ in stations)
        p50, p99 = took[len(took) // 2], took[len(took) * 99 // 100]
        rows.append(f"| {factor:,} times | {rate:,.0f} |{counts} {p50:.0f} | {p99:.0f} |")
    narrow = ["| what is full first | at payments/s | times the measured load |", "|---|---:|---:|"]
    for one in limits(
        measured, events=EVENTS, partitions=BY_NAME["payments.payment.v1"].partitions
    ):
        times = one.payments_per_s / measured.payments_per_s
        narrow.append(f"| {one.name} | {one.payments_per_s:,.0f} | {times:,.0f} |")
    return "\n".join([*rows, "", *narrow])


def write(run_dir: Path, *, page: Path = PAGE) -> Path:
    """Write the tables into the page; the page. Raises as `read` does."""
    replace_measured(page, tables(read(run_dir)))
    return page
