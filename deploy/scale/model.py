"""How many processes a load takes, what fills up first, and how long a payment then waits.

A process of the bank is one thread on one core, so a service is a station with as many servers
as it has replicas, and a payment's time there is the CPU that was measured for it.
"""

import heapq
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

#: Half-busy servers answer a burst; full ones only queue. Replicas are planned for this.
TARGET = 0.6
#: The cores of the largest single server that a bank would buy for its database.
SERVER_CORES = 64
DATABASE = "postgres"


@dataclass(frozen=True, slots=True)
class Measured:
    """What one machine did. `cpu_ms` is CPU of a payment by process, PostgreSQL's together."""

    payments_per_s: float
    cpu_ms: Mapping[str, float]
    #: What one relay publishes and one consumer applies, a second.
    events_per_s: float
    #: What one replica of risk spends on a payment's events, whoever decided it.
    window_us: float


@dataclass(frozen=True, slots=True)
class Limit:
    """What more replicas do not widen: full at so many payments a second."""

    name: str
    payments_per_s: float


def servers(payments_per_s: float, cpu_ms: float) -> int:
    """Servers that are busy for `TARGET` of the time, at the most."""
    return max(1, math.ceil(payments_per_s * cpu_ms / 1000 / TARGET))


def limits(measured: Measured, *, events: int, partitions: int) -> list[Limit]:
    """The narrow places as the bank is built, the first to fill first.

    `events` are published by payments for one payment; its topic has `partitions`.
    """
    database_ms = measured.cpu_ms.get(DATABASE, 0.0)
    found = [
        Limit("the relay of payments", measured.events_per_s / events),
        Limit("consumers of the payment topic", partitions * measured.events_per_s / events),
        Limit("the windows of each replica of risk", TARGET * 1e6 / measured.window_us),
    ]
    if database_ms:
        cores = SERVER_CORES * TARGET
        found.append(Limit("one database server", cores * 1000 / database_ms))
    return sorted(found, key=lambda limit: limit.payments_per_s)


def simulate(
    stations: Sequence[tuple[int, float]], *, payments_per_s: float, count: int, seed: int
) -> list[float]:
    """Milliseconds that each of `count` payments takes through `stations`, in their order.

    A station is (servers, mean milliseconds). Payments arrive at random (Poisson); service times
    are exponential, which is worse than what is measured; each station serves in order of arrival.
    """
    chance = random.Random(seed)  # noqa: S311 - a simulation, repeatable
    arrived, at = [], 0.0
    for _ in range(count):
        at += chance.expovariate(payments_per_s / 1000)
        arrived.append(at)
    moments = [(moment, i) for i, moment in enumerate(arrived)]
    for number, mean_ms in stations:
        free = [0.0] * number
        done = []
        for moment, i in sorted(moments):
            begins = max(moment, free[0])
            ends = begins + chance.expovariate(1 / mean_ms)
            heapq.heapreplace(free, ends)
            done.append((ends, i))
        moments = done
    return sorted(ends - arrived[i] for ends, i in moments)
