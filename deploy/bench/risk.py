"""How fast risk decides: in this process against the bare model, and over HTTP."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import aiohttp
import numpy as np
import onnxruntime as ort

from deploy.bench.load import Load, closed_loop
from deploy.bench.setting import Setting, service_token
from deploy.local.options import ROOT
from services.risk import scoring
from services.risk.features import Windows
from services.risk.policies.facts import hour_of
from services.risk.policies.seeds import seed_program
from services.risk.windows import SeenPayment, in_ms
from shared.kit.clock import new_id

ARTIFACTS = ROOT / "services/risk/artifacts"
DECISIONS = 20_000
CUSTOMERS = 2_000
CONNECTIONS = 16


def _median_us(call: Callable[[], object], *, times: int) -> float:
    spent = []
    for _ in range(times):
        began = time.perf_counter_ns()
        call()
        spent.append(time.perf_counter_ns() - began)
    return sorted(spent)[len(spent) // 2] / 1000


def raw_model_us(folder: Path = ARTIFACTS) -> float:
    """Microseconds of one call of onnxruntime on one row, the median of many."""
    model = scoring.load(folder)
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(str(folder / "fraud.onnx"), options)
    width = len(model.manifest.features)
    row = np.zeros((1, width), dtype=np.float32)
    inputs = {session.get_inputs()[0].name: row}
    return _median_us(lambda: session.run(None, inputs), times=DECISIONS)


def in_process_us(folder: Path = ARTIFACTS) -> float:
    """Microseconds of a whole decision: windows, model, rules; the median of many."""
    model, windows, policy = scoring.load(folder), Windows(), seed_program("payment")
    random = Random(4)  # noqa: S311 - a load, not a secret
    began = in_ms(datetime(2026, 6, 1, tzinfo=UTC))
    payments = iter(
        [
            SeenPayment(
                payment_id=str(number),
                customer_id=f"c{random.randrange(CUSTOMERS)}",
                account_id=f"a{random.randrange(CUSTOMERS)}",
                payee_id=f"p{random.randrange(CUSTOMERS)}",
                value_minor=random.randrange(100, 500_000),
                at_ms=began + number * 1_000,
            )
            for number in range(DECISIONS)
        ]
    )
    thresholds = model.manifest.thresholds
    of_model = {"review_from": thresholds.review, "decline_from": thresholds.decline}

    def decision() -> None:
        payment = next(payments)
        features = windows.measure(payment)
        policy.ruling(
            {
                "product": "payment",
                "value_minor": payment.value_minor,
                "at_ms": payment.at_ms,
                "hour": hour_of(payment.at_ms),
                "score": model.score(features),
                "degraded": [],
                "lists": {"payee": None},
                "model": of_model,
                "features": features,
            }
        )

    return _median_us(decision, times=DECISIONS)


async def over_http(setting: Setting, *, seconds: float) -> Load:
    """Stored decisions over HTTP, each of another customer, on 16 connections."""
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

        return await closed_loop(ask, connections=CONNECTIONS, seconds=seconds)
