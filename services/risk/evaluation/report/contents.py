"""What a report says, before anybody decides how it looks."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from services.risk.evaluation.decisions import approved_share
from services.risk.evaluation.fairness import Group, fairness
from services.risk.evaluation.intervals import ROUNDS, SEED, Interval, NotMeasurable
from services.risk.evaluation.measured import Compared, Measured, compared, measured


@dataclass(frozen=True, slots=True)
class Text:
    zh: str
    en: str


class Severity(StrEnum):
    """What was done about a finding: left out of the models, changed, or only said."""

    LEFT_OUT = "left_out"
    CHANGED = "changed"
    NOTED = "noted"


@dataclass(frozen=True, slots=True)
class Finding:
    """`code` is stable, `column` empty where the finding is about the whole table."""

    code: str
    severity: Severity
    column: str
    text: Text


@dataclass(frozen=True, slots=True)
class ColumnTold:
    """One column of a table as the models see it; `auc` is what it can do alone."""

    name: str
    kind: Text
    missing: float
    distinct: int
    auc: float | None
    treatment: Text


@dataclass(frozen=True, slots=True)
class Subject:
    """One model: measured, or `wrong` with what kept it from being measured."""

    name: str
    kind: Text
    scores: NDArray[np.float64] | None = None
    measured: Measured | None = None
    compared: Compared | None = None
    fairness: Mapping[str, Sequence[Group]] = field(default_factory=dict)
    wrong: Text | None = None
    fit_s: float | None = None
    score_us: Interval | None = None
    told: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Report:
    """`truth` is of n rows, and each subject's scores are of the same. `share` is the approval at
    which models are compared, `gain` and `loss` what an approved good or bad row brings or costs.
    """

    title: Text
    lead: Text
    truth: NDArray[np.bool_]
    champion: str
    share: float
    worth: Text
    subjects: Sequence[Subject]
    facts: Sequence[tuple[Text, str]] = ()
    findings: Sequence[Finding] = ()
    columns: Sequence[ColumnTold] = ()
    notes: Sequence[Text] = ()


def subject(
    name: str,
    kind: Text,
    *,
    truth: NDArray[np.bool_],
    scores: NDArray[np.float64],
    champion: NDArray[np.float64] | None,
    share: float,
    gain: float | NDArray[np.float64],
    loss: float | NDArray[np.float64],
    groups: Mapping[str, NDArray[np.str_]] | None = None,
    fit_s: float | None = None,
    score_us: Interval | None = None,
    told: Mapping[str, object] | None = None,
    seed: int = SEED,
    rounds: int = ROUNDS,
) -> Subject:
    """Measures one model; `champion` is None for the one that the others are compared with.

    NotMeasurable where the labels or the scores do not allow it.
    """
    if not ((scores >= 0) & (scores <= 1)).all():
        raise NotMeasurable("a score is not between 0 and 1")
    approved = approved_share(scores, share, seed=seed)
    return Subject(
        name=name,
        kind=kind,
        scores=scores,
        measured=measured(truth, scores, seed=seed, rounds=rounds),
        compared=None
        if champion is None
        else compared(
            truth, champion, scores, share=share, gain=gain, loss=loss, seed=seed, rounds=rounds
        ),
        fairness={
            of: fairness(truth, scores, approved, names) for of, names in (groups or {}).items()
        },
        fit_s=fit_s,
        score_us=score_us,
        told=told or {},
    )


def fields(report: Report) -> dict[str, object]:
    """The report as JSON has it: `models` with plain figures first, then whole intervals."""
    return {
        "title": report.title.en,
        "rows": len(report.truth),
        "bad": int(report.truth.sum()),
        "champion": report.champion,
        "approval_share": report.share,
        "models": [_model(one) for one in report.subjects],
        "findings": [_finding(one) for one in report.findings],
        "columns": [_column(one) for one in report.columns],
    }


def _model(one: Subject) -> dict[str, object]:
    found: dict[str, object] = {"name": one.name, "kind": one.kind.en}
    if one.wrong:
        found["wrong"] = one.wrong.en
    if one.fit_s is not None:
        found["fit_s"] = round(one.fit_s, 3)
    if one.score_us:
        found |= {"score_us": round(one.score_us.value, 2), "score_us_interval": _of(one.score_us)}
    if one.measured:
        found |= {
            "auc": one.measured.auc.value,
            "auc_low": one.measured.auc.low,
            "auc_high": one.measured.auc.high,
            "ks": one.measured.ks.value,
            "brier": one.measured.brier.value,
            "average_precision": one.measured.average_precision.value,
            "measures": asdict(one.measured),
        }
    if one.compared:
        found["against_champion"] = asdict(one.compared)
    if one.fairness:
        found["fairness"] = {of: [asdict(g) for g in groups] for of, groups in one.fairness.items()}
    return found | dict(one.told)


def _of(found: Interval) -> dict[str, float]:
    return {"value": found.value, "low": found.low, "high": found.high}


def _finding(one: Finding) -> dict[str, object]:
    return {
        "code": one.code,
        "severity": one.severity.value,
        "column": one.column,
        "text": one.text.en,
        "text_zh": one.text.zh,
    }


def _column(one: ColumnTold) -> dict[str, object]:
    return {
        "name": one.name,
        "kind": one.kind.en,
        "missing": one.missing,
        "distinct": one.distinct,
        "auc": one.auc,
        "treatment": one.treatment.en,
    }
