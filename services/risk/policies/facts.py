"""The facts that a policy may read, by their names. Pure.

Facts are one dict with groups: `value_minor`, `score`, `features.payee_new`, `lists.payee`.
What is missing is null, and so is a value that is not a number.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from services.risk.features import FEATURE_NAMES, HOUR_MS, LOCAL_OFFSET_MS
from services.risk.policies.domain import GRADE, PolicyRefused, Product
from services.risk.sources.domain import TERMS
from services.risk.windows import DAY_MS

Facts = Mapping[str, Any]

#: Facts of every product that stand alone. `degraded` is a list of causes.
PLAIN = frozenset({"product", "value_minor", "at_ms", "hour", "score", "degraded"})
#: Facts in groups whose names are fixed.
GROUPED: Mapping[str, frozenset[str]] = {
    "features": frozenset(FEATURE_NAMES),
    "lists": frozenset({"payee", "customer", "device", "ip", "phone", "account", "merchant"}),
    "ring": frozenset({"size", "fraud_distance"}),
    "model": frozenset({"review_from", "decline_from"}),
}
#: What is known of an application, by product. Amounts are in fen of CNY.
_APPLICANT = frozenset({"age", "identity_proven", "face_match"})
#: Applications for whatever product, the present one included; null where no device is known.
_LATELY = frozenset({"customer_count_30d", "device_count_24h", "device_customers_30d"})
_CREDIT = frozenset(
    {"monthly_income_minor", "monthly_debt_minor", "requested_minor", "employed_months"}
)
APPLICATION: Mapping[Product, frozenset[str]] = {
    "payment": frozenset(),
    "account_opening": _APPLICANT | _LATELY,
    "loan": _APPLICANT | _LATELY | _CREDIT | {"term_months"},
    "card": _APPLICANT | _LATELY | _CREDIT,
}
#: `sources.bureau.overdue_90d` by its source: those that the table of sources names.
SOURCE_FACTS: Mapping[str, str] = {
    f"sources.{source}.{answer}": source
    for source, terms in TERMS.items()
    for answer in terms.answers
}

_GROUPS = frozenset({*GROUPED, "application", "sources"})

MAX_TEXT = 64
MAX_LIST = 20


def is_fact(name: str, *, product: Product) -> bool:
    """Whether a policy of the product may read `name`, for example `features.payee_new`."""
    if name in PLAIN:
        return True
    group, _, rest = name.partition(".")
    if group == "application":
        return rest in APPLICATION[product]
    if group in GROUPED:
        return rest in GROUPED[group]
    return name in SOURCE_FACTS


def source_of(name: str) -> str | None:
    """The source that a fact comes from; None where it comes from none."""
    return SOURCE_FACTS.get(name)


def hour_of(at_ms: int) -> int:
    """The hour of the day in the bank's own time, 0 to 23."""
    return (at_ms + LOCAL_OFFSET_MS) % DAY_MS // HOUR_MS


def check_facts(facts: Facts, *, product: Product, field: str) -> None:
    """Raises PolicyRefused where a test gives facts that no ruling could ever see."""
    for name, value in _flat(facts):
        where = f"{field}.{name}"
        if value is None and (name in _GROUPS or name.rpartition(".")[0] == "sources"):
            continue  # a whole group is missing
        if not is_fact(name, product=product):
            raise PolicyRefused(where, "a fact that a policy of this product may read")
        if name == "degraded":
            if not _is_list_of_text(value):
                raise PolicyRefused(where, f"a list of at most {MAX_LIST} causes")
        elif not _is_scalar(value):
            raise PolicyRefused(where, f"a number, true, false, null or {MAX_TEXT} characters")


def _flat(facts: Facts, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in facts.items():
        # two levels are the most that a fact has: what is deeper is refused as a value
        if isinstance(value, Mapping) and prefix.count(".") < 2:
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _is_scalar(value: object) -> bool:
    if isinstance(value, str):
        return len(value) <= MAX_TEXT
    # larger numbers leave the engine's decimals
    return value is None or (isinstance(value, bool | int | float) and abs(value) < 10**18)


def _is_list_of_text(value: object) -> bool:
    return (
        isinstance(value, list)
        and len(value) <= MAX_LIST
        and all(isinstance(item, str) and len(item) <= MAX_TEXT for item in value)
    )


def over(given: Facts, facts: Facts) -> dict[str, Any]:
    """`facts` laid over `given`, group by group."""
    merged = dict(given)
    for name, value in facts.items():
        known = merged.get(name)
        both = isinstance(known, Mapping) and isinstance(value, Mapping)
        merged[name] = over(known, value) if both else value  # type: ignore[arg-type]
    return merged


class Selection:
    """Picks the facts that a policy reads, and no others: handing one over costs time."""

    def __init__(self, names: frozenset[str]) -> None:
        plain: list[str] = []
        groups: dict[str, list[str]] = {}
        sources: dict[str, list[str]] = {}
        for name in sorted(names - {GRADE}):
            parts = name.split(".")
            if len(parts) == 1:
                plain.append(name)
            elif len(parts) == 2:
                groups.setdefault(parts[0], []).append(parts[1])
            else:
                sources.setdefault(parts[1], []).append(parts[2])
        self._plain = tuple(plain)
        self._groups = tuple((group, tuple(found)) for group, found in groups.items())
        self._sources = tuple((source, tuple(found)) for source, found in sources.items())

    def of(self, facts: Facts) -> dict[str, Any]:
        """The selected facts in their groups; null for a missing one, and for NaN."""
        context = {name: facts.get(name) for name in self._plain}
        for group, names in self._groups:
            context[group] = _some(facts.get(group), names)
        if self._sources:
            known = facts.get("sources") or {}
            context["sources"] = {
                source: _some(known.get(source), names) for source, names in self._sources
            }
        return context


def _some(found: Mapping[str, Any] | None, names: tuple[str, ...]) -> dict[str, Any]:
    if not found:
        return dict.fromkeys(names)
    values = {}
    for name in names:
        value = found.get(name)
        values[name] = value if value == value else None  # noqa: PLR0124 - false for NaN alone
    return values
