"""The policies that come with the release: the first versions, and the last resort."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from services.risk.policies.domain import Product
from services.risk.policies.programs import Program

FOLDER = Path(__file__).parent / "seeds"
VERSION = "2026.1"
#: Who stands as author and as approver of what the release brings.
AUTHOR, APPROVER = "release", "release-review"


@dataclass(frozen=True, slots=True)
class Seed:
    graph: dict[str, Any]
    tests: dict[str, Any]


@cache
def seed(product: Product) -> Seed:
    """The packaged graph of a product, which is plain JDM, and the tests beside it."""
    return Seed(
        graph=json.loads((FOLDER / f"{product}.json").read_bytes()),
        tests=json.loads((FOLDER / f"{product}.tests.json").read_bytes()),
    )


def seed_program(product: Product) -> Program:
    return Program(product=product, version=VERSION, graph=seed(product).graph)
