"""Files that a bank can register: a model that answers as the fitted one, what it is, and proof."""

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from services.risk import scorecards, scoring
from services.risk.evaluation import Interval, Measured, middle_of
from services.risk.scoring import FraudModel, manifest_sha256
from services.risk.training.export import PARITY_TOLERANCE, ParityBroken, parity_rows, run_alone
from services.risk.training.lab import exporting
from services.risk.training.lab.columns import Input
from services.risk.training.lab.exporting import Points
from services.risk.training.lab.families import CardFitted, Floats, LinearFitted, Rows
from services.risk.training.lab.validation import Chosen

VERSION: Final = "1"
CARD_FILE: Final = "scorecard.card.json"
_GOLDEN: Final = 12
_TIMED: Final = 400


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the models come from: what their manifests say of it."""

    source: str
    sha256: str
    rows: int
    bad: int
    seed: int
    owner: str
    product: str

    def text(self) -> str:
        return f"{self.source}, {self.rows} rows, seed {self.seed}, sha256 {self.sha256}"


@dataclass(frozen=True, slots=True)
class Written:
    """A model's files by name, and how long one score takes in microseconds."""

    files: Mapping[str, bytes]
    score_us: Interval
    parity_worst: float
    parity_rows: int


def written(
    name: str,
    chosen: Chosen,
    *,
    inputs: Sequence[Input],
    rows: Rows,
    measures: Measured,
    thresholds: tuple[float, float],
    origin: Origin,
) -> Written:
    """The model as ONNX with its manifest; raises ParityBroken if it answers otherwise."""
    names = [one.name for one in inputs]
    card = exporting.pointed(chosen) if isinstance(chosen.fitted, CardFitted) else None
    if card is not None:
        onnx = exporting.card_onnx(card, names)
        worst, count = _parity(onnx, rows, lambda r: exporting.card_scores(card, names, r), origin)
    else:
        linear = isinstance(chosen.fitted, LinearFitted)
        onnx = (exporting.linear_onnx if linear else exporting.trees_onnx)(chosen, len(names))
        worst, count = _parity(onnx, rows, chosen.score, origin)
    review, decline = thresholds
    common: dict[str, object] = {
        "name": name,
        "version": VERSION,
        "trained_on": origin.text(),
        "product": origin.product,
        "owner": origin.owner,
        "data": {
            "source": origin.source,
            "rows": origin.rows,
            "bad": origin.bad,
            "sha256": origin.sha256,
        },
        "thresholds": {"review": round(review, 6), "decline": round(decline, 6)},
        "metrics": _metrics(measures) | {"parity_worst": worst, "parity_rows": float(count)},
    }
    manifest = common | {
        "sha256": hashlib.sha256(onnx).hexdigest(),
        "features": [_feature(one) for one in inputs],
        "golden": _golden(onnx, rows),
    }
    files = {f"{name}.onnx": onnx, f"{name}.json": _sealed(manifest)}
    if card is not None:
        files[CARD_FILE] = _card_file(common, card, names, rows)
    model = scoring.of_bytes(files[f"{name}.json"], onnx)
    return Written(files, _timed(model, rows), worst, count)


def save(folder: Path, files: Mapping[str, bytes]) -> None:
    """Each file whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        part = folder / f"{name}.part"
        part.write_bytes(content)
        part.replace(folder / name)


def _parity(
    onnx: bytes, rows: Rows, score: Callable[[Rows], Floats], origin: Origin
) -> tuple[float, int]:
    tried = parity_rows(rows, seed=origin.seed)
    distance = np.abs(run_alone(onnx, tried) - score(tried))
    worst = float(distance.max())
    # negated, so that a distance that is not a number fails too
    if not worst <= PARITY_TOLERANCE:
        place = int(np.argmax(np.where(np.isnan(distance), np.inf, distance)))
        raise ParityBroken(f"scores differ by {worst:.3g} in row {tried[place].tolist()}")
    return worst, len(tried)


def _metrics(measures: Measured) -> dict[str, float]:
    found = {
        "auc": measures.auc.value,
        "auc_low": measures.auc.low,
        "auc_high": measures.auc.high,
        "ks": measures.ks.value,
        "average_precision": measures.average_precision.value,
        "brier": measures.brier.value,
        "rows_test": float(measures.rows),
    }
    return {name: round(value, 6) for name, value in found.items()}


def _feature(one: Input) -> dict[str, object]:
    found: dict[str, object] = {"name": one.name, "en": one.text.en, "zh": one.text.zh}
    return found if one.codes is None else found | {"codes": dict(one.codes)}


def _chosen_rows(rows: Rows) -> list[tuple[str, Rows]]:
    """Rows over the whole table, and such as any change of a model is likely to move."""
    places = np.linspace(0, len(rows) - 1, _GOLDEN).astype(int)
    found = [(f"row_{place}", rows[place]) for place in places]
    width = rows.shape[1]
    with np.errstate(all="ignore"):
        least, most = np.nanmin(rows, axis=0), np.nanmax(rows, axis=0)
    for label, row in (
        ("all_missing", np.full(width, np.nan)),
        ("all_zero", np.zeros(width)),
        ("all_least", least),
        ("all_most", most),
        ("all_large", np.full(width, 1e30)),
        ("all_negative", np.full(width, -1e30)),
    ):
        found.append((label, np.asarray(row, dtype=np.float32)))
    return found


def _told(row: Rows) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in row]


def _golden(onnx: bytes, rows: Rows) -> list[dict[str, object]]:
    return [
        {"label": label, "inputs": _told(row), "score": float(run_alone(onnx, row[None, :])[0])}
        for label, row in _chosen_rows(rows)
    ]


def _card_file(
    common: Mapping[str, object], card: Points, names: Sequence[str], rows: Rows
) -> bytes:
    """The same scorecard as a table of points, which needs no library to be read."""
    places = [names.index(one.name) for one in card.characteristics]
    of_card = [one.name for one in card.characteristics]
    golden = []
    for label, row in _chosen_rows(rows):
        inputs = dict(zip(of_card, (float(row[place]) for place in places), strict=True))
        score = scorecards.scored_by(card.base, card.characteristics, inputs).score
        golden.append({"label": label, "inputs": _told(row[places]), "score": score})
    content = _sealed(
        {
            **common,
            "base_points": card.base,
            "characteristics": [one.model_dump() for one in card.characteristics],
            "golden": golden,
        }
    )
    scorecards.of_bytes(content)
    return content


def _sealed(fields: Mapping[str, object]) -> bytes:
    whole = {**fields, "manifest_sha256": manifest_sha256(fields)}
    return (json.dumps(whole, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode()


def _timed(model: FraudModel, rows: Rows) -> Interval:
    """One row at a time, as a decision asks; the median in microseconds."""
    vectors = [row.tolist() for row in rows[:_TIMED]]
    taken = []
    for vector in vectors:
        start = time.perf_counter_ns()
        model.score_vector(vector)
        taken.append((time.perf_counter_ns() - start) / 1_000)
    return middle_of(np.array(taken))
