"""What a benchmark says: a figure, the reference of the same minutes, and their ratio."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Figure:
    """`value` in `unit`; `ratio` to `reference` where there is one; `held` where there is a goal.

    A goal is words for people, for example `>= 0.6x pgbench`; `held` says whether it was met.
    """

    name: str
    value: float
    unit: str
    reference: str | None = None
    ratio: float | None = None
    goal: str | None = None
    held: bool | None = None


def at_least(
    name: str, value: float, unit: str, *, reference: str, against: float, times: float
) -> Figure:
    """A figure that should be `times` its reference, measured as `against`, or more."""
    ratio = value / against if against else 0.0
    goal = f">= {times}x {reference}"
    return Figure(name, round(value, 1), unit, reference, round(ratio, 3), goal, ratio >= times)


def above(name: str, value: float, unit: str, *, floor: float) -> Figure:
    """A figure that should be `floor` or more, in its own unit."""
    return Figure(name, round(value, 1), unit, goal=f">= {floor:,.0f}", held=value >= floor)


def below(name: str, value: float, unit: str, *, ceiling: float) -> Figure:
    """A figure that should be `ceiling` or less, in its own unit."""
    return Figure(name, round(value, 2), unit, goal=f"<= {ceiling:g}", held=value <= ceiling)


def line(figure: Figure) -> str:
    """One figure for a terminal."""
    ratio = f"{figure.ratio:>8.2f}x {figure.reference}" if figure.ratio is not None else ""
    verdict = {None: "", True: "  held", False: "  MISSED"}[figure.held]
    goal = f"  (goal {figure.goal})" if figure.goal else ""
    return f"{figure.name:<34}{figure.value:>12,.1f} {figure.unit:<12}{ratio}{goal}{verdict}"


def write_json(path: Path, figures: Sequence[Figure]) -> None:
    path.write_text(json.dumps([asdict(figure) for figure in figures], indent=1) + "\n")
