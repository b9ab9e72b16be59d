"""How a model's inputs and scores were distributed in training: read from beside the model.

Training writes `fraud.reference.json`; it names the model file that it belongs to by its SHA-256,
and itself by its own. Without a good one nothing is said about the drift of that model.
"""

import hashlib
import json
from bisect import bisect_right
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
#: The name under which a model's scores stand beside its features.
SCORE = "score"


class ReferenceRefused(Exception):
    """The file is missing, altered, or belongs to another model."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Distribution(_Record):
    """Counts of missing values, of those below the first edge, and from each edge on."""

    edges: list[float]
    counts: list[Annotated[int, Field(ge=0)]]

    @model_validator(mode="after")
    def _fit(self) -> Self:
        if len(self.counts) != len(self.edges) + 2:
            message = "two counts more than edges are expected"
            raise ValueError(message)
        if any(low >= high for low, high in pairwise(self.edges)):
            message = "edges have to rise"
            raise ValueError(message)
        return self

    def bin_of(self, value: float | None) -> int:
        """The place in `counts` of a value: as PostgreSQL's `width_bucket` has it, plus one."""
        return 0 if value is None else 1 + bisect_right(self.edges, value)


class Reference(_Record):
    """`features` are of the rows that the model was fitted on; `score` of the weeks after them.

    A model is surer of what it was fitted on than of anything that it meets later: its scores
    there would look like drift from the first day on.
    """

    name: str
    version: str
    model_sha256: Sha256
    score: Distribution
    features: dict[str, Distribution]
    reference_sha256: Sha256

    @property
    def model(self) -> str:
        """The model as decisions name it."""
        return f"{self.name}-{self.version}"

    def distributions(self) -> dict[str, Distribution]:
        """All by name, the score first."""
        return {SCORE: self.score, **self.features}


def reference_sha256(fields: Mapping[str, object]) -> str:
    """The SHA-256 of the fields, less this one, in one canonical writing."""
    rest = {key: value for key, value in fields.items() if key != "reference_sha256"}
    written = json.dumps(rest, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(written.encode()).hexdigest()


def load(folder: Path, *, name: str = "fraud") -> Reference:
    """Reads `name`.reference.json; raises ReferenceRefused unless it fits `name`.onnx beside it."""
    path = folder / f"{name}.reference.json"
    try:
        content = path.read_bytes()
        model = hashlib.sha256((folder / f"{name}.onnx").read_bytes()).hexdigest()
    except OSError as error:
        raise ReferenceRefused(f"{path.name} cannot be read: {error.strerror}") from error
    reference = read(content, name=path.name)
    if model != reference.model_sha256:
        raise ReferenceRefused(f"{path.name} belongs to another model than {name}.onnx")
    return reference


def read(content: bytes, *, name: str = "this") -> Reference:
    """The reference in a file's bytes, whichever model it is of; raises ReferenceRefused."""
    try:
        fields = json.loads(content)
        reference = Reference.model_validate(fields)
    except (ValueError, ValidationError) as error:
        raise ReferenceRefused(f"{name} is no reference: {error}") from error
    if reference_sha256(fields) != reference.reference_sha256:
        raise ReferenceRefused(f"{name} was altered after it was written")
    return reference
