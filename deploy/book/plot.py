"""The figures of the plots on the reconciliation page; the template draws them as SVG."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

WIDTH = 900
HEIGHT = 160
MOST_BARS = 300


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar in the units of its plot."""

    label: str
    count: int
    x: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Plot:
    """Bars from left to right, with the largest count and what the ends of the axis are."""

    bars: list[Bar]
    largest: int
    first: str
    last: str
    days_a_bar: int


def days_plot(by_day: Mapping[date, int]) -> Plot:
    """Rows by day, several days to a bar where there are more than fit."""
    if not by_day:
        return Plot([], 0, "", "", 1)
    first, last = min(by_day), max(by_day)
    span = (last - first).days + 1
    days = -(-span // MOST_BARS)
    counts = [0] * -(-span // days)
    for day, count in by_day.items():
        counts[(day - first).days // days] += count
    width = WIDTH / len(counts)
    largest = max(counts)
    found = [
        Bar(
            label=(first + timedelta(days=place * days)).isoformat(),
            count=count,
            x=round(place * width, 2),
            width=round(max(0.5, width * 0.85), 2),
            height=round(HEIGHT * count / largest, 2),
        )
        for place, count in enumerate(counts)
    ]
    return Plot(found, largest, first.isoformat(), last.isoformat(), days)


def bars(rows: Sequence[tuple[str, int]]) -> list[Bar]:
    """Counts by label, as long as their share of the largest."""
    largest = max((count for _, count in rows), default=1)
    return [
        Bar(label=label, count=count, x=0, width=round(500 * count / largest, 2), height=20)
        for label, count in rows
    ]
