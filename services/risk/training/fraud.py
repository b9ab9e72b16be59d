"""Trains and writes the fraud model: `python -m services.risk.training.fraud --out FOLDER`.

The same seed and size write the same three files, byte for byte, on the same versions of the
libraries. Nothing is written unless the exported model answers as the trained one does.
"""

import argparse
import hashlib
import json
import sys
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.risk import scoring
from services.risk.evaluation import (
    average_precision,
    brier,
    precision_recall,
    roc_auc,
)
from services.risk.features import FEATURES, FRAUD_INPUTS, Windows
from services.risk.features.whole import measured
from services.risk.rings.domain import Rings
from services.risk.scoring import FraudModel
from services.risk.training import papers, reference
from services.risk.training.export import ParityBroken, Trained, check_parity, fit, to_onnx
from services.risk.training.simulation import (
    HONEST,
    PATTERNS,
    Labeled,
    Size,
    days_of,
    simulate,
)

NAME = "fraud"
REFERENCE = f"{NAME}.reference.json"
VERSION = "2026.2"
SEED = 20260101
#: How large a city the model of the release was fitted on.
SIZE = Size(customers=4_800, shops=480)
#: Of the payments at or above a threshold, this part at least is fraud, 19 times of 20.
DECLINE_PRECISION = 0.95
REVIEW_PRECISION = 0.60
GOLDEN_PER_KIND = 2


@dataclass(frozen=True, slots=True)
class Table:
    """Features in 32 bits, one row per payment in order of time, with what each really was."""

    features: NDArray[np.float32]
    patterns: NDArray[np.str_]
    days: NDArray[np.int64]

    @property
    def is_fraud(self) -> NDArray[np.bool_]:
        return np.asarray(self.patterns != HONEST)

    def between(self, first_day: int, end_day: int) -> "Table":
        rows = (self.days >= first_day) & (self.days < end_day)
        return Table(self.features[rows], self.patterns[rows], self.days[rows])


@dataclass(frozen=True, slots=True)
class Told:
    """A customer's payment turned out to be fraud, or not, and that was told at a time."""

    customer_id: str
    payment_id: str
    is_fraud: bool
    at_ms: int


def measure(
    history: Sequence[Labeled],
    *,
    told: Sequence[Told] = (),
    inputs: Sequence[str] = FRAUD_INPUTS,
) -> Table:
    """Runs the history through the windows and rings that serve, each payment at its own moment,
    with what was `told` by then. Both are in order of time.
    """
    windows, rings = Windows(), Rings()
    news = deque(told)
    features = np.empty((len(history), len(inputs)), dtype=np.float32)
    for i, item in enumerate(history):
        at_ms = item.payment.at_ms
        while news and news[0].at_ms <= at_ms:
            one = news.popleft()
            rings.flag(one.customer_id, cause=one.payment_id, is_fraud=one.is_fraud)
        values, _ = measured(windows, rings, item.payment, now_ms=at_ms)
        features[i] = [values[name] for name in inputs]
    patterns = np.array([item.pattern for item in history])
    return Table(features, patterns, np.fromiter(days_of(list(history)), dtype=np.int64))


def fingerprint(history: Sequence[Labeled]) -> str:
    """The SHA-256 over every simulated payment and its label."""
    digest = hashlib.sha256()
    for item in history:
        # what the city does not simulate is not in its print
        told = {name: value for name, value in item.payment._asdict().items() if value is not None}
        digest.update(repr((told, item.pattern)).encode())
    return digest.hexdigest()


def data_of(
    history: Sequence[Labeled], fitted: Table, *, seed: int, size: Size
) -> dict[str, object]:
    """The part `data` of a manifest: the rows of the fit, under the print of the whole history."""
    return {
        "source": (
            f"simulated city, seed {seed}, {size.customers} customers, {size.days} days, "
            f"{len(history)} payments"
        ),
        "rows": len(fitted.days),
        "bad": int(fitted.is_fraud.sum()),
        "sha256": fingerprint(history),
    }


def _metrics(
    model: Trained, valid: Table, test: Table, *, review: float, decline: float
) -> dict[str, float]:
    scores = model.score(test.features)
    truth = test.is_fraud
    metrics = {
        "auc": roc_auc(truth, scores),
        "average_precision": average_precision(truth, scores),
        "brier": brier(truth, scores),
        "fraud_rate": float(truth.mean()),
        "rows_test": float(len(truth)),
        "auc_validation": roc_auc(valid.is_fraud, model.score(valid.features)),
    }
    for name, threshold in (("review", review), ("decline", decline)):
        precision, recall = precision_recall(truth, scores, threshold=threshold)
        metrics[f"precision_at_{name}"] = precision
        metrics[f"recall_at_{name}"] = recall
        metrics[f"share_of_honest_at_{name}"] = float((scores[~truth] >= threshold).mean())
    for pattern in PATTERNS:
        of_pattern = scores[test.patterns == pattern]
        if len(of_pattern):
            metrics[f"recall_{pattern}_at_review"] = float((of_pattern >= review).mean())
    return {name: round(value, 6) for name, value in metrics.items()}


