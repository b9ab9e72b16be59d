"""Reads a file of comma-separated values as people have them: any delimiter, old encodings."""

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from services.risk.evaluation.report import Finding, Severity, Text

MAX_BYTES: Final = 512 * 1024 * 1024
MAX_ROWS: Final = 200_000
MAX_COLUMNS: Final = 1_000
#: Rows with another number of cells than the header: more of them, and the file is not a table.
MAX_RAGGED: Final = 0.2
_DELIMITERS: Final = (",", ";", "\t", "|")
_SNIFFED_LINES: Final = 60
_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


class Refused(Exception):
    """The table cannot be used; the text is one clear line."""


@dataclass(slots=True)
class Table:
    """Columns of texts as they stand in the file, all of `rows` entries."""

    columns: dict[str, list[str]]
    rows: int
    delimiter: str
    findings: list[Finding] = field(default_factory=list)

    def note(
        self, code: str, zh: str, en: str, *, column: str = "", severity: Severity = Severity.NOTED
    ) -> None:
        self.findings.append(Finding(code, severity, column, Text(zh, en)))


def read(path: Path) -> Table:
    """The table of a file; raises Refused with what is wrong."""
    text, encoding = _decoded(_content(path))
    delimiter = _delimiter(text)
    try:
        lines = [row for row in csv.reader(io.StringIO(text), delimiter=delimiter) if any(row)]
    except csv.Error as error:
        raise Refused(f"{path.name} is no table of separated values: {error}") from error
    if len(lines) < 2:
        raise Refused(f"{path.name} has no rows below its header")
    header, body = lines[0], lines[1:]
    if len(header) > MAX_COLUMNS:
        raise Refused(f"{path.name} has {len(header)} columns; at most {MAX_COLUMNS} are read")
    table = Table({}, 0, delimiter)
    if encoding != "utf-8-sig":
        table.note("encoding", f"文件编码不是 UTF-8,已按 {encoding} 读取。",
                   f"The file is not UTF-8; it was read as {encoding}.")  # fmt: skip
    if delimiter != ",":
        shown = {"\t": "TAB"}.get(delimiter, delimiter)
        table.note("delimiter", f"分隔符为 {shown}。", f"Cells are parted by {shown}.")
    header, body = _second_header(header, body, table)
    body = _sampled(_whole_rows(header, body, table, path.name), table)
    names = _named(header, table)
    cells = zip(*body, strict=True)
    pairs = zip(names, cells, strict=True)
    table.columns = {name: [cell.strip() for cell in one] for name, one in pairs}
    table.rows = len(body)
    return table


def _content(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise Refused(f"{path.name} is larger than {MAX_BYTES // 1024**2} MiB")
        content = path.read_bytes()
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror}") from error
    if not content.strip():
        raise Refused(f"{path.name} is empty")
    if content[:4] == b"PK\x03\x04" or content[:4] == b"\xd0\xcf\x11\xe0":
        raise Refused(f"{path.name} is a workbook; save the sheet as CSV")
    return content


def _decoded(content: bytes) -> tuple[str, str]:
    """The text and its encoding. GB18030 is what Chinese systems write that do not write UTF-8."""
    if content[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        candidates: Sequence[str] = ("utf-16",)
    else:
        candidates = ("utf-8-sig", "gb18030", "cp1252")
    for encoding in candidates:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" in text:
            break
        return text, encoding
    raise Refused("the file is not text: it is neither UTF-8 nor GB18030")


def _delimiter(text: str) -> str:
    """The one by which the first lines have the same number of cells, and most of them."""
    # csv.reader wants whole lines; the last may be cut
    sample = text[:200_000].splitlines()[:_SNIFFED_LINES]
    best, found = (0.0, 0), ","
    for delimiter in _DELIMITERS:
        try:
            widths = [len(row) for row in csv.reader(sample, delimiter=delimiter) if row]
        except csv.Error:
            continue
        if not widths:
            continue
        width, count = Counter(widths).most_common(1)[0]
        if width > 1 and (count / len(widths), width) > best:
            best, found = (count / len(widths), width), delimiter
    if not best[1]:
        raise Refused("the file has one column alone: no comma, semicolon, tab or bar parts cells")
    return found


def _second_header(
    header: list[str], body: list[list[str]], table: Table
) -> tuple[list[str], list[list[str]]]:
    """Some published tables have two lines of names, of which the second tells more."""
    first, rest = body[0], body[1:51]
    if len(rest) < 5 or len(first) != len(header):
        return header, body
    numeric = [
        all(len(row) > i and (not row[i].strip() or _NUMBER.fullmatch(row[i].strip()))
            for row in rest)
        for i in range(len(header))
    ]  # fmt: skip
    words = [bool(cell.strip()) and not _NUMBER.fullmatch(cell.strip()) for cell in first]
    named = sum(1 for number, word in zip(numeric, words, strict=True) if number and word)
    if named < max(2, 0.8 * len(header)):
        return header, body
    table.note("second_header", "第二行也是列名,已采用第二行。",
               "The second line holds names too, which were taken.")  # fmt: skip
    return first, body[1:]


def _whole_rows(
    header: list[str], body: list[list[str]], table: Table, name: str
) -> list[list[str]]:
    whole = [row for row in body if len(row) == len(header)]
    ragged = len(body) - len(whole)
    if ragged > MAX_RAGGED * len(body):
        raise Refused(
            f"{name} is no table: {ragged} of {len(body)} rows do not have the {len(header)} cells "
            "of the header"
        )
    if ragged:
        table.note("ragged_rows", f"{ragged:,} 行的单元格数与表头不符,已剔除。",
                   f"{ragged:,} rows do not have as many cells as the header.",
                   severity=Severity.LEFT_OUT)  # fmt: skip
    return whole


def _sampled(body: list[list[str]], table: Table) -> list[list[str]]:
    if len(body) <= MAX_ROWS:
        return body
    step = len(body) / MAX_ROWS
    table.note("sampled", f"共 {len(body):,} 行,按等间隔取 {MAX_ROWS:,} 行。",
               f"Of {len(body):,} rows {MAX_ROWS:,} were taken at even distances.",
               severity=Severity.CHANGED)  # fmt: skip
    return [body[int(i * step)] for i in range(MAX_ROWS)]


def _named(header: list[str], table: Table) -> list[str]:
    """A name for each column, once."""
    found: dict[str, None] = {}
    for place, cell in enumerate(header, 1):
        name = " ".join(cell.split()) or f"column_{place}"
        if not cell.strip():
            table.note("no_name", f"第 {place} 列没有列名。", f"Column {place} has no name.",
                       column=name, severity=Severity.CHANGED)  # fmt: skip
        unique, number = name, 2
        while unique in found:
            unique, number = f"{name}.{number}", number + 1
        if unique != name:
            table.note("name_twice", f"列名“{name}”重复,改称“{unique}”。",
                       f"The name {name} is there twice; this one is called {unique}.",
                       column=unique, severity=Severity.CHANGED)  # fmt: skip
        found[unique] = None
    return list(found)
