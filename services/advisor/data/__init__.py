"""The rule files of the advisor, read and checked when the service starts.

A version is never edited once it was used: an assessment names the version and the SHA-256 of
the file that graded it, and replays from it. A change is a new file beside the old one.
"""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from pydantic import TypeAdapter

from services.advisor.domain import InvalidRules, Questionnaire
from services.advisor.products.domain import Catalog

FOLDER = Path(__file__).parent

_QUESTIONNAIRE = TypeAdapter(Questionnaire)
_CATALOG = TypeAdapter(Catalog)


@dataclass(frozen=True)
class Rules:
    """The questionnaires by version, the SHA-256 of each file, and the newest catalog."""

    questionnaires: dict[str, Questionnaire]
    sha256_by_version: dict[str, str]
    catalog: Catalog

    @property
    def current(self) -> Questionnaire:
        """The newest questionnaire: the one that is asked."""
        return self.questionnaires[max(self.questionnaires, key=_order)]


def parse_questionnaire(text: bytes) -> Questionnaire:
    """One questionnaire from its JSON.

    Raises:
        ValueError: Says what is wrong with it and where.
    """
    return _QUESTIONNAIRE.validate_json(text)


def parse_catalog(text: bytes) -> Catalog:
    """One product list from its JSON.

    Raises:
        ValueError: Says what is wrong with it and where.
    """
    return _CATALOG.validate_json(text)


def load_rules(folder: Path = FOLDER) -> Rules:
    """Every questionnaire and the newest product list of a folder.

    Raises:
        ValueError: A file is wrong, none is there, or its name does not tell its version.
    """
    questionnaires: dict[str, Questionnaire] = {}
    hashes: dict[str, str] = {}
    catalogs: dict[str, Catalog] = {}
    for path in sorted(folder.glob("questionnaire-*.json")):
        text = path.read_bytes()
        questionnaire = parse_questionnaire(text)
        _require_name(path, f"questionnaire-{questionnaire.version}.json")
        questionnaires[questionnaire.version] = questionnaire
        hashes[questionnaire.version] = sha256(text).hexdigest()
    for path in sorted(folder.glob("products-*.json")):
        catalog = parse_catalog(path.read_bytes())
        _require_name(path, f"products-{catalog.version}.json")
        catalogs[catalog.version] = catalog
    if not questionnaires or not catalogs:
        raise InvalidRules(f"no questionnaire or no product list in {folder}")
    return Rules(questionnaires, hashes, catalogs[max(catalogs, key=_order)])


def _order(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("-"))


def _require_name(path: Path, expected: str) -> None:
    if path.name != expected:
        raise InvalidRules(f"{path.name} holds the version of {expected}")
