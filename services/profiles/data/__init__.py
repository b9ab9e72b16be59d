"""The rule files of profiles, read and checked when the service starts.

A change is a new version beside the old one; the newest is used.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter

from services.profiles.domain import InvalidRules, ProfileRules
from services.profiles.offers.domain import OfferList

FOLDER = Path(__file__).parent

_PROFILE_RULES = TypeAdapter(ProfileRules)
_OFFERS = TypeAdapter(OfferList)

T = TypeVar("T", ProfileRules, OfferList)


@dataclass(frozen=True)
class Rules:
    """Tags, segments and offers that fit each other."""

    profile: ProfileRules
    offers: OfferList

    def __post_init__(self) -> None:
        declared = {rule.segment for rule in self.profile.segments}
        for offer in self.offers.offers:
            unknown = set(offer.segments) - declared
            if unknown:
                raise InvalidRules(f"{offer.offer_id}: no such segments {sorted(unknown)}")


def load_rules(folder: Path = FOLDER) -> Rules:
    """The newest rules and offers of a folder.

    Raises:
        ValueError: A file is wrong, one is missing, or its name does not tell its version.
    """
    return Rules(
        _newest(folder, "rules", _PROFILE_RULES),
        _newest(folder, "offers", _OFFERS),
    )


def _newest(folder: Path, name: str, adapter: TypeAdapter[T]) -> T:
    paths = sorted(folder.glob(f"{name}-*.json"), key=lambda path: _order(path, name))
    if not paths:
        raise InvalidRules(f"no {name}-*.json in {folder}")
    rules = adapter.validate_json(paths[-1].read_bytes())
    if paths[-1].name != f"{name}-{rules.version}.json":
        raise InvalidRules(f"{paths[-1].name} holds the version {rules.version}")
    return rules


def _order(path: Path, name: str) -> tuple[int, ...]:
    return tuple(int(part) for part in path.stem.removeprefix(f"{name}-").split("-"))
