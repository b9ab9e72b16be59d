"""A trace's way through the bank, put together from what every process wrote in its log."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

TRACE_ID = re.compile(r"^[0-9a-f]{32}$")
#: Of each log, as much from its end as is looked through.
LOOK_BACK_BYTES = 30_000_000
MAX_SPANS = 300


@dataclass(frozen=True, slots=True)
class Span:
    """One request or one handled event. `duration_ms` is 0 for an event, which has no length."""

    service: str
    name: str
    kind: str
    start: datetime
    duration_ms: float
    status: int | None
    span_id: str
    parent_id: str | None

    @property
    def end(self) -> datetime:
        return self.start + timedelta(milliseconds=self.duration_ms)


@dataclass(frozen=True, slots=True)
class Row:
    """A span as it is drawn: how deep it lies, and where, in parts of the whole."""

    span: Span
    depth: int
    offset_ms: float
    left: float
    width: float


def spans_of(logs: Path, trace_id: str) -> list[Span]:
    """All spans of a trace, as far as the logs still hold them."""
    found: list[Span] = []
    for file in sorted(logs.glob("*.jsonl")):
        for line in _lines_with(file, trace_id.encode()):
            span = _span(line, trace_id)
            if span is not None:
                found.append(span)
            if len(found) == MAX_SPANS:
                return found
    return found


def rows_of(spans: Sequence[Span]) -> tuple[list[Row], float]:
    """The rows of a waterfall, every span below its cause, and the whole's length in ms."""
    if not spans:
        return [], 0.0
    begin = min(span.start for span in spans)
    # Not from the ends: those are whole microseconds, and a bar would be longer than the whole.
    total_ms = max(1.0, *(_ms(span.start - begin) + span.duration_ms for span in spans))
    rows = []
    for span, depth in _in_order(spans):
        offset_ms = _ms(span.start - begin)
        rows.append(
            Row(
                span=span,
                depth=depth,
                offset_ms=offset_ms,
                left=offset_ms / total_ms,
                width=span.duration_ms / total_ms,
            )
        )
    return rows, total_ms


def _in_order(spans: Sequence[Span]) -> Iterable[tuple[Span, int]]:
    """Depth first, children by start; a span whose cause is not in the logs begins a tree."""
    known = {span.span_id for span in spans}
    below: dict[str | None, list[Span]] = {}
    for span in spans:
        below.setdefault(span.parent_id if span.parent_id in known else None, []).append(span)
    waiting = [(span, 0) for span in _latest_first(below.get(None, []))]
    while waiting:
        span, depth = waiting.pop()
        yield span, depth
        waiting += [(child, depth + 1) for child in _latest_first(below.pop(span.span_id, []))]


def _latest_first(spans: list[Span]) -> list[Span]:
    return sorted(spans, key=lambda span: span.start, reverse=True)


def _lines_with(file: Path, needle: bytes) -> Iterable[bytes]:
    try:
        with file.open("rb") as stream:
            stream.seek(max(0, file.stat().st_size - LOOK_BACK_BYTES))
            yield from (line for line in stream if needle in line)
    except OSError:
        return


def _span(line: bytes, trace_id: str) -> Span | None:
    try:
        content: dict[str, Any] = json.loads(line)
        if content["trace_id"] != trace_id or content["event"] not in {"request", "event"}:
            return None
        written = datetime.strptime(content["at"], "%Y-%m-%d %H:%M:%S,%f")  # noqa: DTZ007
        duration_ms = float(content.get("duration_ms", 0.0))
        is_request = content["event"] == "request"
        return Span(
            service=str(content["service"]),
            name=f"{content['method']} {content['route']}" if is_request else str(content["kind"]),
            kind="request" if is_request else "event",
            start=written - timedelta(milliseconds=duration_ms),
            duration_ms=duration_ms,
            status=int(content["status"]) if is_request else None,
            span_id=str(content["span_id"]),
            parent_id=content.get("parent_id"),
        )
    except (ValueError, KeyError, TypeError):
        return None


def _ms(span: timedelta) -> float:
    return span.total_seconds() * 1000
