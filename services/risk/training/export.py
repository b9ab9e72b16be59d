"""Fits the model and writes it as ONNX, behind a gate: both must answer alike.

Traps that this keeps out: a tree model in ONNX takes 32-bit inputs, so it is fitted on them; an
export with `categorical_features` is wrong without an error, so there are none; protobuf 7
breaks the export, so the group `training` pins it below.
"""

import warnings
from dataclasses import dataclass

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import helper
from skl2onnx import to_onnx as convert
from skl2onnx.common.data_types import FloatTensorType
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from services.risk.scoring import INPUT_NAME, OUTPUT_NAME

PARITY_TOLERANCE = 1e-5
PARITY_ROWS = 20_000
OPSET = 17


class ParityBroken(Exception):
    """The exported model answers otherwise than the one that was fitted."""


class Trained:
    """The fitted classifier, scoring on one thread."""

    def __init__(self, classifier: HistGradientBoostingClassifier) -> None:
        self.classifier = classifier

    def score(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """The probability of fraud of each row of an (n, features) array."""
        with threadpool_limits(limits=1):
            return np.asarray(self.classifier.predict_proba(features)[:, 1], dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Exported:
    """The model as onnxruntime runs it; `worst` is its largest distance over `rows` rows."""

    session: ort.InferenceSession
    worst: float
    rows: int

    def score(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        return _run(self.session, features)


def fit(features: NDArray[np.float32], is_fraud: NDArray[np.bool_], *, seed: int) -> Trained:
    """Gradient boosting over histograms; its log loss gives probabilities that need no repair."""
    classifier = HistGradientBoostingClassifier(
        learning_rate=0.06,
        max_iter=160,
        max_leaf_nodes=15,
        min_samples_leaf=30,
        l2_regularization=2.0,
        early_stopping=False,
        random_state=seed,
    )
    with threadpool_limits(limits=1):
        classifier.fit(features, is_fraud)
    return Trained(classifier)


def to_onnx(model: Trained, *, width: int) -> bytes:
    """The model file: input `features` (n, width) float32, output `probabilities` (n, 2)."""
    with warnings.catch_warnings():
        # skl2onnx writes booleans where protobuf 7 will want integers: hence the pin below 7
        warnings.filterwarnings("ignore", message="Field onnx.AttributeProto.ints: Expected")
        proto = convert(
            model.classifier,
            initial_types=[(INPUT_NAME, FloatTensorType([None, width]))],
            options={id(model.classifier): {"zipmap": False}},
            target_opset=OPSET,
        )
    names = [output.name for output in proto.graph.output]
    if OUTPUT_NAME not in names:
        raise ParityBroken(f"the export has no output {OUTPUT_NAME}: {names}")
    proto.graph.name = "fraud"
    proto.producer_version = ""
    helper.set_model_props(proto, {})
    return bytes(proto.SerializeToString(deterministic=True))


def check_parity(
    model: Trained, onnx: bytes, features: NDArray[np.float32], *, seed: int
) -> Exported:
    """Compares both on real rows, rows with gaps, extremes and split edges; raises ParityBroken.

    Real rows are drawn with the seed; a third of their copies lose values, a third get extremes.
    """
    rows = parity_rows(features, seed=seed)
    session = _session(onnx)
    distance = np.abs(_run(session, rows) - model.score(rows))
    worst = float(distance.max())
    # negated, so that a distance that is not a number fails too
    if not worst <= PARITY_TOLERANCE:
        place = int(np.nanargmax(distance))
        raise ParityBroken(f"scores differ by {worst:.3g} in row {rows[place].tolist()}")
    return Exported(session=session, worst=worst, rows=len(rows))


def run_alone(onnx: bytes, features: NDArray[np.float32]) -> NDArray[np.float64]:
    """The probabilities of an (n, features) array by the file alone, on one thread."""
    return _run(_session(onnx), features)


def _session(onnx: bytes) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return ort.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])


def parity_rows(features: NDArray[np.float32], *, seed: int) -> NDArray[np.float32]:
    """At least PARITY_ROWS rows: real ones, real ones with gaps, real ones with extremes."""
    draw = np.random.default_rng(seed)
    real = features[draw.integers(0, len(features), PARITY_ROWS)]
    gaps = real[: PARITY_ROWS // 3].copy()
    gaps[draw.random(gaps.shape) < 0.3] = np.nan
    extremes = real[: PARITY_ROWS // 3].copy()
    limits = np.finfo(np.float32)
    values = np.array(
        [limits.max, limits.min, limits.tiny, -limits.tiny, 0, -0.0, 2**24, 2**24 + 2, np.inf],
        dtype=np.float32,
    )
    hit = draw.random(extremes.shape) < 0.3
    extremes[hit] = draw.choice(values, int(hit.sum()))
    # one step of a float to either side of real values: where a rounded split would show
    toward = np.where(draw.random(real.shape) < 0.5, -np.inf, np.inf).astype(np.float32)
    return np.concatenate([real, gaps, extremes, np.nextafter(real, toward)])


def _run(session: ort.InferenceSession, features: NDArray[np.float32]) -> NDArray[np.float64]:
    [probabilities] = session.run([OUTPUT_NAME], {INPUT_NAME: features})
    return np.asarray(probabilities[:, 1], dtype=np.float64)