def _golden(model: Trained, test: Table) -> list[tuple[str, NDArray[np.float32]]]:
    """Rows that any change of the model is likely to move: every kind, gaps and extremes."""
    scores = model.score(test.features)
    rows: list[tuple[str, NDArray[np.float32]]] = []
    for kind in (HONEST, *PATTERNS):
        places = np.flatnonzero(test.patterns == kind)
        if not len(places):
            continue
        ordered = places[np.argsort(scores[places], kind="stable")]
        for part in range(1, GOLDEN_PER_KIND + 1):
            place = ordered[len(ordered) * part // (GOLDEN_PER_KIND + 1)]
            rows.append((f"{kind}_{part}", test.features[place]))
        rows.append((f"{kind}_highest", test.features[ordered[-1]]))
    width = test.features.shape[1]
    rows.append(("all_missing", np.full(width, np.nan, dtype=np.float32)))
    rows.append(("all_zero", np.zeros(width, dtype=np.float32)))
    rows.append(("all_large", np.full(width, 1e30, dtype=np.float32)))
    rows.append(("all_negative", np.full(width, -1e30, dtype=np.float32)))
    return rows


def train(*, seed: int, size: Size) -> tuple[bytes, bytes, bytes]:
    """Simulates, fits, checks; returns the model file, its manifest and its reference.

    Out of time: fitted on the first half of the days, thresholds from the third quarter, metrics
    from the last. Raises ParityBroken if the exported model answers otherwise than the fitted.
    """
    history = simulate(seed=seed, size=size)
    table = measure(history)
    half, three_quarters = size.days // 2, size.days * 3 // 4
    fitted = table.between(0, half)
    valid = table.between(half, three_quarters)
    test = table.between(three_quarters, size.days)
    model = fit(fitted.features, fitted.is_fraud, seed=seed)
    onnx = to_onnx(model, width=len(FRAUD_INPUTS))
    exported = check_parity(model, onnx, table.features, seed=seed)

    scores = model.score(valid.features)
    decline = papers.threshold_kept(valid.is_fraud, scores, precision=DECLINE_PRECISION)
    review = papers.threshold_kept(valid.is_fraud, scores, precision=REVIEW_PRECISION)
    review = min(decline, review)
    golden = _golden(model, test)
    features = {feature.name: feature for feature in FEATURES}
    fields: dict[str, object] = {
        "name": NAME,
        "version": VERSION,
        "sha256": papers.sha256(onnx),
        "product": "payment",
        "owner": papers.OWNER,
        "data": (data := data_of(history, fitted, seed=seed, size=size)),
        "trained_on": f"{data['source']}, sha256 {data['sha256']}",
        "features": [asdict(features[name]) for name in FRAUD_INPUTS],
        "thresholds": {"review": round(review, 6), "decline": round(decline, 6)},
        "metrics": _metrics(model, valid, test, review=review, decline=decline)
        | {"parity_worst": exported.worst, "parity_rows": float(exported.rows)},
        "golden": [
            papers.golden(label, row, float(exported.score(row[None, :])[0]))
            for label, row in golden
        ],
    }
    later = table.between(half, size.days)
    distributions = reference.written(
        name=NAME,
        version=VERSION,
        model_sha256=papers.sha256(onnx),
        features=FRAUD_INPUTS,
        fitted=fitted.features,
        scores=exported.score(later.features),
    )
    return onnx, papers.written(fields), distributions


def reference_of(model: FraudModel, *, seed: int, size: Size) -> bytes:
    """The reference of a model that is there, from its history as it is measured today.

    Where the measuring of features has changed since the model was fitted, its inputs in service
    are of the new kind, and so has to be what they are compared with.
    """
    table = measure(simulate(seed=seed, size=size))
    half = size.days // 2
    later = table.between(half, size.days).features
    return reference.written(
        name=model.manifest.name,
        version=model.manifest.version,
        model_sha256=model.manifest.sha256,
        features=[feature.name for feature in model.manifest.features],
        fitted=table.between(0, half).features,
        scores=model.score_all(later),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes `fraud.onnx`, `fraud.json`, `fraud.reference.json`; 1 if the export differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of the three files")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--customers", type=int, default=SIZE.customers)
    parser.add_argument("--days", type=int, default=SIZE.days)
    parser.add_argument(
        "--reference-only", action="store_true", help="of the model that is in the folder"
    )
    chosen = parser.parse_args(arguments)
    size = Size.of(chosen.customers, days=chosen.days)
    if chosen.reference_only:
        found = reference_of(scoring.load(chosen.out), seed=chosen.seed, size=size)
        papers.write(chosen.out, {REFERENCE: found})
        return 0
    try:
        onnx, manifest, distributions = train(seed=chosen.seed, size=size)
    except ParityBroken as error:
        sys.stderr.write(f"not written: {error}\n")
        return 1
    files = {f"{NAME}.onnx": onnx, f"{NAME}.json": manifest, REFERENCE: distributions}
    papers.write(chosen.out, files)
    fields = json.loads(manifest)
    print(f"{NAME}.onnx: {len(onnx)} bytes, sha256 {fields['sha256']}")
    for name, value in {**fields["thresholds"], **fields["metrics"]}.items():
        print(f"  {name:28} {value:.6g}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
