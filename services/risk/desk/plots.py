"""Lines and bars as places in a drawing, which a page holds as inline SVG. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

WIDTH: Final = 640
#: Of the lines, of the bars below them, and of what is written under both.
HEIGHT, BARS, FOOT = 150, 44, 22
LEFT, TOP = 44, 10
#: How long a measure's bar is where it has twice its limit or more.
BAR: Final = 120


@dataclass(frozen=True, slots=True)
class Line:
    """`parts` are polylines: a step without decisions breaks the line; a lone step is a dot."""

    name: str
    parts: Sequence[str]
    dots: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Plot:
    """Where everything stands, for the template."""

    lines: Sequence[Line]
    bars: Sequence[tuple[float, float, float, float]]
    grid: Sequence[tuple[float, str]]
    feet: Sequence[tuple[float, str, str]]
    left: int = LEFT
    width: int = WIDTH
    height: int = TOP + HEIGHT + BARS + FOOT


def plot(
    shares: Sequence[tuple[str, Sequence[float | None]]],
    counts: Sequence[int],
    feet: Sequence[tuple[int, str]],
) -> Plot:
    """Lines of shares, in percent, over equal steps, and below them bars of how many were decided.

    `feet` are words under some of the steps.
    """
    top = ceiling(max((v for _, values in shares for v in values if v is not None), default=0.0))
    step = (WIDTH - LEFT) / max(1, len(counts))

    def at(place: int, value: float) -> tuple[float, float]:
        return (
            round(LEFT + step * (place + 0.5), 1),
            round(TOP + HEIGHT * (1 - value / top), 1),
        )

    most = max(counts, default=0) or 1
    base = TOP + HEIGHT + BARS
    bars = [
        (
            round(LEFT + step * place + step * 0.1, 1),
            round(base - (BARS - 8) * count / most, 1),
            round(step * 0.8, 1),
            round((BARS - 8) * count / most, 1),
        )
        for place, count in enumerate(counts)
        if count
    ]
    return Plot(
        lines=[_line(name, [v if v is None else at(i, v) for i, v in enumerate(values)])
               for name, values in shares],
        bars=bars,
        grid=[(round(TOP + HEIGHT * (1 - part), 1), f"{top * part:.3g}") for part in (0, 0.5, 1)],
        feet=[(at(place, 0)[0], word, _anchor(place, len(counts))) for place, word in feet],
    )  # fmt: skip


def _anchor(place: int, count: int) -> str:
    return "start" if place < count * 0.1 else "end" if place > count * 0.9 else "middle"


def _line(name: str, points: Sequence[tuple[float, float] | None]) -> Line:
    parts: list[list[tuple[float, float]]] = [[]]
    for point in points:
        if point is None:
            parts.append([])
        else:
            parts[-1].append(point)
    return Line(
        name,
        parts=[" ".join(f"{x},{y}" for x, y in part) for part in parts if len(part) > 1],
        dots=[part[0] for part in parts if len(part) == 1],
    )


def ceiling(value: float) -> float:
    """The next of 1, 2, 5 times a power of ten, up to 100: an axis ends with a round number."""
    steps = (digit * 10.0**power for power in range(3) for digit in (1, 2, 5))
    return next((found for found in steps if found >= value), 100.0)


@dataclass(frozen=True, slots=True)
class Bar:
    """A measure beside its limit: `length` and `tick` are places in `BAR`."""

    length: float
    tick: float
    tone: str


def bar(value: float, warning: float, critical: float | None) -> Bar:
    """The limit stands in the middle; what is twice as much or more fills the bar."""
    tone = "good"
    if value >= warning:
        tone = "critical" if critical is not None and value >= critical else "warning"
    return Bar(length=round(min(1.0, value / (2 * warning)) * BAR, 1), tick=BAR / 2, tone=tone)


@dataclass(frozen=True, slots=True)
class Column:
    x: float
    y: float
    width: float
    height: float
    words: str


def histogram(
    counts: Sequence[int], words: Sequence[str], *, width: int = 320, height: int = 90
) -> Sequence[Column]:
    """Columns from the first bin that holds anything to the last."""
    held = [place for place, count in enumerate(counts) if count]
    if not held:
        return ()
    places = range(held[0], held[-1] + 1)
    most, step = max(counts), width / len(places)
    return [
        Column(
            x=round(step * (place - held[0]) + step * 0.08, 1),
            y=round(height - height * counts[place] / most, 1),
            width=round(step * 0.84, 1),
            height=round(height * counts[place] / most, 1),
            words=words[place],
        )
        for place in places
        if counts[place]
    ]
