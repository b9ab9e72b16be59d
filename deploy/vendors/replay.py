"""The labelled payments over which models are compared: the bank's own, or a simulated city's."""

import asyncio
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg
import numpy as np
from numpy.typing import NDArray

from deploy import postgres
from deploy.postgres import PostgresError
from services.risk import scoring
from services.risk.evaluation.report import Text
from services.risk.features import FEATURE_NAMES, Windows
from services.risk.features.whole import measured
from services.risk.rings.domain import Rings
from services.risk.scoring import FraudModel
from services.risk.training.simulation import HONEST, Labeled, Size, days_of, simulate

#: With fewer of the bank's own, every interval would hold everything.
LEAST_LABELLED, LEAST_FRAUD = 2_000, 50
MOST: Final = 200_000
#: Not the city that the model was fitted on.
SEED: Final = 20260711
SIZE: Final = Size(customers=1_500, days=42)
#: Until then windows are filled, and nothing is judged.
WARM_DAYS: Final = 14
_NIGHT_ENDS, _DAY_ENDS = 6, 22

_LABELLED = """
    SELECT d.features, l.label = 'fraud' AS is_fraud
    FROM decisions d
    JOIN LATERAL (SELECT label FROM labels WHERE decision_id = d.decision_id
                  ORDER BY position DESC LIMIT 1) l ON true
    WHERE d.product = 'payment' AND l.label IN ('fraud', 'honest')
    ORDER BY d.decided_at DESC LIMIT $1
"""
_CHAMPION = """
    SELECT manifest, onnx FROM models
    WHERE product = 'payment' AND state = 'champion' AND onnx IS NOT NULL
"""
ARTIFACTS: Final = Path(scoring.__file__).parent / "artifacts"


@dataclass(frozen=True, slots=True)
class Replay:
    """`features` is (n, all features) in the order of FEATURE_NAMES, NaN where one is missing;
    `amounts` are in yuan.
    """

    features: NDArray[np.float64]
    truth: NDArray[np.bool_]
    champion: FraudModel
    source: Text

    @property
    def amounts(self) -> NDArray[np.float64]:
        return np.expm1(self.features[:, FEATURE_NAMES.index("amount_log")])

    def of(self, names: Sequence[str]) -> NDArray[np.float64]:
        return self.features[:, [FEATURE_NAMES.index(name) for name in names]]

    def groups(self) -> dict[str, NDArray[np.str_]]:
        """What a payment shows of people who may be treated otherwise without meaning to."""
        sin, cos, mean = self.of(["hour_sin", "hour_cos", "amount_to_mean_log"]).T
        hour = (np.arctan2(sin, cos) * 12 / math.pi) % 24
        night = (hour < _NIGHT_ENDS) | (hour >= _DAY_ENDS)
        return {
            "hour": np.where(night, "22:00-06:00", "06:00-22:00"),
            "customer": np.where(np.isnan(mean), "without a month's history", "with history"),
        }


def replay(run_dir: Path, *, told: Callable[[str], None]) -> Replay:
    """The bank's own labelled payments where there are enough, else the city's."""
    own, champion, cause = _own(run_dir)
    champion = champion or scoring.load(ARTIFACTS)
    if own is not None:
        told(f"{len(own[1]):,} of the bank's own labelled payments")
        return Replay(*own, champion, Text(
            f"本行自己的 {len(own[1]):,} 笔已标注付款。",
            f"The bank's own {len(own[1]):,} labelled payments.",
        ))  # fmt: skip
    told(f"{cause}: a simulated city's payments instead")
    features, truth = city(seed=SEED, size=SIZE, told=told)
    return Replay(features, truth, champion, Text(
        f"模拟城市的 {len(truth):,} 笔付款(种子 {SEED}),因为本行已标注的付款不足。",
        f"{len(truth):,} payments of a simulated city (seed {SEED}), since {cause}.",
    ))  # fmt: skip


def _own(
    run_dir: Path,
) -> tuple[tuple[NDArray[np.float64], NDArray[np.bool_]] | None, FraudModel | None, str]:
    """What a running bank has; None and why not, where there is none or too little."""
    try:
        server = postgres.running(run_dir)
        if server is None:
            return None, None, "no bank is running"
        dsn = postgres.auditor_dsn(server, "risk").replace("postgresql+asyncpg://", "postgresql://")
        rows, champions = asyncio.run(_read(dsn))
    except (PostgresError, asyncpg.PostgresError, OSError) as error:
        return None, None, f"the bank cannot be read ({type(error).__name__})"
    champion = scoring.of_bytes(*champions[0]) if champions else None
    fraud = sum(1 for row in rows if row["is_fraud"])
    if len(rows) < LEAST_LABELLED or fraud < LEAST_FRAUD:
        cause = f"the bank has {len(rows)} labelled payments, {fraud} of them fraud"
        return None, champion, cause
    features = np.array([_row(json.loads(row["features"])) for row in rows])
    return (features, np.array([row["is_fraud"] for row in rows])), champion, ""


async def _read(dsn: str) -> tuple[list[asyncpg.Record], list[tuple[bytes, bytes]]]:
    connection = await asyncpg.connect(dsn, timeout=10, command_timeout=60)
    try:
        rows = await connection.fetch(_LABELLED, MOST)
        champions = await connection.fetch(_CHAMPION)
    finally:
        await connection.close()
    return rows, [(row["manifest"], row["onnx"]) for row in champions]


def _row(features: dict[str, float | None]) -> list[float]:
    return [
        math.nan if (value := features.get(name)) is None else float(value)
        for name in FEATURE_NAMES
    ]


def city(
    *, seed: int, size: Size, told: Callable[[str], None], warm_days: int = WARM_DAYS
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The features of a city's payments, each at its own moment, and which were fraud."""
    history: list[Labeled] = simulate(seed=seed, size=size)
    told(f"measuring {len(history):,} payments in order of time")
    windows, rings = Windows(), Rings()
    features = np.empty((len(history), len(FEATURE_NAMES)))
    for place, item in enumerate(history):
        values, _ = measured(windows, rings, item.payment, now_ms=item.payment.at_ms)
        features[place] = [values[name] for name in FEATURE_NAMES]
    later = np.fromiter(days_of(history), dtype=np.int64) >= warm_days
    truth = np.array([item.pattern != HONEST for item in history])
    return features[later], truth[later]
