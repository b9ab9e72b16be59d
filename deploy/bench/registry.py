"""What a challenger's shadow adds to a decision, and how fast kept decisions are tried again."""

import math
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Final

from deploy.bank.staff import StaffClient
from deploy.bench.decision import ARTIFACTS, Decider, Population
from deploy.bench.setting import Setting
from services.risk import scoring
from services.risk.features import Windows
from services.risk.features.whole import measured
from services.risk.rings.domain import Rings
from services.risk.shadows import SLICE, Shadows, scored_by
from shared.kit.app import spare_the_collector
from shared.kit.clock import new_id

DECISIONS: Final = 20_000
CUSTOMERS: Final = 2_000
#: Runs of each, of which the fastest counts: another program on the machine only slows one.
RUNS: Final = 3
WAIT_S: Final = 120.0
#: Decisions that are tried again, the youngest.
MOST: Final = 100_000


def shadow() -> tuple[float, float]:
    """CPU microseconds of a decision, and those that a challenger adds to it.

    The challenger is as large as the champion: the same file. What it adds is to leave the
    features aside, and to score them by slices, as the service does after the answers.
    """
    spare_the_collector()
    payments = list(islice(Population(CUSTOMERS, apart_ms=1_000).payments(), DECISIONS))
    windows, rings = Windows(), Rings()
    features = [
        {
            name: None if math.isnan(value) else value
            for name, value in measured(windows, rings, one, now_ms=one.at_ms)[0].items()
        }
        for one in payments
    ]
    ids = [new_id() for _ in payments]
    challenger = scoring.load(ARTIFACTS)

    def decide() -> None:
        fresh = Decider(Windows())
        for payment in payments:
            fresh.decide(payment)

    def follow() -> None:
        shadows = Shadows()
        shadows.challengers = {"payment": [challenger]}
        for start in range(0, DECISIONS, SLICE):
            for place in range(start, min(start + SLICE, DECISIONS)):
                shadows.note("payment", ids[place], features[place])
            for seen in shadows.taken().values():
                scored_by(challenger, seen)

    return _fastest_us(decide), _fastest_us(follow)


def _fastest_us(work: Callable[[], None]) -> float:
    spent = []
    for _ in range(RUNS):
        began = time.process_time_ns()
        work()
        spent.append(time.process_time_ns() - began)
    return min(spent) / 1000 / DECISIONS


class Tried:
    """How many decisions were tried again, and how many a second."""

    def __init__(self, made: dict[str, Any]) -> None:
        if made["state"] != "done":
            raise RuntimeError(f"the back-test is {made['state']}")
        self.seen = int(made["seen"])
        self.rate = self.seen * 1e6 / max(1, int(made["spent_us"]))


def back_test(setting: Setting) -> Tried:
    """A version with another ceiling over the decisions that the bank has kept."""
    staff = StaffClient(setting.run_dir, login_name="operator")
    body = {"note": "bench: another ceiling", "thresholds": {"ceiling_minor": 9_999_000}}
    made = staff.call("risk", "POST", "/v1/policies/payment/versions", body=body)
    now = datetime.now(UTC)
    span = {
        "since": (now - timedelta(days=2)).isoformat(),
        "until": now.isoformat(),
        "most": MOST,
    }
    path = f"/v1/policies/payment/versions/{made['version']}/back-test"
    return Tried(
        _finished(
            staff,
            staff.call("risk", "POST", path, body=span),
            lambda asked: f"/v1/policy-back-tests/{asked['back_test_id']}",
        )
    )


def evaluation(setting: Setting) -> Tried:
    """The champion as if it were a candidate, over the same: scored anew and ruled by it."""
    staff = StaffClient(setting.run_dir, login_name="operator")
    in_use = staff.call("risk", "GET", "/v1/models-in-use")["items"]
    label = next(one["champion"] for one in in_use if one["product"] == "payment")
    path = f"/v1/models/payment/{label}/evaluation"
    return Tried(
        _finished(
            staff,
            staff.call("risk", "POST", path, body={"most": MOST}),
            lambda asked: f"/v1/model-evaluations/{asked['evaluation_id']}",
        )
    )


def _finished(
    staff: StaffClient, asked: dict[str, Any], path: Callable[[dict[str, Any]], str]
) -> dict[str, Any]:
    ends = time.monotonic() + WAIT_S
    while asked["state"] == "running" and time.monotonic() < ends:
        time.sleep(0.2)
        asked = staff.call("risk", "GET", path(asked))
    return asked
