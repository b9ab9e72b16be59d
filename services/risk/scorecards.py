"""The scorecard that scores where no model can: points in a table, checked like a model's file.

Each characteristic gives points by the bin that its value falls into, and a missing one has a bin
of its own. More points are more risk: 20 of them double the odds of fraud. It knows less than the
model, which its measures in the file say, and needs nothing but integers.
"""

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final, NamedTuple, Self

from pydantic import Field, model_validator

from services.risk.features.bounds import BOUNDS
from services.risk.scoring import (
    ANY,
    Described,
    FraudModel,
    Record,
    Scored,
    check_golden,
    content_of,
    read_manifest,
)

#: By so many points the odds of fraud double.
DOUBLE: Final = 20
_FACTOR: Final = DOUBLE / math.log(2)
#: As many reasons as an adverse action names at the most.
MAX_REASONS: Final = 4

Points = Annotated[int, Field(ge=-10_000, le=10_000)]


class Characteristic(Record):
    """`points` has one more entry than `edges`: a value from an edge on is in the bin after it.

    `reason` is the code of what an applicant is told whom this characteristic costs points.
    """

    name: str
    edges: list[float]
    points: Annotated[list[Points], Field(min_length=1)]
    missing: Points
    reason: str | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if len(self.points) != len(self.edges) + 1 or sorted(set(self.edges)) != self.edges:
            raise ValueError("edges rise, and there is one bin more than edges")
        return self

    def points_of(self, value: float) -> int:
        return self.missing if math.isnan(value) else self.points[bisect_right(self.edges, value)]

    def lost(self, value: float) -> int:
        """Points above those of the best bin: what a better value would take off the risk."""
        return self.points_of(value) - min(self.points)


class Lost(NamedTuple):
    """What one characteristic costs: exact, since the score is the sum of its points."""

    name: str
    reason: str | None
    points: int


class Card(Described):
    """What the file says."""

    base_points: Points
    characteristics: Annotated[list[Characteristic], Field(min_length=1)]


class Scorecard:
    """A checked scorecard."""

    def __init__(self, card: Card) -> None:
        self.card = card
        #: What it is scored on, in its order.
        self.inputs = tuple(one.name for one in card.characteristics)
        self.label = card.label
        self.sha256 = card.manifest_sha256
        self.thresholds = card.thresholds

    def scored(self, features: Mapping[str, float]) -> Scored:
        """The probability of fraud; a value that cannot be true counts as missing."""
        return scored_by(self.card.base_points, self.card.characteristics, features)

    def lost(self, features: Mapping[str, float]) -> list[Lost]:
        """What each characteristic costs against its best bin, the dearest first.

        Of equal ones the first in the card; none that costs nothing. An applicant with the best
        bin of each would have none (Regulation B, official interpretation 9(b)(2)-5).
        """
        found = [
            Lost(one.name, one.reason, one.lost(_possible(one.name, features)))
            for one in self.card.characteristics
        ]
        return sorted((one for one in found if one.points > 0), key=lambda one: -one.points)

    def reasons(self, features: Mapping[str, float], *, most: int = MAX_REASONS) -> list[str]:
        """Codes of the reasons that cost most, each once: two characteristics may share one."""
        codes = dict.fromkeys(one.reason for one in self.lost(features) if one.reason)
        return list(codes)[:most]


#: Whatever gives a score of features.
Scorer = FraudModel | Scorecard


def _possible(name: str, features: Mapping[str, float]) -> float:
    """The value, and NaN for one that is missing or cannot be true."""
    value = features.get(name, math.nan)
    least, most = BOUNDS.get(name, ANY)
    return value if least <= value <= most else math.nan


def scored_by(
    base_points: int, characteristics: Sequence[Characteristic], features: Mapping[str, float]
) -> Scored:
    """The probability that the points stand for."""
    total, strange, missing = base_points, [], 0
    for one in characteristics:
        value = features.get(one.name, math.nan)
        least, most = BOUNDS.get(one.name, ANY)
        if not least <= value <= most:  # true for NaN too
            missing += 1
            if not math.isnan(value):
                strange.append(one.name)
            value = math.nan
        total += one.points_of(value)
    return Scored(1 / (1 + math.exp(-total / _FACTOR)), missing, tuple(strange))


def load(folder: Path, *, name: str = "fraud.scorecard") -> Scorecard:
    """Reads `name`.json; raises ModelRefused with what is wrong."""
    return of_bytes(content_of(folder / f"{name}.json"))


def of_bytes(manifest: bytes) -> Scorecard:
    """The checked scorecard of its file; raises ModelRefused with what is wrong."""
    found = Scorecard(read_manifest(manifest, Card))
    names = found.inputs

    def score(inputs: Sequence[float]) -> float:
        return found.scored(dict(zip(names, inputs, strict=True))).score

    check_golden(found.card, names, score)
    return found
