"""Curves as places in a drawing, which the page holds as inline SVG. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.risk.evaluation.calibration import Calibration
from services.risk.evaluation.discrimination import steps
from services.risk.evaluation.report.contents import Text

WIDTH, HEIGHT = 380, 320
LEFT, RIGHT, TOP, FOOT = 48, 14, 26, 44
#: A curve keeps so many points: more of them are not seen, and make the page heavy.
POINTS: Final = 160
COLUMNS: Final = 28
#: Where scores are drawn by their log of odds: nothing lies farther out than this.
_FARTHEST: Final = 1e-4
_QUARTERS: Final = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True, slots=True)
class Curve:
    """`place` is the model's among the report's: it chooses colour and dash."""

    name: str
    place: int
    points: str
    dots: Sequence[tuple[float, float, float, float]] = ()


@dataclass(frozen=True, slots=True)
class Column:
    x: float
    y: float
    width: float
    height: float
    is_bad: bool


@dataclass(frozen=True, slots=True)
class Chart:
    """`x_ticks` and `y_ticks` are a place and its words; `guide` is a line to compare with."""

    title: Text
    x_name: Text
    y_name: Text
    x_ticks: Sequence[tuple[float, str]]
    y_ticks: Sequence[tuple[float, str]]
    curves: Sequence[Curve] = ()
    columns: Sequence[Column] = ()
    guide: str = ""
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - FOOT


class _Field:
    """Where values of two axes, both from 0, stand in the drawing."""

    def __init__(self, x_top: float, y_top: float) -> None:
        self.x_top, self.y_top = x_top, y_top

    def x(self, value: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * min(1.0, value / self.x_top), 1)

    def y(self, value: float) -> float:
        return round(TOP + (HEIGHT - TOP - FOOT) * (1 - min(1.0, value / self.y_top)), 1)

    def line(self, xs: NDArray[np.float64], ys: NDArray[np.float64]) -> str:
        return " ".join(f"{self.x(x)},{self.y(y)}" for x, y in zip(xs, ys, strict=True))

    def x_ticks(self) -> Sequence[tuple[float, str]]:
        return [(self.x(part * self.x_top), _percent(part * self.x_top)) for part in _QUARTERS]

    def y_ticks(self) -> Sequence[tuple[float, str]]:
        return [(self.y(part * self.y_top), _percent(part * self.y_top)) for part in _QUARTERS]


def _percent(share: float) -> str:
    return f"{share * 100:.3g}%"


Models = Sequence[tuple[str, int, NDArray[np.float64]]]


def roc(truth: NDArray[np.bool_], models: Models) -> Chart:
    at = _Field(1, 1)
    curves = []
    for name, place, scores in models:
        _, bad, good = steps(truth, scores)
        xs, ys = _thinned(np.append(0, good / good[-1]), np.append(0, bad / bad[-1]))
        curves.append(Curve(name, place, at.line(xs, ys)))
    return Chart(
        title=Text("ROC 曲线", "ROC curves"),
        x_name=Text("误报率(好样本中)", "Good rows flagged"),
        y_name=Text("命中率(坏样本中)", "Bad rows flagged"),
        curves=curves,
        guide=at.line(np.array([0.0, 1.0]), np.array([0.0, 1.0])),
        x_ticks=at.x_ticks(),
        y_ticks=at.y_ticks(),
    )


def precision_recall_chart(truth: NDArray[np.bool_], models: Models) -> Chart:
    at = _Field(1, 1)
    curves = []
    for name, place, scores in models:
        _, bad, good = steps(truth, scores)
        xs, ys = _thinned(bad / bad[-1], bad / (bad + good))
        curves.append(Curve(name, place, at.line(xs, ys)))
    rate = float(truth.mean())
    return Chart(
        title=Text("精确率与召回率", "Precision and recall"),
        x_name=Text("召回率", "Recall"),
        y_name=Text("精确率", "Precision"),
        curves=curves,
        guide=at.line(np.array([0.0, 1.0]), np.array([rate, rate])),
        x_ticks=at.x_ticks(),
        y_ticks=at.y_ticks(),
    )


def calibration_chart(models: Sequence[tuple[str, int, Calibration]]) -> Chart:
    most = max(
        (max(one.expected, one.found.high) for _, _, found in models for one in found.bins),
        default=1.0,
    )
    top = ceiling(most)
    at = _Field(top, top)
    curves = []
    for name, place, found in models:
        xs = np.array([one.expected for one in found.bins])
        ys = np.array([one.found.value for one in found.bins])
        dots = [
            (at.x(one.expected), at.y(one.found.value), at.y(one.found.low), at.y(one.found.high))
            for one in found.bins
        ]
        curves.append(Curve(name, place, at.line(xs, ys), dots))
    return Chart(
        title=Text("校准:预测与实际", "Calibration: promised and found"),
        x_name=Text("预测概率", "Probability promised"),
        y_name=Text("实际坏样本率", "Bad rate found"),
        curves=curves,
        guide=at.line(np.array([0.0, top]), np.array([0.0, top])),
        x_ticks=at.x_ticks(),
        y_ticks=at.y_ticks(),
    )


def approval_chart(truth: NDArray[np.bool_], models: Models, *, share: float) -> Chart:
    """The bad rate among the approved, over how many are approved."""
    found = []
    for name, place, scores in models:
        _, bad, good = steps(truth, -scores)
        kept = bad + good
        xs, ys = _thinned(kept / len(truth), bad / kept)
        found.append((name, place, xs, ys))
    # the first few approved are too few for a rate
    shown = [(n, p, xs[xs > 0.05], ys[xs > 0.05]) for n, p, xs, ys in found]
    top = ceiling(max((float(ys.max()) for _, _, _, ys in shown if len(ys)), default=1.0))
    at = _Field(1, top)
    return Chart(
        title=Text("通过率与坏样本率", "Approval and bad rate"),
        x_name=Text("通过率", "Share approved"),
        y_name=Text("通过者中的坏样本率", "Bad rate among the approved"),
        curves=[Curve(name, place, at.line(xs, ys)) for name, place, xs, ys in shown],
        guide=at.line(np.array([share, share]), np.array([0.0, top])),
        x_ticks=at.x_ticks(),
        y_ticks=at.y_ticks(),
    )


def distribution(truth: NDArray[np.bool_], scores: NDArray[np.float64], *, name: str) -> Chart:
    """Shares of good and of bad rows over the log of the odds, each of its own class."""
    odds = _log_odds(scores)
    edges = np.linspace(_log_odds(np.array([_FARTHEST]))[0], -_log_odds(np.array([_FARTHEST]))[0],
                        COLUMNS + 1)  # fmt: skip
    shares = [
        np.histogram(odds[rows], edges)[0] / max(int(rows.sum()), 1) for rows in (truth, ~truth)
    ]
    top = ceiling(float(max(one.max() for one in shares)))
    at = _Field(1, top)
    step = (WIDTH - LEFT - RIGHT) / COLUMNS
    columns = [
        Column(
            x=round(LEFT + step * i + (step * 0.5 if is_bad else step * 0.05), 1),
            y=at.y(float(share)),
            width=round(step * 0.45, 1),
            height=round(HEIGHT - FOOT - at.y(float(share)), 1),
            is_bad=is_bad,
        )
        for of, is_bad in zip(shares, (True, False), strict=True)
        for i, share in enumerate(of)
        if share
    ]
    places = [0.0001, 0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999]
    span = edges[-1] - edges[0]
    ticks = [
        (at.x(float((_log_odds(np.array([p]))[0] - edges[0]) / span)), _percent(p)) for p in places
    ]
    return Chart(
        title=Text(f"评分分布:{name}", f"Scores: {name}"),
        x_name=Text("评分(对数几率刻度)", "Score (scale of log odds)"),
        y_name=Text("各类内占比", "Share of its class"),
        columns=columns,
        x_ticks=ticks,
        y_ticks=at.y_ticks(),
    )


def ceiling(value: float) -> float:
    """The next of 1, 2, 4, 6, 8 times a power of ten, at most 1: an axis ends with a round one."""
    power = 10.0 ** math.floor(math.log10(max(value, 1e-6)))
    return min(1.0, next((d * power for d in (1, 2, 4, 6, 8) if d * power >= value), 10 * power))


def _log_odds(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    near = np.clip(scores, _FARTHEST, 1 - _FARTHEST)
    return np.asarray(np.log(near / (1 - near)), dtype=np.float64)


def _thinned(
    xs: NDArray[np.float64], ys: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if len(xs) <= POINTS:
        return xs, ys
    # evenly along the horizontal axis, so that where there is much there are many
    places = np.searchsorted(xs, np.linspace(0, xs[-1], POINTS)).clip(0, len(xs) - 1)
    kept = np.unique(np.append(places, [0, len(xs) - 1]))
    return xs[kept], ys[kept]
