"""Writes out, for one kind of window, the reading of all its rows, and compiles it.

A decision waits for these readings. As loops over spans and rows they took twice the time that
the same steps take where each stands as a plain statement of its own; so the statements are made
from the table, once, at the start.
"""

import math
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from functools import cache

from services.risk.features.definitions import MEASURES, SECOND_MS, SPANS, SPANS_MS, Entity, Measure
from services.risk.windows import HOT, MASK, Layout, Window

Reading = Callable[[dict[str, float], Window, int, int], None]
"""Puts an entity's values into the dict, for a payment at that time with that mark."""


def rows_of(entity: Entity, *kinds: str) -> list[Measure]:
    """The rows of the table for an entity; with `kinds` those alone."""
    return [row for row in MEASURES if row.entity == entity and (not kinds or row.kind in kinds)]


@cache
def reading(entity: Entity, layout: Layout) -> Reading:
    """The compiled function for the windows of this entity; their layout is the table's."""
    spans = [SPANS_MS[span] for span in SPANS[entity]]
    lines = [
        *_newest(layout.stride, counts_small=layout.counts_small),
        *_spans(spans, layout.stride),
        *_earlier(len(spans) - 1, layout.stride),
    ]
    puts: list[str] = []
    for row in rows_of(entity):
        place = spans.index(row.span_ms) if row.span_ms else len(spans) - 1
        if row.kind == "distinct":
            lines += _distinct(row, place, layout)
        puts.append(f"values[{row.name!r}] = {_value(row, place, layout.stride)}")
    source = "\n    ".join(["def read(values, window, at_ms, mark):", *lines, *puts])
    names = {"bisect_right": bisect_right, "log1p": math.log1p, "nan": math.nan}
    # the source is this module's own: nothing of it comes from outside
    exec(compile(source, f"<reading of {entity}>", "exec"), names)  # noqa: S102
    return names["read"]  # type: ignore[return-value]


def _newest(stride: int, *, counts_small: bool) -> Iterator[str]:
    """`end` is behind the last entry that is not later than the payment, which often is all."""
    yield "times, facts = window.times, window.facts"
    yield "end = len(times)"
    yield "is_newest = times[-1] <= at_ms"
    yield "if is_newest:"
    yield "    total, small = window.total, window.small"
    yield "else:"
    yield "    end = bisect_right(times, at_ms)"
    yield f"    total = facts[end * {stride}]"
    if counts_small:
        yield f"    small = facts[end * {stride} + 2]"


def _spans(spans: Sequence[int], stride: int) -> Iterator[str]:
    """For the span `i`: its first entry `start_i` and the sum `paid_i`, the longest one first."""
    before = "0"
    for i in reversed(range(len(spans))):
        yield f"start_{i} = bisect_right(times, at_ms - {spans[i]}, {before}, end)"
        yield f"paid_{i} = (total - facts[start_{i} * {stride}]) & {MASK} if start_{i} < end else 0"
        before = f"start_{i}"


def _earlier(longest: int, stride: int) -> Iterator[str]:
    """The entry before the payment's own, and the first that there ever was."""
    yield f"count = end - start_{longest}"
    yield "place = end - 1"
    yield f"if place >= 0 and facts[place * {stride} + 1] == mark:"
    yield "    place -= 1"
    yield f"since_ms = at_ms - times[place] if place >= start_{longest} else None"
    yield "first_ms = at_ms if window.first is None else window.first >> 64"


def _distinct(row: Measure, i: int, layout: Layout) -> Iterator[str]:
    column, stride, name = layout.column(str(row.field)), layout.stride, f"distinct_{row.name}"
    yield f"if is_newest and end > {HOT}:"
    yield f"    {name} = window.distinct({column}, start_{i}, end, {row.span_ms})"
    yield "else:"
    yield f"    seen = set(facts[start_{i} * {stride} + {column} : end * {stride} : {stride}])"
    yield f"    {name} = len(seen) - (0 in seen)"


def _value(row: Measure, i: int, stride: int) -> str:
    """The expression for a row over the span `i`; means are rounded half up."""
    if row.kind == "distinct":
        return f"distinct_{row.name}"
    return {
        "count": f"end - start_{i}",
        "small": f"small - facts[start_{i} * {stride} + 2] if start_{i} < end else 0",
        "sum": f"paid_{i}",
        "sum_log": f"log1p(paid_{i} / 100)",
        "mean": f"(2 * paid_{i} + count) // (2 * count) if count else nan",
        "since": f"nan if since_ms is None else since_ms // {SECOND_MS}",
        "since_log": f"nan if since_ms is None else log1p(since_ms / {SECOND_MS})",
        "age": f"(at_ms - first_ms) // {SECOND_MS} if first_ms < at_ms else 0",
    }[row.kind]
