"""How fast risk decides: in this process against the bare model, and over HTTP."""

import json
import time
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from random import Random

import aiohttp

from deploy.bench import reference_model
from deploy.bench.decision import Decider, Population, Times, timed
from deploy.bench.load import Load, closed_loop, open_loop
from deploy.bench.setting import Setting, service_token
from services.risk.features import Windows
from shared.kit.app import spare_the_collector
from shared.kit.clock import new_id

DECISIONS = 20_000
CUSTOMERS = 2_000
CONNECTIONS = 64
#: Asked for at this rate, whether or not the earlier ones are answered.
STEADY_PER_S = 1_000


def raw_model_us(model: Path) -> float:
    """Microseconds of one raw call of onnxruntime on one row, the median of many.

    `model` is where the reference model is kept between two runs.
    """
    reference_model.train(model)
    session = reference_model.session(model)
    spent = []
    for row in reference_model.rows(DECISIONS):
        began = time.perf_counter_ns()
        session.run(None, {"features": row[None, :]})
        spent.append(time.perf_counter_ns() - began)
    return sorted(spent)[len(spent) // 2] / 1000


def in_process(*, has_signals: bool) -> Times:
    """Whole decisions in this process, its collector as the service has it: windows, model, rules.

    `has_signals`: of payments that name device and address too, five entities and not three.
    """
    population = Population(customers=CUSTOMERS, apart_ms=1_000, has_signals=has_signals)
    spare_the_collector()
    return timed(Decider(Windows()), list(islice(population.payments(), DECISIONS)))


async def over_http(setting: Setting, *, seconds: float) -> tuple[Load, Load, float]:
    """Stored decisions over HTTP, each of another customer.

    Of as many as there can be on 64 connections, then of a steady rate; and the CPU microseconds
    that the service itself takes for one of the first.
    """
    random = Random(5)  # noqa: S311 - a load, not a secret
    tokens = {
        customer: service_token(setting, caller="payments", target="risk", customer_id=customer)
        for customer in (f"risk-{number}" for number in range(CUSTOMERS))
    }
    names = list(tokens)
    url = f"{setting.url('risk')}/v1/decisions"
    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    async with aiohttp.ClientSession(connector=connector) as http:

        async def ask() -> bool:
            customer = random.choice(names)
            body = {
                "decision_id": str(new_id()),
                "customer_id": customer,
                "debtor_account": f"{customer}-a",
                "creditor_account": "bench-shop",
                "amount_minor": random.randrange(1_000, 100_000),
                "currency": "CNY",
                "channel": "bench",
                "at": datetime.now(UTC).isoformat(),
            }
            headers = {
                "authorization": f"Bearer {tokens[customer]}",
                "content-type": "application/json",
            }
            async with http.post(url, data=json.dumps(body), headers=headers) as answer:
                await answer.read()
                return answer.status in {200, 201}

        await closed_loop(ask, connections=CONNECTIONS, seconds=seconds / 4)  # plans settle
        before = setting.cpu_seconds()["risk"]
        most = await closed_loop(ask, connections=CONNECTIONS, seconds=seconds)
        cpu_us = (setting.cpu_seconds()["risk"] - before) * 1e6 / max(len(most.latencies), 1)
        steady = await open_loop(ask, per_second=STEADY_PER_S, seconds=seconds)
        return most, steady, cpu_us
