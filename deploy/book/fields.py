"""Reads delimited files line by line and their fields strictly.

A field that is not what it must be raises `FieldProblem`, whose text names the field.
"""

import codecs
import csv
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from deploy.book.records import Origin
from deploy.book.refusal import Findings, refused

MAX_LINE = 4_096
MAX_MINOR = 10**15  # a million times this still fits the ledger's 64-bit sums
MAX_TEXT = 140

_KEY = re.compile(r"[A-Za-z0-9.-]{1,34}")
_PREFIX = re.compile(r"[A-Za-z0-9.-]{0,10}")
_WORD = re.compile(r"[a-z0-9_]{0,32}")
_CURRENCY = re.compile(r"[A-Z]{3}")
_INTEGER = re.compile(r"-?[0-9]{1,16}")
_DAY = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")

Choice = TypeVar("Choice", bound=StrEnum)
Record = TypeVar("Record")


class FieldProblem(Exception):
    """A field holds something that it must not hold."""


def bounded(name: str, value: int) -> int:
    """`value`, or a problem if it is too large for an amount."""
    if abs(value) > MAX_MINOR:
        raise FieldProblem(f"{name} is too large: {value}")
    return value


class Fields:
    """The fields of one row by name, each read as what it must be."""

    __slots__ = ("_values", "origin")

    def __init__(self, values: Mapping[str, str], origin: Origin) -> None:
        """`origin` is where the row stands; a row may name an earlier one itself."""
        self._values = values
        self.origin = origin

    def raw(self, name: str) -> str:
        """The field as it stands; empty where the column is absent."""
        return self._values.get(name, "")

    def matching(self, name: str, pattern: re.Pattern[str], meant: str) -> str:
        """The field, which must match `pattern` in full; `meant` says it in words."""
        value = self.raw(name)
        if pattern.fullmatch(value) is None:
            raise FieldProblem(f"{name} is not {meant}: {value[:40]!r}")
        return value

    def key(self, name: str) -> str:
        """An id of 1 to 34 letters, digits, dots and hyphens."""
        return self.matching(name, _KEY, "an id of 1 to 34 letters, digits, '.' and '-'")

    def prefix(self, name: str) -> str:
        """The beginning of ids, or nothing."""
        return self.matching(name, _PREFIX, "up to 10 letters, digits, '.' and '-'")

    def word(self, name: str) -> str:
        """A code in lower case, or nothing."""
        return self.matching(name, _WORD, "a code of up to 32 of a-z, 0-9 and '_'")

    def text(self, name: str, *, required: bool = False, limit: int = MAX_TEXT) -> str:
        """Free text of at most `limit` characters, without control characters."""
        value = self.raw(name)
        if len(value) > limit or not value.isprintable():
            raise FieldProblem(f"{name} is not a text of up to {limit} printable characters")
        if required and not value.strip():
            raise FieldProblem(f"{name} is empty")
        return value

    def currency(self, name: str) -> str:
        """An ISO 4217 code."""
        return self.matching(name, _CURRENCY, "a currency code of three capital letters")

    def minor(self, name: str) -> int:
        """An amount: a whole number of minor units."""
        return bounded(name, int(self.matching(name, _INTEGER, "a whole number")))

    def optional_minor(self, name: str) -> int | None:
        """An amount, or None where the field is empty."""
        return self.minor(name) if self.raw(name) else None

    def day(self, name: str) -> date:
        """A date as `YYYY-MM-DD`."""
        value = self.raw(name)
        parts = _DAY.fullmatch(value)
        if parts is None:
            raise FieldProblem(f"{name} is not a date YYYY-MM-DD: {value[:40]!r}")
        try:
            return date(int(parts[1]), int(parts[2]), int(parts[3]))
        except ValueError:
            raise FieldProblem(f"{name} is an impossible date: {value!r}") from None

    def optional_day(self, name: str) -> date | None:
        """A date, or None where the field is empty."""
        return self.day(name) if self.raw(name) else None

    def choice(self, name: str, kind: type[Choice]) -> Choice:
        """One of the values of `kind`."""
        value = self.raw(name)
        try:
            return kind(value)
        except ValueError:
            known = ", ".join(kind)
            raise FieldProblem(f"{name} is unknown: {value[:40]!r} (known: {known})") from None


def read_rows(
    path: Path,
    *,
    delimiter: str,
    required: Collection[str],
    optional: Collection[str],
    findings: Findings,
) -> Iterator[Fields]:
    """The rows of a file with a header, one line each; broken rows go to `findings`.

    Raises `BookRefused` where the file or its header cannot be read at all.
    """
    header: list[str] = []
    try:
        stream = path.open("rb")
    except OSError as error:
        raise refused(path.name, f"cannot be read: {error.strerror}") from error
    with stream:
        # One byte past the limit tells a line that is too long from one that just fits.
        lines = iter(lambda: stream.readline(MAX_LINE + 1), b"")
        for number, line in enumerate(lines, start=1):
            origin = Origin(path.name, number)
            if len(line) > MAX_LINE:
                raise refused(path.name, f"is longer than {MAX_LINE} bytes", line=number)
            try:
                # Spreadsheets write a byte order mark at the start.
                values = split_line(line.removeprefix(codecs.BOM_UTF8), delimiter)
            except FieldProblem as problem:
                if not header:
                    raise refused(path.name, str(problem), line=number) from None
                findings.add(origin, str(problem))
                continue
            if not header:
                header = values
                _check_header(path.name, header, required, optional)
            elif len(values) != len(header):
                findings.add(origin, f"has {len(values)} fields instead of {len(header)}")
            else:
                yield Fields(dict(zip(header, values, strict=True)), origin)
    if not header:
        raise refused(path.name, "is empty; its first line must be the header")


def split_line(line: bytes, delimiter: str) -> list[str]:
    """The fields of one line; a line break inside a field is not part of the formats."""
    try:
        text = line.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        raise FieldProblem("line is not UTF-8 text") from None
    try:
        return next(csv.reader([text], delimiter=delimiter, strict=True), [])
    except csv.Error as error:
        raise FieldProblem(f"broken row: {error}") from None


def _check_header(
    file: str, header: list[str], required: Collection[str], optional: Collection[str]
) -> None:
    missing = [name for name in required if name not in header]
    unknown = [name for name in header if name not in required and name not in optional]
    if missing:
        raise refused(file, f"header lacks {', '.join(missing)}", line=1)
    if unknown:
        # A misspelt optional column would otherwise be dropped in silence.
        raise refused(file, f"header has unknown columns {', '.join(unknown)}", line=1)
    if len(set(header)) != len(header):
        raise refused(file, "header names a column twice", line=1)


def read_records(
    rows: Iterator[Fields], make: Callable[[Fields], Record], findings: Findings
) -> list[Record]:
    """The records that `make` reads from the rows; a row with a problem goes to `findings`."""
    records: list[Record] = []
    for fields in rows:
        try:
            records.append(make(fields))
        except FieldProblem as problem:
            findings.add(fields.origin, str(problem))
    return records
