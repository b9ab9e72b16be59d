"""Fits the models of applications, checks them as serving does, and writes their files.

Out of time, as they will be used: a row is fitted on only if what became of it was known before
the first row of the test came in.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.risk import scorecards, scoring
from services.risk.evaluation import average_precision, brier, ks, precision_recall, roc_auc
from services.risk.policies.domain import Product
from services.risk.training import additive, cards, papers, reference, woe
from services.risk.training.applications import account_world, credit_world
from services.risk.training.applications.credit_world import Applications
from services.risk.training.applications.meanings import MEANINGS
from services.risk.training.export import PARITY_TOLERANCE, ParityBroken, parity_rows, run_alone

SEED, VERSION = 20260101, "2026.1"
CREDIT_COUNT, ACCOUNTS_A_DAY = 60_000, 160.0
PRODUCTS: Final[tuple[Product, ...]] = ("loan", "card", "account_opening")

#: What each model sees, with the reason that an applicant is told whom it costs points. Age is in
#: none: a score must not lean on it. Nor is the distance to known fraud, which most have none of.
CREDIT_REASONS: Mapping[str, str] = {
    "bureau.overdue_90d": "score_overdue",
    "bureau.queries_3m": "score_queries",
    "court.open_enforcements": "score_enforcement",
    "customer_count_30d": "score_applications",
    "debt_to_income": "score_debts",
    "employed_months": "score_employment",
    "income_to_stated": "score_income_stated",
    "requested_to_income": "score_amount",
    "spending_to_income": "score_spending",
    "tax.monthly_income_minor": "score_income",
    "telecom.months_on_network": "score_phone",
    "term_months": "score_term",
}
ACCOUNT_INPUTS = (
    "customer_count_30d",
    "device_count_24h",
    "device_customers_30d",
    "face_match",
    "ring_size",
    "telecom.months_on_network",
    "telecom.name_matches",
)
#: With these the risk may only rise (1) or fall (-1), so that a reason is never absurd.
DIRECTIONS: Mapping[str, int] = {
    "bureau.overdue_90d": 1,
    "bureau.queries_3m": 1,
    "court.open_enforcements": 1,
    "customer_count_30d": 1,
    "debt_to_income": 1,
    "device_count_24h": 1,
    "device_customers_30d": 1,
    "employed_months": -1,
    "face_match": -1,
    "income_to_stated": -1,
    "requested_to_income": 1,
    "ring_size": 1,
    "spending_to_income": 1,
    "tax.monthly_income_minor": -1,
    "telecom.months_on_network": -1,
    "telecom.name_matches": -1,
}
#: Of the applications for an account that are stopped, so many at least are what is feared.
ACCOUNT_REVIEW, ACCOUNT_DECLINE = 0.50, 0.90


@dataclass(frozen=True, slots=True)
class Parts:
    """Rows to fit on, later ones to set thresholds by, and the last ones to test with."""

    fitted: Applications
    valid: Applications
    test: Applications


@dataclass(frozen=True, slots=True)
class Made:
    """A model's files by name, and what it scores on the rows of the test."""

    name: str
    files: Mapping[str, bytes]
    scores: NDArray[np.float64]


def world(product: Product, *, seed: int = SEED, scale: float = 1.0) -> Applications:
    """The simulated applications; `scale` makes the world smaller for tests."""
    if product == "account_opening":
        return account_world.simulate(seed=seed, a_day=ACCOUNTS_A_DAY * scale)
    if product == "payment":
        raise ValueError("a payment is no application")
    return credit_world.simulate(product, seed=seed, count=int(CREDIT_COUNT * scale))


def parts(found: Applications) -> Parts:
    """By what was known when: a default shows within a year, a false identity within a month."""
    if found.product == "account_opening":
        return Parts(found.between(0, 7), found.between(7, 9), found.between(10, 12))
    return Parts(found.between(0, 12), found.between(12, 18), found.between(30, 36))


def inputs_of(product: Product) -> tuple[str, ...]:
    if product == "account_opening":
        return ACCOUNT_INPUTS
    return tuple(name for name in CREDIT_REASONS if product == "loan" or name != "term_months")


def train(product: Product, *, seed: int = SEED, scale: float = 1.0) -> dict[str, bytes]:
    """All files of a product. Raises ParityBroken where an export answers otherwise."""
    found = parts(world(product, seed=seed, scale=scale))
    source = f"simulated applications ({product}), seed {seed}, scale {scale:g}"
    made = (
        scorecard(found, source=source, version=VERSION),
        trees(found, source=source, version=VERSION, seed=seed),
    )
    champion, challenger = reversed(made) if product == "account_opening" else made
    files: dict[str, bytes] = {}
    for role, model in (("champion", champion), ("challenger", challenger)):
        files |= {f"{product}/{role}{ending}": it for ending, it in model.files.items()}
    return files


