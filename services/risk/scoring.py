"""Loads a fraud model and scores one payment: onnxruntime, one thread, no training library.

A model file with one flipped bit often still loads and then scores differently. So a model is
used only after its SHA-256 and its golden vectors agree with the manifest beside it.
"""

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Annotated, NamedTuple, Self, TypeVar

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from services.risk.features.bounds import BOUNDS
from services.risk.features.outside import outside

#: A replay on another machine may differ in the last bits of a 32-bit score, not by more.
GOLDEN_TOLERANCE = 1e-6
INPUT_NAME = "features"
OUTPUT_NAME = "probabilities"

ANY = (-math.inf, math.inf)

Probability = Annotated[float, Field(ge=0, le=1)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class ModelRefused(Exception):
    """The model or its manifest is missing, altered or not what the manifest promises."""


class Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ModelFeature(Record):
    """`codes` are the numbers that stand for words, where the input is one of some words."""

    name: str
    en: str
    zh: str
    codes: dict[str, int] | None = None


class Thresholds(Record):
    """A score at or above one of these has at least that outcome."""

    review: Probability
    decline: Probability

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.review > self.decline:
            message = "the review threshold lies above the decline threshold"
            raise ValueError(message)
        return self


class GoldenVector(Record):
    """Inputs in the order of the features (null for a missing one) and the score they give."""

    label: str
    inputs: list[float | None]
    score: Probability


class TrainingData(Record):
    """What a model was fitted on: enough to tell whether another fit saw the same rows.

    `sha256` is of the rows as the training wrote them down; `bad` is how many of them were fraud,
    a default, or whatever else the score is the probability of.
    """

    source: str
    rows: Annotated[int, Field(gt=0)]
    bad: Annotated[int, Field(gt=0)]
    sha256: Sha256


class Described(Record):
    """What every manifest says. Without `data` and `owner` a model may score and be compared,
    and is never promoted.
    """

    name: str
    version: str
    trained_on: str
    thresholds: Thresholds
    metrics: dict[str, float]
    golden: Annotated[list[GoldenVector], Field(min_length=8)]
    manifest_sha256: Sha256
    product: str = "payment"
    owner: str | None = None
    data: TrainingData | None = None

    @property
    def label(self) -> str:
        """Name and version, as a decision keeps them."""
        return f"{self.name}-{self.version}"


class Manifest(Described):
    """What a model file is, and what it must answer."""

    sha256: Sha256
    features: Annotated[list[ModelFeature], Field(min_length=1)]


DescribedT = TypeVar("DescribedT", bound=Described)


def manifest_sha256(fields: Mapping[str, object]) -> str:
    """The SHA-256 of a manifest's fields, less its own hash, in one canonical writing."""
    rest = {key: value for key, value in fields.items() if key != "manifest_sha256"}
    written = json.dumps(rest, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(written.encode()).hexdigest()


class Scored(NamedTuple):
    """`missing` inputs took the way that the trees have for one; with them, `out_of_range` ones."""

    score: float
    missing: int
    out_of_range: tuple[str, ...]


class FraudModel:
    """A checked model. `score` takes about 10 µs and is safe to call from one thread."""

    def __init__(self, manifest: Manifest, onnx: bytes) -> None:
        self.manifest = manifest
        names = [feature.name for feature in manifest.features]
        #: What it is scored on, in its order.
        self.inputs = tuple(names)
        self._pick = itemgetter(*names) if len(names) > 1 else lambda found: (found[names[0]],)
        #: The one row that is scored at a time: a new array for each costs more than filling one.
        self._row = np.empty((1, len(names)), dtype=np.float32)
        self._names = names
        bounds = np.asarray([BOUNDS.get(name, ANY) for name in names], dtype=np.float32)
        self._least, self._most = bounds[:, 0].copy(), bounds[:, 1].copy()
        self._inputs = self._row[0]
        self._probabilities = np.empty((1, 2), dtype=np.float32)
        options = ort.SessionOptions()
        # two threads change the last bits of a sum over trees
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
        self._session = ort.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
        #: Row and answer, bound once: to hand them over each time costs as much as the trees.
        self._bound = self._session.io_binding()
        self._bound.bind_cpu_input(INPUT_NAME, self._row)
        answer = self._probabilities
        self._bound.bind_output(
            OUTPUT_NAME, "cpu", 0, answer.dtype, answer.shape, answer.ctypes.data
        )

    @property
    def label(self) -> str:
        return self.manifest.label

    @property
    def sha256(self) -> str:
        return self.manifest.sha256

    @property
    def thresholds(self) -> Thresholds:
        return self.manifest.thresholds

    def score(self, features: Mapping[str, float]) -> float:
        """The probability of fraud in [0, 1]; KeyError if a feature is not in `features`."""
        return self.score_vector(self._pick(features))

    def scored(self, features: Mapping[str, float]) -> Scored:
        """The score of what is there: an input that is missing, or that cannot be true, is one
        of the missing ones.
        """
        row = self._inputs
        try:
            row[:] = self._pick(features)
        except KeyError:
            row[:] = [features.get(name, math.nan) for name in self._names]
        missing, numbers = outside(row, self._least, self._most)
        strange: tuple[str, ...] = ()
        if numbers:
            places = np.flatnonzero((row < self._least) | (row > self._most))
            strange = tuple(self._names[place] for place in places)
            row[places] = math.nan
        return Scored(self._score_row(), missing, strange)

    def score_vector(self, inputs: Sequence[float]) -> float:
        """The same for inputs in the manifest's order, NaN where one is missing."""
        self._row[0] = inputs
        return self._score_row()

    def _score_row(self) -> float:
        """The score of what stands in the row."""
        # where nothing is written, nothing must be read either
        self._probabilities[:] = math.nan
        self._session.run_with_iobinding(self._bound)
        return float(self._probabilities[0, 1])

    def scores_of(self, many: Sequence[Mapping[str, float | None]]) -> NDArray[np.float64]:
        """What `scored` gives for each, in one call; in the last bits it may differ."""
        return self.scored_all(many)[0]

    def scored_all(
        self, many: Sequence[Mapping[str, float | None]]
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """The scores of `scores_of`, and how many inputs of each were missing or out of range."""
        try:
            picked = [self._pick(found) for found in many]
        except KeyError:
            picked = [tuple(found.get(name) for name in self._names) for found in many]
        # numpy reads None as NaN
        rows = np.array(picked, dtype=np.float32).reshape(len(picked), len(self._names))
        inside = np.logical_and(rows >= self._least, rows <= self._most)
        rows[~inside] = math.nan
        return self.score_all(rows), len(self._names) - inside.sum(axis=1)

    def score_all(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """The scores of an (n, features) array in the manifest's order."""
        [probabilities] = self._session.run([OUTPUT_NAME], {INPUT_NAME: rows})
        return np.asarray(probabilities[:, 1], dtype=np.float64)


def load(folder: Path, *, name: str = "fraud") -> FraudModel:
    """Reads `name`.onnx and `name`.json; raises ModelRefused with what is wrong."""
    return of_bytes(content_of(folder / f"{name}.json"), content_of(folder / f"{name}.onnx"))


def of_bytes(manifest: bytes, onnx: bytes) -> FraudModel:
    """The checked model of a file and its manifest; raises ModelRefused with what is wrong."""
    described = read_manifest(manifest, Manifest)
    found = hashlib.sha256(onnx).hexdigest()
    # before onnxruntime sees it: it loads, or dies of, what was altered
    if found != described.sha256:
        raise ModelRefused(f"the model has SHA-256 {found}, its manifest {described.sha256}")
    try:
        model = FraudModel(described, onnx)
        check_golden(model.manifest, model.inputs, model.score_vector)
    except ModelRefused:
        raise
    except Exception as error:  # onnxruntime raises types of its own without a common base
        raise ModelRefused(f"the model does not run: {error}") from error
    return model


def content_of(path: Path) -> bytes:
    """Raises ModelRefused for a file that cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelRefused(f"{path.name} cannot be read: {error.strerror}") from error


def read_manifest(content: bytes, kind: type[DescribedT]) -> DescribedT:
    """What a manifest says; raises ModelRefused unless it is whole."""
    try:
        fields = json.loads(content)
        found = kind.model_validate(fields)
    except (ValueError, ValidationError) as error:
        raise ModelRefused(f"what was read is not a manifest: {error}") from error
    if manifest_sha256(fields) != found.manifest_sha256:
        raise ModelRefused("the manifest was altered after it was written")
    return found


def check_golden(
    described: Described, inputs: Sequence[str], score: Callable[[Sequence[float]], float]
) -> None:
    """Raises ModelRefused unless every golden vector scores as its manifest says."""
    for vector in described.golden:
        if len(vector.inputs) != len(inputs):
            raise ModelRefused(f"golden vector {vector.label} has another number of features")
        found = score([math.nan if value is None else value for value in vector.inputs])
        # negated, so that a score that is not a number is refused too
        if not abs(found - vector.score) <= GOLDEN_TOLERANCE:
            raise ModelRefused(
                f"golden vector {vector.label} scores {found}, its manifest says {vector.score}"
            )
