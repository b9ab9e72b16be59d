"""What each column is, and the numbers that the models get of it."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.risk.evaluation.report import Severity, Text
from services.risk.training.lab import parsing
from services.risk.training.lab.labels import MISSING, Label
from services.risk.training.lab.reading import Table

#: Of more levels only the most frequent keep a code of their own.
MAX_LEVELS: Final = 40
#: Where this part of the values differ, a column names rows and says nothing about new ones.
UNIQUE: Final = 0.95
MOSTLY_MISSING: Final = 0.99
#: Beyond this a 32-bit number no longer tells neighbouring whole numbers apart.
EXACT: Final = 2**24
EPOCH: Final = date(2000, 1, 1)
#: Missing in a column of numbers, whatever it may mean in one of words.
_NO_NUMBER: Final = MISSING | {"none", "-", "--", "—", ".", "nil", "missing", "unknown", "inf",
                               "-inf", "无", "缺失", "未知"}  # fmt: skip
_SENTINELS: Final = (-999.0, -9999.0, -99999.0, -999999.0, 9999.0, 99999.0, 999999.0, 9999999.0,
                     99999999.0, 999999999.0)  # fmt: skip
_NAMES_ROWS: Final = re.compile(
    r"(?:^|[^a-zA-Z])(?:id|no|nr|num|number|idx|index|key|uuid|row|serial)$"
    r"|[a-z](?:Id|ID|No|Num|Nr)$|[a-zA-Z](?:NUM|ID)$|number$|^unnamed|编号|序号|号码|卡号|账号",
)


class Kind(StrEnum):
    NUMBER = "number"
    DATE = "date"
    CATEGORY = "category"
    TEXT = "text"
    ID = "id"
    CONSTANT = "constant"
    EMPTY = "empty"


KINDS: Final = {
    Kind.NUMBER: Text("数值", "number"),
    Kind.DATE: Text("日期", "date"),
    Kind.CATEGORY: Text("类别", "category"),
    Kind.TEXT: Text("自由文本", "free text"),
    Kind.ID: Text("标识", "identifier"),
    Kind.CONSTANT: Text("常量", "constant"),
    Kind.EMPTY: Text("几乎全缺失", "hardly ever there"),
}


@dataclass(frozen=True, slots=True)
class Input:
    """One input of the models: a value for each labelled row, NaN where it is missing.

    `codes` are the numbers that stand for words; `text` says how the input comes from its column.
    """

    name: str
    column: str
    values: NDArray[np.float32]
    text: Text
    codes: Mapping[str, int] | None = None


@dataclass(slots=True)
class Column:
    """A column as it was understood; no `inputs` where it is of no use."""

    name: str
    kind: Kind
    missing: float
    distinct: int
    treatment: Text
    inputs: list[Input] = field(default_factory=list)
    alone: float | None = None


def understood(table: Table, label: Label) -> list[Column]:
    """All columns but the label, over the labelled rows; what is odd is noted in the table."""
    rows = label.rows.tolist()
    found = []
    for name, cells in table.columns.items():
        if name != label.name:
            found.append(_column(table, name, [cells[i] for i in rows]))
    return found


def _column(table: Table, name: str, cells: Sequence[str]) -> Column:
    counts = Counter(cells)
    there = {value: n for value, n in counts.items() if value.casefold() not in MISSING}
    missing = 1 - sum(there.values()) / len(cells)
    told = (name, missing, len(there))
    if missing >= MOSTLY_MISSING:
        table.note("mostly_missing", f"缺失 {missing:.1%},已剔除。",
                   f"{missing:.1%} of its values are missing.", column=name,
                   severity=Severity.LEFT_OUT)  # fmt: skip
        left = Column(name, Kind.EMPTY, missing, len(there), _LEFT_OUT)
        # that it is there at all may be the label: this is looked at before it is forgotten
        left.inputs = [_presence(name, cells)] if there else []
        return left
    if len(there) == 1 and missing == 0:
        return _left_out(table, told, Kind.CONSTANT, "constant", "只有一个取值,已剔除。",
                         "It has one value alone.")  # fmt: skip
    if missing >= 0.05:
        table.note("missing", f"缺失 {missing:.1%}。", f"{missing:.1%} of its values are missing.",
                   column=name)  # fmt: skip
    as_days, form = _days_of(there)
    if as_days:
        return _dated(table, told, cells, as_days, form)
    column = _numeric(table, told, cells, there)
    return column or _worded(table, told, cells, there)


_LEFT_OUT: Final = Text("剔除", "left out")


def _left_out(
    table: Table, told: tuple[str, float, int], kind: Kind, code: str, zh: str, en: str
) -> Column:
    name, missing, distinct = told
    table.note(code, zh, en, column=name, severity=Severity.LEFT_OUT)
    return Column(name, kind, missing, distinct, _LEFT_OUT)


def _presence(name: str, cells: Sequence[str]) -> Input:
    values = np.array([cell.casefold() not in MISSING for cell in cells], dtype=np.float32)
    return Input(name, name, values, Text("是否有值", "1 where there is a value"))


def _days_of(
    there: Mapping[str, int],
) -> tuple[dict[str, tuple[date, int | None]], str]:
    if len(there) < 3:
        return {}, ""
    found, form = parsing.days(list(there))
    hits = sum(there[value] for value in found)
    return (found, form) if found and hits >= parsing.ENOUGH * sum(there.values()) else ({}, "")


def _dated(
    table: Table,
    told: tuple[str, float, int],
    cells: Sequence[str],
    known: Mapping[str, tuple[date, int | None]],
    form: str,
) -> Column:
    name, missing, distinct = told
    column = Column(name, Kind.DATE, missing, distinct, Text("拆为日期各部分", "taken apart"))
    whole = [(day - EPOCH).days for day, _ in known.values()]
    parts: list[tuple[str, Text, Mapping[str, float]]] = [
        (f"{name}_days", Text(f"自 2000-01-01 起的天数({name})", f"Days from 2000-01-01 to {name}"),
         dict(zip(known, map(float, whole), strict=True))),
        (f"{name}_month", Text(f"{name} 的月份,1 至 12", f"Month of {name}, 1 to 12"),
         {value: float(day.month) for value, (day, _) in known.items()}),
        (f"{name}_weekday", Text(f"{name} 的星期,0 为周一", f"Weekday of {name}, 0 is Monday"),
         {value: float(day.weekday()) for value, (day, _) in known.items()}),
    ]  # fmt: skip
    hours = {value: float(hour) for value, (_, hour) in known.items() if hour is not None}
    if len(set(hours.values())) > 1:
        parts.append((f"{name}_hour", Text(f"{name} 的小时", f"Hour of {name}"), hours))
    for part, text, values in parts:
        if len(set(values.values())) > 1:
            column.inputs.append(Input(part, name, _valued(cells, values), text))
    shown = ", ".join(one.name for one in column.inputs)
    ambiguous = parsing.is_ambiguous(form, known)
    table.note("date", f"日期({form}),拆为 {shown}。" + ("日与月的先后无法判断。" if ambiguous else ""),
               f"A date ({form}), taken apart into {shown}."
               + (" Which is day and which month cannot be told." if ambiguous else ""),
               column=name, severity=Severity.CHANGED)  # fmt: skip
    return column


def _valued(cells: Sequence[str], values: Mapping[str, float]) -> NDArray[np.float32]:
    return np.array([values.get(cell, np.nan) for cell in cells], dtype=np.float32)


def _numeric(
    table: Table, told: tuple[str, float, int], cells: Sequence[str], there: Mapping[str, int]
) -> Column | None:
    """None where the column is none of numbers, as codes with leading zeros are not."""
    name, missing, distinct = told
    values = [value for value in there if value.casefold() not in _NO_NUMBER]
    comma = table.delimiter != "," or not any("." in value for value in values)
    known, dressed = parsing.numbers(values, decimal_comma=comma)
    count = sum(there[value] for value in values)
    hits = sum(there[value] for value in known)
    if not known or hits < parsing.ENOUGH * count or _padded(known):
        return None
    if hits < count or count < sum(there.values()):
        odd = [value for value in there if value not in known]
        shown = ", ".join(repr(value) for value in odd[:3])
        table.note("not_a_number", f"有 {sum(there[v] for v in odd):,} 个值不是数({shown}),按缺失处理。",
                   f"{sum(there[v] for v in odd):,} values are no numbers ({shown}): as missing.",
                   column=name, severity=Severity.CHANGED)  # fmt: skip
    if dressed:
        table.note("separators", "数字带有千分位、单位或小数逗号,已换算。",
                   "Its numbers have thousands separators, units or decimal commas.", column=name,
                   severity=Severity.CHANGED)  # fmt: skip
    if _names_rows(name, known, count):
        return _left_out(table, told, Kind.ID, "id", "几乎每行各不相同的编号,已剔除。",
                         "It numbers the rows: nearly every value is another.")  # fmt: skip
    known = _without_sentinels(table, name, known, there)
    if len(set(known.values())) == 1 and missing == 0:
        return _left_out(table, told, Kind.CONSTANT, "constant", "只有一个取值,已剔除。",
                         "It has one value alone.")  # fmt: skip
    if any(abs(v) > EXACT and v.is_integer() and v % 2 for v in known.values()):
        table.note("large_numbers", "含大于 16,777,216 的整数,32 位浮点会丢失末位。",
                   "Whole numbers above 16,777,216 lose their last digits in 32 bits.",
                   column=name)  # fmt: skip
    column = Column(name, Kind.NUMBER, missing, distinct, Text("按数值", "as it is"))
    text = Text(f"{name}(原值)", f"{name} as it is")
    column.inputs = [Input(name, name, _valued(cells, known), text)]
    return column


def _padded(known: Mapping[str, float]) -> bool:
    """Codes as 00123: numbers by their looks alone."""
    digits = [value for value in known if value.isdigit()]
    return (
        any(len(value) > 1 and value[0] == "0" for value in digits)
        and len({len(value) for value in digits}) == 1
    )


def _names_rows(name: str, known: Mapping[str, float], count: int) -> bool:
    if len(known) < UNIQUE * count or not all(value.is_integer() for value in known.values()):
        return False
    least, most = min(known.values()), max(known.values())
    return bool(_NAMES_ROWS.search(name)) or most - least + 1 <= 1.05 * len(known)


def _without_sentinels(
    table: Table, name: str, known: Mapping[str, float], there: Mapping[str, int]
) -> dict[str, float]:
    """Numbers that stand for a missing one, as -999 among ages."""
    total = sum(there[value] for value in known)
    left = dict(known)
    for sentinel in _SENTINELS:
        at = [value for value, number in left.items() if number == sentinel]
        rest = [number for number in left.values() if number != sentinel]
        if not at or len(rest) < 2 or sum(there[value] for value in at) < 0.005 * total:
            continue
        far = min(rest) >= 0 if sentinel < 0 else max(rest) < sentinel / 5
        if far:
            table.note("sentinel", f"{sentinel:,.0f} 代表缺失,按缺失处理。",
                       f"{sentinel:,.0f} stands for a missing value.", column=name,
                       severity=Severity.CHANGED)  # fmt: skip
            left = {value: number for value, number in left.items() if number != sentinel}
    return left


def _worded(
    table: Table, told: tuple[str, float, int], cells: Sequence[str], there: Mapping[str, int]
) -> Column:
    name, missing, distinct = told
    count = sum(there.values())
    words = np.mean([len(value.split()) for value in there])
    length = np.mean([len(value) for value in there])
    if len(there) > MAX_LEVELS and (words >= 4 or length >= 40 or _is_prose(there)):
        return _left_out(table, told, Kind.TEXT, "free_text", "自由文本,已剔除。",
                         "Free text is of no use here.")  # fmt: skip
    if len(there) >= UNIQUE * count and len(there) > MAX_LEVELS:
        return _left_out(table, told, Kind.ID, "id", "几乎每行各不相同,已剔除。",
                         "Nearly every value is another: it names the rows.")  # fmt: skip
    least = 1 if len(there) <= MAX_LEVELS else max(20, round(0.002 * count))
    ordered = sorted(there, key=lambda value: (-there[value], value))
    kept = [value for value in ordered if there[value] >= least][:MAX_LEVELS]
    rest = len(there) - len(kept)
    if not kept:
        return _left_out(table, told, Kind.CATEGORY, "many_levels",
                         f"有 {len(there):,} 个类别且都太稀少,已剔除。",
                         f"It has {len(there):,} levels, all of them too rare.")  # fmt: skip
    codes = {value: place for place, value in enumerate(kept)}
    if rest:
        table.note("many_levels", f"有 {len(there):,} 个类别;较少见的 {rest:,} 个并为“其他”(代码 {len(kept)})。",
                   f"It has {len(there):,} levels; the {rest:,} rarer ones count as one other "
                   f"(code {len(kept)}).", column=name, severity=Severity.CHANGED)  # fmt: skip
    values = {value: float(codes.get(value, len(kept))) for value in there}
    text = Text(
        f"{name} 的代码;未列出的取值为 {len(kept)}", f"Code of {name}; {len(kept)} for any other"
    )
    column = Column(name, Kind.CATEGORY, missing, distinct, Text("编为代码", "coded"))
    column.inputs = [Input(name, name, _valued(cells, values), text, codes)]
    return column


def _is_prose(there: Mapping[str, int]) -> bool:
    """Chinese has no spaces: many long values of which few come twice."""
    length = np.mean([len(value) for value in there if any(ord(c) > 0x2E80 for c in value)] or [0])
    return bool(length >= 12 and len(there) > 0.5 * sum(there.values()))
