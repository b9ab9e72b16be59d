"""Writes how inputs and scores are distributed, for the watch over the model in use."""

import json
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from services.risk.watch.references import reference_sha256

#: A value that takes this many different forms at the most has a bin for each.
FEW = 12
#: Else bins begin at these quantiles: tenths, and finer where values are rare.
LEVELS = (0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)


def edges_of(values: NDArray[np.float64]) -> list[float]:
    """Where bins begin: halfway between two neighbouring values, so that rounding moves none."""
    distinct = np.unique(values[~np.isnan(values)])
    if len(distinct) <= FEW:
        places = np.arange(1, len(distinct))
    else:
        starts = np.quantile(values[~np.isnan(values)], LEVELS, method="higher")
        places = np.unique(np.searchsorted(distinct, starts))
        places = places[places > 0]
    return [float(edge) for edge in (distinct[places - 1] + distinct[places]) / 2]


def distribution(values: NDArray[np.float64]) -> dict[str, object]:
    """Edges, and counts of the missing, of those below the first edge, and from each edge on."""
    edges = edges_of(values)
    known = values[~np.isnan(values)]
    places = np.searchsorted(np.asarray(edges), known, side="right")
    counts = np.bincount(places, minlength=len(edges) + 1)
    return {"edges": edges, "counts": [len(values) - len(known), *map(int, counts)]}


def written(
    *,
    name: str,
    version: str,
    model_sha256: str,
    features: Sequence[str],
    fitted: NDArray[np.float32],
    scores: NDArray[np.float64],
) -> bytes:
    """The file's content: `fitted` (n, features) are the rows of the fit, `scores` later ones."""
    fields: dict[str, object] = {
        "name": name,
        "version": version,
        "model_sha256": model_sha256,
        "score": distribution(scores),
        "features": {
            feature: distribution(fitted[:, place].astype(np.float64))
            for place, feature in enumerate(features)
        },
    }
    fields["reference_sha256"] = reference_sha256(fields)
    return (json.dumps(fields, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode()