def scorecard(found: Parts, *, source: str, version: str) -> Made:
    """Points by monotone bins; the file is checked as serving checks it."""
    product = found.fitted.product
    names = inputs_of(product)
    columns = {name: found.fitted.columns()[name] for name in names}
    how = woe.Binning(most=6, least_share=0.008, least_z=2.0, usual=50, directions=DIRECTIONS)
    fitted = woe.fit(columns, found.fitted.bad, how=how)
    reasons = {} if product == "account_opening" else CREDIT_REASONS
    base, characteristics = cards.points_of(fitted, reasons)
    valid, test = (
        cards.scores_of(base, characteristics, some.columns()) for some in (found.valid, found.test)
    )
    kept = [one.name for one in characteristics]
    fields: dict[str, object] = {
        **_described(found, f"{product}-scorecard", version, source, kept),
        "base_points": base,
        "characteristics": [one.model_dump(exclude_none=True) for one in characteristics],
        **_judged(found, valid, test),
        "golden": cards.golden_of(base, characteristics, found.test.columns(), test),
    }
    content = papers.written(fields)
    sha256 = scorecards.of_bytes(content).sha256
    files = {".json": content, ".reference.json": _reference(found, fields, kept, sha256, test)}
    return Made(f"{product}-scorecard", files, test)


def trees(found: Parts, *, source: str, version: str, seed: int) -> Made:
    """Additive boosted trees in ONNX, behind the parity gate."""
    product = found.fitted.product
    kept = list(inputs_of(product))
    fitted, valid, test = (
        _columns(some, kept).astype(np.float32) for some in (found.fitted, found.valid, found.test)
    )
    directions = [DIRECTIONS.get(name, 0) for name in kept]
    model = additive.fit(fitted, found.fitted.bad, directions=directions)
    onnx = additive.to_onnx(model, name=product)
    rows = parity_rows(fitted, seed=seed)
    worst = float(np.abs(run_alone(onnx, rows) - model.score(rows)).max())
    if not worst <= PARITY_TOLERANCE:
        raise ParityBroken(f"scores of {product} differ by {worst:.3g}")
    scores = run_alone(onnx, test)
    fields: dict[str, object] = {
        **_described(found, f"{product}-additive", version, source, kept),
        "sha256": papers.sha256(onnx),
        "features": [
            {"name": name, "en": MEANINGS[name][0], "zh": MEANINGS[name][1]} for name in kept
        ],
        **_judged(found, run_alone(onnx, valid), scores, parity=(worst, len(rows))),
        "golden": [
            papers.golden(label, row, _alone(onnx, row))
            for label, row in papers.golden_rows(test.astype(np.float64), scores)
        ],
    }
    content = papers.written(fields)
    sha256 = scoring.of_bytes(content, onnx).sha256
    told = _reference(found, fields, kept, sha256, scores)
    files = {".onnx": onnx, ".json": content, ".reference.json": told}
    return Made(f"{product}-additive", files, scores)


def _reference(
    found: Parts,
    fields: Mapping[str, object],
    kept: list[str],
    sha256: str,
    scores: NDArray[np.float64],
) -> bytes:
    """How inputs lay in the fit and scores in the test, for the watch over the model in use."""
    return reference.written(
        name=str(fields["name"]),
        version=str(fields["version"]),
        model_sha256=sha256,
        features=kept,
        fitted=_columns(found.fitted, kept).astype(np.float32),
        scores=scores,
    )


def _alone(onnx: bytes, row: NDArray[np.float64]) -> float:
    """As a decision scores it: in 32 bits, by itself."""
    return float(run_alone(onnx, row[None, :].astype(np.float32))[0])


def thresholds(valid: Applications, scores: NDArray[np.float64]) -> dict[str, float]:
    """A credit's are where the packaged policy's grades D and E begin; an account's follow from
    the precision that is promised.
    """
    if valid.product != "account_opening":
        return {"review": 0.10, "decline": 0.20}
    decline = papers.threshold_kept(valid.bad, scores, precision=ACCOUNT_DECLINE)
    review = papers.threshold_kept(valid.bad, scores, precision=ACCOUNT_REVIEW)
    return {"review": round(min(review, decline), 6), "decline": round(decline, 6)}


def _judged(
    found: Parts,
    valid: NDArray[np.float64],
    test: NDArray[np.float64],
    *,
    parity: tuple[float, int] | None = None,
) -> dict[str, object]:
    """Thresholds from the rows that set them, metrics from those of the test."""
    chosen, bad = thresholds(found.valid, valid), found.test.bad
    metrics = {
        "auc": roc_auc(bad, test),
        "ks": ks(bad, test),
        "average_precision": average_precision(bad, test),
        "brier": brier(bad, test),
        "bad_rate": float(bad.mean()),
        "expected_rate": float(test.mean()),
        "rows_test": float(len(bad)),
    }
    for name, threshold in chosen.items():
        precision, recall = precision_recall(bad, test, threshold=threshold)
        metrics |= {f"precision_at_{name}": precision, f"recall_at_{name}": recall}
        metrics[f"share_of_good_at_{name}"] = float((test[~bad] >= threshold).mean())
    told = papers.rounded(metrics)
    if parity is not None:
        told |= {"parity_worst": parity[0], "parity_rows": float(parity[1])}
    return {"thresholds": chosen, "metrics": told}


def _described(
    found: Parts, name: str, version: str, source: str, kept: list[str]
) -> dict[str, object]:
    fitted = found.fitted
    data = papers.data_of(source, _columns(fitted, kept), fitted.bad)
    return {
        "name": name,
        "version": version,
        "product": fitted.product,
        "owner": papers.OWNER,
        "data": data,
        "trained_on": f"{source}, {len(fitted)} rows, sha256 {data['sha256']}",
    }


def _columns(some: Applications, kept: list[str]) -> NDArray[np.float64]:
    columns = some.columns()
    return np.column_stack([columns[name] for name in kept])
