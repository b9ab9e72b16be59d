"""What a model's file says beside the model: thresholds, the data's print, golden rows."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.risk.evaluation.discrimination import steps
from services.risk.scoring import manifest_sha256

#: Who answers for the models of the release, and for their renewal.
OWNER = "model-risk@tongbao.example"
#: Of a normal distribution, 95% lie below: a promise is kept 19 times of 20.
_Z = 1.6449


def threshold_kept(
    truth: NDArray[np.bool_], scores: NDArray[np.float64], *, precision: float
) -> float:
    """The lowest threshold from which on the precision is at least that, 19 times of 20.

    Not the precision that was found but the lower end of its interval (Wilson, 1927): the lowest
    threshold at which a few weeks happened to reach a precision is one at which others will not.
    It is rounded up; 1.0 if no threshold reaches it: then the model alone never has that outcome.
    """
    found = steps(truth, scores)
    seen = (found.bad + found.good).astype(np.float64)
    share, z = found.bad / seen, _Z**2
    middle = share + z / (2 * seen)
    spread = _Z * np.sqrt(share * (1 - share) / seen + z / (4 * seen**2))
    reached = np.flatnonzero((middle - spread) / (1 + z / seen) >= precision)
    if not len(reached):
        return 1.0
    return float(min(np.ceil(found.thresholds[reached[-1]] * 1e6) / 1e6, 1.0))


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def data_of(
    source: str, features: NDArray[Any], bad: NDArray[np.bool_], *more: bytes
) -> dict[str, object]:
    """The part `data` of a manifest: a print of the rows that a model was fitted on."""
    digest = hashlib.sha256(np.ascontiguousarray(features, dtype="<f8").tobytes())
    digest.update(np.ascontiguousarray(bad, dtype=np.uint8).tobytes())
    for part in more:
        digest.update(part)
    return {
        "source": source,
        "rows": len(bad),
        "bad": int(bad.sum()),
        "sha256": digest.hexdigest(),
    }


def golden_rows(
    features: NDArray[np.float64], scores: NDArray[np.float64], *, count: int = 10
) -> list[tuple[str, NDArray[np.float64]]]:
    """Rows over the whole range of scores, and some that are no application at all."""
    order = np.argsort(scores, kind="stable")
    places = [order[min(len(order) * part // count, len(order) - 1)] for part in range(count + 1)]
    rows = [(f"score_{part}_of_{count}", features[place]) for part, place in enumerate(places)]
    width = features.shape[1]
    for label, value in (("all_missing", np.nan), ("all_zero", 0.0), ("all_large", 1e12)):
        rows.append((label, np.full(width, value)))
    return rows


def golden(label: str, row: NDArray[Any], score: float) -> dict[str, object]:
    """One golden vector: null stands for a missing value."""
    inputs = [None if np.isnan(value) else float(value) for value in row]
    return {"label": label, "inputs": inputs, "score": score}


def rounded(metrics: Mapping[str, float]) -> dict[str, float]:
    return {name: round(float(value), 6) for name, value in metrics.items()}


def written(fields: Mapping[str, object]) -> bytes:
    """The manifest's file, with its own hash in it."""
    whole = {**fields, "manifest_sha256": manifest_sha256(fields)}
    return (json.dumps(whole, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode()


def write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Each file whole or not at all; the models before their manifests."""
    for name in sorted(files, key=lambda name: name.endswith(".json")):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(path.suffix + ".part")
        part.write_bytes(files[name])
        part.replace(path)
