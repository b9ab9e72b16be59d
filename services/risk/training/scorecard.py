"""Trains and writes the scorecard: `python -m services.risk.training.scorecard --out FOLDER`.

Bins by a small tree for each characteristic, weight of evidence for each bin, a logistic
regression over them, rounded to points (Siddiqi, Credit Risk Scorecards, 2006). On the same
history and split as the model, so that their measures may be compared. Monotone bins, as credit
has them, would miss half of the fraud here: a payee is doubtful who is new, and again who is paid
by many.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from services.risk.evaluation import (
    average_precision,
    precision_recall,
    roc_auc,
)
from services.risk.scorecards import DOUBLE, Characteristic
from services.risk.training import cards, papers
from services.risk.training.fraud import (
    DECLINE_PRECISION,
    REVIEW_PRECISION,
    SEED,
    SIZE,
    Table,
    data_of,
    measure,
)
from services.risk.training.simulation import Size, simulate

NAME, VERSION = "fraud-scorecard", "2026.2"
FILE = "fraud.scorecard.json"
#: What a person understands of a payment; waves and shares of the model are left out.
INPUTS = (
    "payee_new",
    "amount_log",
    "amount_to_mean_log",
    "payee_age_log_h",
    "payee_fan_in_24h",
    "payee_count_1h",
    "customer_count_10m",
    "customer_payees_24h",
    "customer_small_1h",
    "since_last_log_s",
)
BINS, LEAST_IN_BIN, USUAL = 6, 250, 50
_FACTOR = DOUBLE / np.log(2)


@dataclass(frozen=True, slots=True)
class Binned:
    """The edges of a characteristic, and the weight of evidence of each bin, a missing one last."""

    edges: list[float]
    woe: NDArray[np.float64]

    def of(self, values: NDArray[np.float32]) -> NDArray[np.float64]:
        places = np.searchsorted(self.edges, values, side="right")
        places[np.isnan(values)] = len(self.edges) + 1
        return np.asarray(self.woe[places], dtype=np.float64)


def binned(values: NDArray[np.float32], truth: NDArray[np.bool_]) -> Binned:
    known = ~np.isnan(values)
    tree = DecisionTreeClassifier(
        max_leaf_nodes=BINS, min_samples_leaf=LEAST_IN_BIN, random_state=0
    ).fit(values[known, None], truth[known])
    splits = tree.tree_.threshold[tree.tree_.feature >= 0]
    edges = sorted({round(float(split), 4) for split in splits})
    places = np.searchsorted(edges, values, side="right")
    places[~known] = len(edges) + 1
    # as if so many more rows had come in the usual mixture: a bin without rows says nothing
    share = float(truth.mean())
    fraud = np.bincount(places[truth], minlength=len(edges) + 2) + USUAL * share
    honest = np.bincount(places[~truth], minlength=len(edges) + 2) + USUAL * (1 - share)
    return Binned(edges, np.log((fraud / fraud.sum()) / (honest / honest.sum())))


def fit(table: Table) -> tuple[int, list[Characteristic]]:
    """Base points and characteristics; one whose evidence the others turn around is left out."""
    truth = table.is_fraud
    bins = {name: binned(table.features[:, i], truth) for i, name in enumerate(INPUTS)}
    names = list(INPUTS)
    while True:
        columns = [bins[name].of(table.features[:, INPUTS.index(name)]) for name in names]
        model = LogisticRegression(max_iter=1_000).fit(np.column_stack(columns), truth)
        weights = dict(zip(names, model.coef_[0], strict=True))
        turned = [name for name in names if weights[name] <= 0]
        if not turned:
            break
        names.remove(min(turned, key=lambda name: weights[name]))
    found = []
    for name in names:
        points = [round(float(weights[name] * woe * _FACTOR)) for woe in bins[name].woe]
        found.append(
            Characteristic(
                name=name, edges=bins[name].edges, points=points[:-1], missing=points[-1]
            )
        )
    return round(float(model.intercept_[0] * _FACTOR)), found


def _columns(table: Table) -> dict[str, NDArray[np.float64]]:
    return {name: table.features[:, i].astype(np.float64) for i, name in enumerate(INPUTS)}


def _scores(
    base: int, characteristics: Sequence[Characteristic], table: Table
) -> NDArray[np.float64]:
    return cards.scores_of(base, characteristics, _columns(table))


def train(*, seed: int, size: Size) -> bytes:
    """Fitted on the first half of the days, thresholds from the third quarter, measures from the
    last; the file's content.
    """
    history = simulate(seed=seed, size=size)
    table = measure(history, inputs=INPUTS)
    half, three_quarters = size.days // 2, size.days * 3 // 4
    fitted = table.between(0, half)
    base, characteristics = fit(fitted)
    valid = table.between(half, three_quarters)
    test = table.between(three_quarters, size.days)
    scores = _scores(base, characteristics, valid)
    decline = papers.threshold_kept(valid.is_fraud, scores, precision=DECLINE_PRECISION)
    review = papers.threshold_kept(valid.is_fraud, scores, precision=REVIEW_PRECISION)
    review = min(decline, review)
    found, truth = _scores(base, characteristics, test), test.is_fraud
    metrics = {
        "auc": roc_auc(truth, found),
        "average_precision": average_precision(truth, found),
        "fraud_rate": float(truth.mean()),
        "rows_test": float(len(truth)),
    }
    for name, threshold in (("review", review), ("decline", decline)):
        precision, recall = precision_recall(truth, found, threshold=threshold)
        metrics |= {f"precision_at_{name}": precision, f"recall_at_{name}": recall}
    fields: dict[str, object] = {
        "name": NAME,
        "version": VERSION,
        "base_points": base,
        "characteristics": [one.model_dump(exclude_none=True) for one in characteristics],
        "product": "payment",
        "owner": papers.OWNER,
        "data": (data := data_of(history, fitted, seed=seed, size=size)),
        "trained_on": f"{data['source']}, sha256 {data['sha256']}",
        "thresholds": {"review": round(review, 6), "decline": round(decline, 6)},
        "metrics": papers.rounded(metrics),
        "golden": cards.golden_of(base, characteristics, _columns(test), found),
    }
    return papers.written(fields)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of the file")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--customers", type=int, default=SIZE.customers)
    parser.add_argument("--days", type=int, default=SIZE.days)
    chosen = parser.parse_args(arguments)
    content = train(seed=chosen.seed, size=Size.of(chosen.customers, days=chosen.days))
    papers.write(chosen.out, {FILE: content})
    fields = json.loads(content)
    for name, value in {**fields["thresholds"], **fields["metrics"]}.items():
        print(f"  {name:28} {value:.6g}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
