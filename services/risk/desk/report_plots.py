"""The drawings of a back-test's report, as places for inline SVG. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

WIDTH: Final = 640
#: A pair of outcomes: its words, then a bar of decisions and one of money.
ROW, LABEL, BARS = 46, 170, 310
#: Columns of shares or scores, with room for their words.
HEIGHT, FOOT, LEFT = 150, 24, 44
#: The square of a ROC curve.
SIDE, MARGIN = 240, 34


@dataclass(frozen=True, slots=True)
class Row:
    """A pair of outcomes that changes: `y` of its middle, lengths of both bars."""

    words: str
    y: float
    decisions: float
    money: float
    decisions_words: str
    money_words: str


def rows(pairs: Sequence[tuple[str, int, int, str]]) -> tuple[Sequence[Row], float]:
    """Rows of (words, decisions, fen, money in words), and the height of the drawing."""
    most = max((count for _, count, _, _ in pairs), default=0) or 1
    dearest = max((value for _, _, value, _ in pairs), default=0) or 1
    found = [
        Row(
            words=words,
            y=ROW * place + ROW / 2,
            decisions=round(max(1.0, BARS * count / most), 1),
            money=round(max(1.0, BARS * value / dearest) if value else 0.0, 1),
            decisions_words=f"{count:,}",
            money_words=money,
        )
        for place, (words, count, value, money) in enumerate(pairs)
    ]
    return found, ROW * len(found)


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of the matrix: how strongly it is tinted, and whether the outcome stays."""

    decisions: int
    money: str
    tint: float
    stays: bool


@dataclass(frozen=True, slots=True)
class Bars:
    """Groups of columns over their words; `columns` are x, y, width, height, series, words."""

    columns: Sequence[tuple[float, float, float, float, str, str]]
    words: Sequence[tuple[float, str]]
    grid: Sequence[tuple[float, str]]
    width: int = WIDTH
    height: int = HEIGHT + FOOT + 10


def bars(groups: Sequence[str], series: Sequence[tuple[str, Sequence[float]]]) -> Bars:
    """Shares in percent, one column of each series in every group."""
    top = max((value for _, values in series for value in values), default=0.0) or 1.0
    step = (WIDTH - LEFT) / max(1, len(groups))
    width = step * 0.8 / max(1, len(series))
    columns = []
    for number, (name, values) in enumerate(series):
        for place, value in enumerate(values):
            high = HEIGHT * value / top
            x = LEFT + step * place + step * 0.1 + width * number
            columns.append(
                (round(x, 1), round(10 + HEIGHT - high, 1), round(width * 0.94, 1),
                 round(high, 1), name, f"{groups[place]}: {value:.2f}%")
            )  # fmt: skip
    return Bars(
        columns=columns,
        words=[(round(LEFT + step * (i + 0.5), 1), words) for i, words in enumerate(groups)],
        grid=[(round(10 + HEIGHT * (1 - part), 1), f"{top * part:.3g}%") for part in (0, 0.5, 1)],
    )


def shares(counts: Sequence[int]) -> list[float]:
    """Counts as percent of their sum."""
    total = sum(counts) or 1
    return [100 * count / total for count in counts]


def curve(points: Sequence[Sequence[float]]) -> str:
    """A ROC curve as the points of a polyline."""
    return " ".join(
        f"{MARGIN + SIDE * false:.1f},{MARGIN / 2 + SIDE * (1 - true):.1f}"
        for false, true in points
    )
