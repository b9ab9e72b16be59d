"""Decisions in this process: windows, rings, model and policy, without HTTP and database."""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from deploy.local.options import ROOT
from services.risk import scoring
from services.risk.engine import scored
from services.risk.features import Windows
from services.risk.features.whole import measured
from services.risk.policies.facts import hour_of
from services.risk.policies.seeds import seed_program
from services.risk.rings.domain import Rings
from services.risk.windows import SeenPayment, in_ms

ARTIFACTS = ROOT / "services/risk/artifacts"
BEGAN_MS = in_ms(datetime(2026, 6, 1, tzinfo=UTC))


@dataclass(frozen=True, slots=True)
class Population:
    """Who pays: one payment each `apart_ms`, of a customer at random.

    Each payment names customer, account and payee; with signals, also device and address.
    """

    customers: int
    apart_ms: int
    has_signals: bool = True

    def payments(self, *, first: int = 0) -> Iterator[SeenPayment]:
        """All payments from the number `first` on, without end."""
        random, number = Random(first), first  # noqa: S311 - a load, not a secret
        while True:
            # one draw for all: drawing would cost more than the window that is measured
            drawn = int(random.random() * 2**52)
            customer = drawn % self.customers
            yield SeenPayment(
                payment_id=f"payment-{number}",
                customer_id=f"customer-{customer}",
                account_id=f"account-{customer}",
                payee_id=f"payee-{drawn // 7 % (self.customers // 5)}",
                value_minor=100 + drawn // 11 % 500_000,
                at_ms=BEGAN_MS + number * self.apart_ms,
                # two devices each, and nobody else's: shared ones would join all into one ring
                device_id=f"device-{customer}-{drawn // 13 % 2}" if self.has_signals else None,
                ip_address=self._address(drawn) if self.has_signals else None,
            )
            number += 1

    def _address(self, drawn: int) -> str:
        number = drawn // 17 % (self.customers // 2)
        return f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"


class Decider:
    """The parts of risk that a payment's decision takes, as the service puts them together."""

    def __init__(self, windows: Windows, artifacts: Path = ARTIFACTS) -> None:
        self.windows = windows
        self.rings = Rings()
        self._model = scoring.load(artifacts)
        self._policy = seed_program("payment")
        thresholds = self._model.manifest.thresholds
        self._of_model = {
            "review_from": thresholds.review,
            "decline_from": thresholds.decline,
        }
        self._lists = dict.fromkeys(("payee", "account", "customer", "device", "ip", "merchant"))

    def decide(self, payment: SeenPayment) -> str:
        """The outcome; the payment is counted into the windows."""
        features, ring = measured(self.windows, self.rings, payment, now_ms=payment.at_ms)
        degraded: list[str] = []
        score = scored(self._model, features, degraded)
        ruling = self._policy.ruling(
            {
                "product": "payment",
                "value_minor": payment.value_minor,
                "at_ms": payment.at_ms,
                "hour": hour_of(payment.at_ms),
                "score": score,
                "degraded": degraded,
                "lists": self._lists,
                "ring": {"size": ring.size, "fraud_distance": ring.fraud_distance},
                "model": self._of_model,
                "features": features,
            }
        )
        return ruling.outcome.word


@dataclass(frozen=True, slots=True)
class Times:
    """Of many decisions: wall time of the median and of the hundredth, and mean CPU time."""

    p50_us: float
    p99_us: float
    cpu_us: float


def timed(decider: Decider, payments: Sequence[SeenPayment]) -> Times:
    """Decide on each, one after the other."""
    spent: list[int] = []
    cpu = time.process_time_ns()
    for payment in payments:
        began = time.perf_counter_ns()
        decider.decide(payment)
        spent.append(time.perf_counter_ns() - began)
    cpu = time.process_time_ns() - cpu
    spent.sort()
    return Times(
        p50_us=spent[len(spent) // 2] / 1000,
        p99_us=spent[math.ceil(len(spent) * 0.99) - 1] / 1000,
        cpu_us=cpu / 1000 / len(payments),
    )
