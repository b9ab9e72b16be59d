"""The model that a decision is measured against: 300 trees over 60 features, of made-up rows.

It is trained by the benchmark itself, which needs the training libraries for that; nobody else
has a use for it, so it is not in the repository.
"""

from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType
from sklearn.ensemble import HistGradientBoostingClassifier

TREES, FEATURES, ROWS = 300, 60, 20_000
SEED = 6


def rows(count: int) -> NDArray[np.float32]:
    """So many rows, each of its own: the same one again would find all branches predicted."""
    found = np.random.default_rng(SEED).normal(size=(count, FEATURES))
    return found.astype(np.float32)


def train(path: Path) -> None:
    """Write the model to `path`, where it is not there yet."""
    if path.exists():
        return
    inputs = rows(ROWS)
    noise = np.random.default_rng(SEED + 1).normal(size=ROWS)
    wanted = inputs[:, :20].sum(axis=1) + 3 * noise > 0
    model = HistGradientBoostingClassifier(max_iter=TREES, max_leaf_nodes=31, early_stopping=False)
    model.fit(inputs, wanted)
    converted = convert_sklearn(
        model,
        initial_types=[("features", FloatTensorType([None, FEATURES]))],
        options={id(model): {"zipmap": False}},
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(converted.SerializeToString())


def session(path: Path) -> ort.InferenceSession:
    """The model ready to score on one thread."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
