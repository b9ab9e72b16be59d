"""What is measured: the two yardsticks with published figures, and each model of the release.

Figures are plain dicts of numbers, rounded as they are printed; an interval is value, low, high.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from services.risk import scorecards, scoring
from services.risk.evaluation import Calibration, Interval, calibration, measured, roc_auc
from services.risk.evaluation.discrimination import average_precision
from services.risk.training import book, fraud, german, scorecard, woe
from services.risk.training.applications import fitting
from services.risk.training.folds import mean_of, validated
from services.risk.training.handbook import study
from services.risk.training.simulation import simulate

ARTIFACTS: Final = Path(scoring.__file__).parent / "artifacts"
#: What the yardsticks have to reach.
GERMAN_BAR, HANDBOOK_BAR, HANDBOOK_LEAD = 0.790, 0.66, 0.02
#: Above it somebody's label has leaked into the characteristics.
GERMAN_SUSPECT = 0.82

Say = Callable[[str], None]
Figures = dict[str, Any]


@dataclass(slots=True)
class Found:
    """Figures by study, and plots by the name of their file."""

    figures: Figures = field(default_factory=dict)
    plots: dict[str, Calibration] = field(default_factory=dict)


def german_credit(found: Found, say: Say) -> None:
    table = german.read()
    methods = {
        "scorecard": german.scorecard,
        "logistic": german.logistic,
        "forest": german.forest,
    }
    rows: Figures = {}
    for name, method in methods.items():
        result = validated(table.columns, table.truth, method)
        rows[name] = told(result.auc)
        say(f"German credit, {name}: AUC {result.auc.value:.4f}")
        if name == "scorecard":
            found.plots["german"] = calibration(table.truth, result.scores)
            rows["calibration"] = told_calibration(found.plots["german"])
    found.figures["german"] = rows


def handbook(found: Found, say: Say) -> None:
    weeks = []
    for seed in study.SEEDS:
        for week in study.weeks(seed):
            forest, ours = (
                average_precision(week.truth, scores) for scores in (week.forest, week.ours)
            )
            say(
                f"Handbook, seed {seed}, week of day {week.first_day}: average precision "
                f"{ours:.4f}, forest {forest:.4f}"
            )
            weeks.append((week, forest, ours))
    forest_ap, our_ap = (np.array([week[place] for week in weeks]) for place in (1, 2))
    rows = [
        {
            "seed": week.seed,
            "first_day": week.first_day,
            "payments": len(week.truth),
            "fraud": int(week.truth.sum()),
            "forest_ap": round(forest, 4),
            "our_ap": round(ours, 4),
            "forest_auc": round(roc_auc(week.truth, week.forest), 4),
            "our_auc": round(roc_auc(week.truth, week.ours), 4),
        }
        for week, forest, ours in weeks
    ]
    truth = np.concatenate([week.truth for week, _, _ in weeks])
    scores = np.concatenate([week.ours for week, _, _ in weeks])
    found.plots["handbook"] = calibration(truth, scores)
    found.figures["handbook"] = {
        "weeks": rows,
        "our_ap": told(mean_of(our_ap)),
        "forest_ap": told(mean_of(forest_ap)),
        "difference": told(mean_of(our_ap - forest_ap)),
        "calibration": told_calibration(found.plots["handbook"]),
    }


def of_payments(found: Found, say: Say) -> None:
    """The committed fraud model and scorecard over the last quarter of their city, and whether
    fitting them again gives the same bytes.
    """
    history = simulate(seed=fraud.SEED, size=fraud.SIZE)
    table = fraud.measure(history)
    test = table.between(fraud.SIZE.days * 3 // 4, fraud.SIZE.days)
    model = scoring.load(ARTIFACTS)
    card = scorecards.load(ARTIFACTS)
    # the scorecard's inputs are not all among the model's
    wide = fraud.measure(history, inputs=scorecard.INPUTS)
    rest = wide.between(fraud.SIZE.days * 3 // 4, fraud.SIZE.days)
    names = scorecard.INPUTS
    points = np.array(
        [card.scored(dict(zip(names, map(float, row), strict=True))).score for row in rest.features]
    )
    models = found.figures.setdefault("models", {})
    onnx, manifest, told_of = fraud.train(seed=fraud.SEED, size=fraud.SIZE)
    again = {
        "fraud.json": {"fraud.onnx": onnx, "fraud.json": manifest, fraud.REFERENCE: told_of},
        scorecard.FILE: {scorecard.FILE: scorecard.train(seed=fraud.SEED, size=fraud.SIZE)},
    }
    for file, product, role, scores in (
        ("fraud.json", "payment", "champion", model.score_all(test.features)),
        ("fraud.scorecard.json", "payment", "fallback", points),
    ):
        models[file] = _judged(found, file, product, role, test.is_fraud, scores)
        models[file]["is_reproduced"] = _is_of_release(again[file])
        say(f"{file}: AUC {models[file]['auc'][0]:.4f}")


def of_applications(found: Found, say: Say) -> None:
    """The committed models of applications over the last months of their worlds, and whether
    fitting them again gives the same bytes.
    """
    models = found.figures.setdefault("models", {})
    for product in fitting.PRODUCTS:
        parts = fitting.parts(fitting.world(product))
        columns = parts.test.columns()
        files = fitting.train(product)
        for role in ("champion", "challenger"):
            file = f"{product}/{role}.json"
            scores = _scores(ARTIFACTS / product, role, columns)
            models[file] = _judged(found, file, product, role, parts.test.bad, scores)
            own = {name: it for name, it in files.items() if name.startswith(f"{product}/{role}.")}
            models[file]["is_reproduced"] = _is_of_release(own)
            say(f"{file}: AUC {models[file]['auc'][0]:.4f}")


def real_book(found: Found, folder: Path, say: Say) -> None:
    """Raises BookUnreadable."""
    table = book.read(folder)
    how = woe.Binning(most=4, usual=10)
    result = validated(
        table.columns,
        table.truth,
        lambda known, truth, asked: woe.fit(known, truth, how=how).score(asked),
    )
    found.plots["book"] = calibration(table.truth, result.scores)
    kept = [one.name for one in woe.fit(table.columns, table.truth, how=how).bins]
    found.figures["book"] = {
        "loans": len(table.truth),
        "bad": int(table.truth.sum()),
        "auc": told(result.auc),
        "inputs": kept,
        "calibration": told_calibration(found.plots["book"]),
    }
    say(f"Real book: AUC {result.auc.value:.4f}")


def _is_of_release(files: Mapping[str, bytes]) -> bool:
    return all((ARTIFACTS / name).read_bytes() == content for name, content in files.items())


def _scores(
    folder: Path, role: str, columns: dict[str, NDArray[np.float64]]
) -> NDArray[np.float64]:
    """As the service scores them, by the file of the release."""
    if not (folder / f"{role}.onnx").exists():
        card = scorecards.load(folder, name=role)
        rows = zip(*(columns[name] for name in card.inputs), strict=True)
        return np.array(
            [
                card.scored(dict(zip(card.inputs, map(float, row), strict=True))).score
                for row in rows
            ]
        )
    model = scoring.load(folder, name=role)
    names = [feature.name for feature in model.manifest.features]
    rows32 = np.column_stack([columns[name] for name in names]).astype(np.float32)
    return model.score_all(rows32)


def _judged(
    found: Found,
    file: str,
    product: str,
    role: str,
    truth: NDArray[np.bool_],
    scores: NDArray[np.float64],
) -> Figures:
    path = ARTIFACTS / file
    fields = json.loads(path.read_bytes())
    result = measured(truth, scores)
    plot = file.removesuffix(".json").replace("/", "-").replace(".", "-")
    found.plots[plot] = result.calibration
    return {
        "label": f"{fields['name']}-{fields['version']}",
        "product": product,
        "role": role,
        "sha256": fields.get("sha256", fields["manifest_sha256"]),
        "inputs": len(fields.get("features", fields.get("characteristics", []))),
        "rows_fitted": fields["data"]["rows"],
        "rows_test": result.rows,
        "bad_test": result.bad,
        "thresholds": fields["thresholds"],
        "at_thresholds": {
            name: value
            for name, value in fields["metrics"].items()
            if name.endswith(("_at_review", "_at_decline"))
            and name.startswith(("prec", "recall_at"))
        },
        "auc": told(result.auc),
        "ks": told(result.ks),
        "average_precision": told(result.average_precision),
        "brier": told(result.brier),
        "calibration": told_calibration(result.calibration),
        "plot": plot,
    }


def told(found: Interval, digits: int = 4) -> list[float]:
    return [round(one, digits) for one in (found.value, found.low, found.high)]


def told_calibration(found: Calibration) -> Figures:
    return {
        "error": round(found.error, 4),
        "slope": None if found.slope is None else told(found.slope, 3),
        "intercept": None if found.intercept is None else told(found.intercept, 3),
    }
