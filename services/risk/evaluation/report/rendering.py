"""The page: one file that needs nothing from anywhere else."""

from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from services.risk.evaluation.intervals import Interval
from services.risk.evaluation.report import drawing
from services.risk.evaluation.report.contents import Report, Subject
from services.risk.evaluation.report.drawing import Chart
from services.risk.evaluation.report.texts import SEVERITIES, WORDS

_FOLDER: Final = Path(__file__).parent / "templates"
_templates = Environment(
    loader=FileSystemLoader(_FOLDER),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def page(report: Report) -> str:
    """The whole HTML document; names from outside are escaped by the template."""
    subjects = [one for one in report.subjects if one.measured is not None]
    return _templates.get_template("report.html").render(
        report=report,
        t=WORDS,
        severities=SEVERITIES,
        # the project's own file, and nothing that came from outside
        style=Markup((_FOLDER / "report.css").read_text(encoding="utf-8")),  # noqa: S704
        measured=[(place, one) for place, one in enumerate(subjects)],
        curves=_curves(report, subjects),
        distributions=_distributions(report, subjects),
        attributes=sorted({name for one in subjects for name in one.fairness}),
        interval=_interval,
        signed=_signed,
        figure=_figure,
    )


def _curves(report: Report, subjects: list[Subject]) -> list[Chart]:
    models = [(s.name, i, s.scores) for i, s in enumerate(subjects) if s.scores is not None]
    if not models:
        return []
    calibrations = [
        (s.name, i, s.measured.calibration) for i, s in enumerate(subjects) if s.measured
    ]
    return [
        drawing.roc(report.truth, models),
        drawing.precision_recall_chart(report.truth, models),
        drawing.calibration_chart(calibrations),
        drawing.approval_chart(report.truth, models, share=report.share),
    ]


def _distributions(report: Report, subjects: list[Subject]) -> list[Chart]:
    return [
        drawing.distribution(report.truth, one.scores, name=one.name)
        for one in subjects
        if one.scores is not None
    ]


def _figure(value: float, digits: int = 3) -> str:
    return f"{value:.{digits}f}"


def _interval(found: Interval | None, *, digits: int = 3, percent: bool = False) -> Markup:
    """The figure, with its interval small beside it."""
    if found is None:
        return Markup("–")
    value, low, high = (
        _shown(one, digits, percent=percent) for one in (found.value, found.low, found.high)
    )
    return Markup("{} <small>[{}, {}]</small>").format(value, low, high)


def _signed(found: Interval | None, *, digits: int = 3, percent: bool = False) -> Markup:
    if found is None:
        return Markup("–")
    value, low, high = (
        _shown(one, digits, percent=percent, sign=True)
        for one in (found.value, found.low, found.high)
    )
    return Markup("{} <small>[{}, {}]</small>").format(value, low, high)


def _shown(value: float, digits: int, *, percent: bool, sign: bool = False) -> str:
    plus = "+" if sign else ""
    if percent:
        return f"{value * 100:{plus}.{max(digits - 2, 1)}f}%"
    return f"{value:{plus},.{digits}f}"
