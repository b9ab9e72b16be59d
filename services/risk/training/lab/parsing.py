"""Texts as numbers and as days, the way people write them. Pure."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Final

#: Of the values that are there at least this part has to be of a kind.
ENOUGH: Final = 0.95
_PLAIN: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_THOUSANDS: Final = re.compile(r"[+-]?\d{1,3}(?:[,' \u00a0]\d{3})+(?:\.\d+)?")
_GERMAN: Final = re.compile(r"[+-]?(?:\d{1,3}(?:\.\d{3})+|\d+),\d+|[+-]?\d{1,3}(?:\.\d{3}){2,}")
_UNITS: Final = re.compile(r"^[¥¥$€£]\s*|\s*(?:%|元|¥|€|CNY|RMB|USD|EUR)$", re.IGNORECASE)
_LARGEST: Final = 3e38

_TIME: Final = re.compile(
    r"[T ](\d{1,2}):(\d{2})(?::\d{2}(?:\.\d+)?)?\s*(?:Z|[+-]\d{2}:?\d{2})?$", re.IGNORECASE
)
_FORMATS: Final = (
    "%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d", "%Y年%m月%d日", "%m/%d/%Y", "%d/%m/%Y",
    "%d.%m.%Y", "%d-%m-%Y", "%d-%b-%Y", "%d %b %Y", "%d%b%Y", "%b-%Y", "%b %Y", "%b-%y", "%Y-%m",
    "%m/%d/%y", "%d/%m/%y", "%d-%b-%y",
)  # fmt: skip
_FIRST_YEAR, _LAST_YEAR = 1900, 2100
_TRIED: Final = 60


def numbers(values: Sequence[str], *, decimal_comma: bool) -> tuple[dict[str, float], bool]:
    """What the distinct values are as numbers, those that are; and whether any had thousands
    separators, a unit or a decimal comma. Infinite ones, and those of no 32 bits, are none.
    """
    found, dressed = {}, False
    for value in values:
        plain = value if _PLAIN.fullmatch(value) else _undressed(value, decimal_comma)
        if plain is None:
            continue
        number = float(plain)
        if abs(number) <= _LARGEST:
            found[value] = number
            dressed = dressed or plain is not value
    return found, dressed


def _undressed(value: str, decimal_comma: bool) -> str | None:
    text = _UNITS.sub("", _UNITS.sub("", value)).strip()
    if text.startswith("(") and text.endswith(")"):
        text = f"-{text[1:-1]}"  # an accountant's minus
    if decimal_comma and _GERMAN.fullmatch(text):
        return text.replace(".", "").replace(",", ".")
    if _THOUSANDS.fullmatch(text):
        return re.sub(r"[,' \u00a0]", "", text)
    return text if _PLAIN.fullmatch(text) else None


def days(values: Sequence[str]) -> tuple[dict[str, tuple[date, int | None]], str]:
    """The distinct values as days, each with its hour where it has one, and their format; empty
    where they are not days. Month before day where both would do.
    """
    parts = {value: _parted(value) for value in values}
    heads = sorted({head for head, _ in parts.values()})
    step = max(1, len(heads) // _TRIED)
    best: tuple[int, str] = (0, "")
    for form in _FORMATS:
        hits = sum(1 for head in heads[::step] if _day(head, form))
        if hits > best[0]:
            best = (hits, form)
    if best[0] < ENOUGH * len(heads[::step]):
        return {}, ""
    known: Mapping[str, date | None] = {head: _day(head, best[1]) for head in heads}
    # a sample may have both orders right that the whole has not
    if best[1] == "%m/%d/%Y" and None in known.values():
        other = {head: _day(head, "%d/%m/%Y") for head in heads}
        if sum(v is None for v in other.values()) < sum(v is None for v in known.values()):
            known, best = other, (0, "%d/%m/%Y")
    found = {}
    for value, (head, hour) in parts.items():
        day = known[head]
        if day is not None:
            found[value] = (day, hour)
    return found, best[1]


def is_ambiguous(form: str, found: Mapping[str, tuple[date, int | None]]) -> bool:
    """Whether day and month could be the other way round in every value."""
    return form in {"%m/%d/%Y", "%d/%m/%Y"} and all(day.day <= 12 for day, _ in found.values())


def _parted(value: str) -> tuple[str, int | None]:
    time = _TIME.search(value)
    return (value[: time.start()].strip(), int(time[1])) if time else (value, None)


def _day(head: str, form: str) -> date | None:
    if form == "%Y%m%d" and len(head) != 8:
        return None
    try:
        found = datetime.strptime(head, form).replace(tzinfo=UTC).date()
    except ValueError:
        return None
    return found if _FIRST_YEAR <= found.year <= _LAST_YEAR else None
