"""A registered model's bytes: read and checked, whichever kind of model they are."""

import hashlib
import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast

import numpy as np
from numpy.typing import NDArray

from services.risk import scorecards, scoring
from services.risk.applications.features import names_of
from services.risk.features import FRAUD_INPUTS
from services.risk.features.bounds import BOUNDS
from services.risk.policies.domain import PRODUCTS, Product
from services.risk.registry.domain import Kind
from services.risk.scorecards import Scorecard, Scorer
from services.risk.scoring import Described, FraudModel, ModelRefused

#: Rows of the random batch, a tenth of whose values are missing.
ROWS: Final = 1_024
SEED: Final = 9
_GAPS: Final = 0.1


@dataclass(frozen=True, slots=True)
class Content:
    """`manifest` is the text of its JSON; `onnx` is None for a scorecard."""

    manifest: bytes
    onnx: bytes | None = None

    @property
    def kind(self) -> Kind:
        return "scorecard" if self.onnx is None else "onnx"

    @property
    def sha256(self) -> bytes:
        """As decisions name the model: of the ONNX file, or what a scorecard says of itself."""
        if self.onnx is not None:
            return hashlib.sha256(self.onnx).digest()
        return bytes.fromhex(described(self).manifest_sha256)


def read(content: Content) -> Scorer:
    """What scores; raises ModelRefused unless hash and golden vectors agree."""
    if content.onnx is None:
        return scorecards.of_bytes(content.manifest)
    return scoring.of_bytes(content.manifest, content.onnx)


def described(content: Content) -> Described:
    """What the manifest says, without the model; raises ModelRefused."""
    kind = scorecards.Card if content.onnx is None else scoring.Manifest
    return scoring.read_manifest(content.manifest, kind)


def inputs_of(says: Described) -> list[str]:
    """The names of a model's inputs, in its order."""
    if isinstance(says, scorecards.Card):
        return [one.name for one in says.characteristics]
    return [one.name for one in says.features] if isinstance(says, scoring.Manifest) else []


def described_by(model: Scorer) -> Described:
    return model.card if isinstance(model, Scorecard) else model.manifest


def known_to(product: str) -> frozenset[str]:
    """The features that the service computes for decisions on a product."""
    by_product = {one: FRAUD_INPUTS if one == "payment" else names_of(one) for one in PRODUCTS}
    return frozenset(by_product.get(cast("Product", product), ()))


def checks_of(content: Content) -> dict[str, object]:
    """What running the model shows: see `registry.domain.Papers`. Raises ModelRefused.

    Besides the golden vectors it scores a random batch, once row by row and once whole: the
    numbers have to be probabilities, and to differ in their last bits at the most.
    """
    model = read(content)
    says = described_by(model)
    rows = _random_rows(model, says)
    began = time.perf_counter_ns()
    singly = np.asarray([_one(model, row) for row in rows], dtype=np.float64)
    spent_us = (time.perf_counter_ns() - began) / 1_000
    together = model.score_all(rows) if isinstance(model, FraudModel) else singly
    outside = int((~((together >= 0) & (together <= 1))).sum())
    distance = float(np.abs(singly - together).max())
    return {
        "worst": distance if math.isfinite(distance) else 1.0,
        "outside": outside,
        "trained_worst": says.metrics.get("parity_worst"),
        "trained_rows": says.metrics.get("parity_rows"),
        "unknown": sorted(set(model.inputs) - known_to(says.product)),
        "has_data": says.data is not None,
        "has_owner": bool(says.owner),
        "inputs": len(model.inputs),
        "score_us": round(spent_us / len(rows), 1),
    }


def _one(model: Scorer, row: NDArray[np.float32]) -> float:
    if isinstance(model, FraudModel):
        return model.score_vector(row.tolist())
    return model.scored(dict(zip(model.inputs, map(float, row), strict=True))).score


def _random_rows(model: Scorer, says: Described) -> NDArray[np.float32]:
    """Values between the least and the largest of the golden vectors, within their bounds."""
    draw = np.random.default_rng(SEED)
    columns: list[NDArray[np.float32]] = []
    for place, name in enumerate(model.inputs):
        least, most = BOUNDS.get(name, scoring.ANY)
        known = _known([vector.inputs[place] for vector in says.golden], least, most)
        low, high = (min(known), max(known)) if known else (0.0, 1.0)
        columns.append(draw.uniform(low, high, ROWS).astype(np.float32))
    rows = np.stack(columns, axis=1)
    rows[draw.random(rows.shape) < _GAPS] = np.nan
    return rows


def _known(values: Sequence[float | None], least: float, most: float) -> list[float]:
    found = [value for value in values if value is not None and math.isfinite(value)]
    # golden vectors have extremes too, past which everything falls into one leaf
    return [value for value in found if max(least, -1e12) <= value <= min(most, 1e12)]


def written(fields: object) -> bytes:
    """Fields of a manifest as they are kept; its own hash does not depend on the writing."""
    return json.dumps(fields, ensure_ascii=False, sort_keys=True).encode()


__all__ = [
    "Content",
    "ModelRefused",
    "checks_of",
    "described",
    "described_by",
    "inputs_of",
    "known_to",
    "read",
    "written",
]
