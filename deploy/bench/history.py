"""Windows that have seen much: what they hold, and whether they still answer as fast.

`python -m deploy.bench.history 100000 1000000` fills them in a process of its own, so that the
memory is theirs, and prints a line of JSON at each size.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice

import psutil

from deploy.bench.decision import Decider, Population, timed
from deploy.local.options import ROOT
from services.risk.consumers import Feed
from services.risk.features import Windows
from services.risk.windows import Limits, SeenPayment
from shared.contracts.events.envelope import Envelope
from shared.contracts.events.payments import PaymentReceived, PaymentSettled
from shared.kit.app import spare_the_collector
from shared.kit.bus.port import Bus, Record
from shared.kit.clock import new_id

#: Two payments a second: ten million of them are 58 days, twice what the longest window keeps.
POPULATION = Population(customers=100_000, apart_ms=500)
SIZES = (100_000, 1_000_000, 10_000_000)
MEASURED = 10_000
REBUILT = 100_000
BATCH = 2_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Grown:
    """`events` counted so far; a decision then; `memory_mb` of the process beyond an empty one."""

    events: int
    p50_us: float
    p99_us: float
    memory_mb: float


def grown(sizes: Sequence[int] = SIZES) -> Iterator[Grown]:
    """As many events as each size says, the smallest first, and what a decision takes there."""
    command = [sys.executable, "-m", "deploy.bench.history", *(str(size) for size in sizes)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout or ():
            yield Grown(**json.loads(line))
    if process.returncode:
        raise RuntimeError(f"filling the windows ended with {process.returncode}")


def _fill(sizes: Sequence[int]) -> Iterator[Grown]:
    decider = Decider(Windows(Limits()))
    process = psutil.Process()
    empty = process.memory_info().rss
    payments, counted = POPULATION.payments(), 0
    for size in sorted(sizes):
        for payment in islice(payments, size - counted - MEASURED):
            decider.windows.observe(payment)
        spare_the_collector()
        times = timed(decider, list(islice(payments, MEASURED)))
        counted = size
        used = (process.memory_info().rss - empty) / 2**20
        yield Grown(size, round(times.p50_us, 1), round(times.p99_us, 1), round(used))


def rebuild(bus: Bus) -> float:
    """Events a second that a start reads into its windows, from envelopes as the bus brings them.

    As on the bus, each payment is received and then settled; the second says nothing to windows.
    Ten payments a customer: a real book has many more, and a window's first costs most.
    One process; what the bus itself takes to bring them is not in it.
    """
    feed = Feed(windows=Windows(), bus=bus)
    payments = islice(Population(customers=5_000, apart_ms=500).payments(), REBUILT // 2)
    records = list(_records(payments))
    spare_the_collector()
    began = time.process_time()
    for start in range(0, REBUILT, BATCH):
        feed.apply(records[start : start + BATCH])
    return REBUILT / (time.process_time() - began)


def _records(payments: Iterable[SeenPayment]) -> Iterator[Record]:
    for number, payment in enumerate(payments):
        facts = {
            "payment_id": new_id(),
            "customer_id": payment.customer_id,
            "partner_id": None,
            "debtor_account": payment.account_id,
            "creditor_account": payment.payee_id,
            "amount_minor": payment.value_minor,
            "currency": "CNY",
            "channel": "bench",
            "at": EPOCH + timedelta(milliseconds=payment.at_ms),
            "device_id": payment.device_id,
            "ip_address": payment.ip_address,
        }
        settled = PaymentSettled.model_validate(facts | {"transfer_id": new_id()})
        events = PaymentReceived.model_validate(facts), settled
        for event in events:
            envelope = Envelope(
                id=new_id(),
                source="payments",
                type=type(event).__name__,
                time=event.at,
                subject=event.key(),
                data=event.model_dump(mode="json"),
            )
            value = envelope.model_dump_json()
            yield Record(event.topic, 0, number, event.key(), envelope.id, value, event.at)


if __name__ == "__main__":
    for found in _fill([int(size) for size in sys.argv[1:]]):
        print(json.dumps(asdict(found)), flush=True)
