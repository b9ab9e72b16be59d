"""One run of the lab: read, look, fit, write, report."""

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from services.risk.evaluation import measured, roc_auc
from services.risk.evaluation.report import (
    ColumnTold,
    Report,
    Severity,
    Subject,
    Text,
    fields,
    page,
    subject,
)
from services.risk.training.export import ParityBroken
from services.risk.training.lab import columns as understanding
from services.risk.training.lab.columns import KINDS, Column, Input
from services.risk.training.lab.families import FAMILIES, Family, Inputs
from services.risk.training.lab.folds import folds_of, groups_of
from services.risk.training.lab.labels import Label, label_of
from services.risk.training.lab.leaks import without_leaks
from services.risk.training.lab.reading import Refused, Table, read
from services.risk.training.lab.validation import OUTER, Data, validated
from services.risk.training.lab.writing import Origin, Written, save, written

#: Above this a model is too good to be true, and more than one column may know the label.
TOO_GOOD: Final = 0.99
MAX_GROUPS: Final = 12
_SENSITIVE: Final = {"sex", "gender", "性别", "age", "年龄", "race", "ethnicity", "民族",
                     "status_and_sex"}  # fmt: skip
_AGES: Final = (25, 35, 45, 60)
MAX_AGE: Final = 120


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a run is asked for. `share` is the approval at which models are compared; a good row
    that is approved brings `gain`, a bad one costs `loss`.
    """

    data: Path
    label: str
    out: Path
    positive: str | None = None
    groups: Sequence[str] = ()
    keep: Sequence[str] = ()
    share: float = 0.8
    gain: float = 1.0
    loss: float = 5.0
    seed: int = 20260101
    product: str = "loan"
    owner: str = "model-lab"


def run(wanted: Wanted, *, told: Callable[[str], None]) -> Report:
    """Writes the report and the models into the folder; raises Refused with what is wrong."""
    if wanted.out.exists() and not wanted.out.is_dir():
        raise Refused(f"{wanted.out} is no folder")
    start = time.perf_counter()
    table = read(wanted.data)
    label = label_of(table, wanted.label, positive=wanted.positive)
    told(f"read {len(label.rows):,} rows and {len(table.columns) - 1} columns, "
         f"{label.truth.mean():.1%} are {label.bad}")  # fmt: skip
    for name in (*wanted.groups, *wanted.keep):
        if name not in table.columns:
            raise Refused(f"the table has no column {name}")
    found = understanding.understood(table, label)
    # two threads would change the last bits from run to run
    with threadpool_limits(limits=1):
        data, inputs = _prepared(table, found, label, wanted)
        told(f"{len(inputs)} inputs are left; {len(table.findings)} findings")
        subjects = _subjects(table, label, data, inputs, wanted, told)
    report = _report(table, label, found, inputs, subjects, wanted)
    outcome = fields(report) | {
        "label": {"column": label.name, "bad": label.bad, "good": label.good},
        "took_s": round(time.perf_counter() - start, 1),
    }
    save(wanted.out, {
        "report.html": page(report).encode(),
        "report.json": (json.dumps(outcome, ensure_ascii=False, indent=1) + "\n").encode(),
    })  # fmt: skip
    return report


def _prepared(
    table: Table, found: Sequence[Column], label: Label, wanted: Wanted
) -> tuple[Data, list[Input]]:
    """Takes out what leaks; the rows that are left, and what was equal among them is noted."""
    every = [one for column in found for one in column.inputs]
    if not every:
        raise Refused("no column is left to learn from: all are constant, identifiers or text")
    groups = groups_of(np.column_stack([one.values for one in every]))
    _note_equal_rows(table, groups, label)
    few = folds_of(label.truth, groups, count=3, seed=wanted.seed)
    without_leaks(table, found, label.truth, few, keep=wanted.keep)
    inputs = [one for column in found for one in column.inputs]
    rows = np.column_stack([one.values for one in inputs])
    levels = [0 if one.codes is None else len(one.codes) + 1 for one in inputs]
    told = Inputs([one.name for one in inputs], levels)
    return Data(told, rows, label.truth, groups_of(rows)), inputs


def _note_equal_rows(table: Table, groups: NDArray[np.int64], label: Label) -> None:
    sizes = np.bincount(groups)
    bad = np.bincount(groups, weights=label.truth, minlength=len(sizes))
    again = int((sizes - 1).sum())
    if not again:
        return
    split = (bad > 0) & (bad < sizes)
    table.note("duplicate_rows", f"{again:,} 行与另一行完全相同;验证时同组处理。",
               f"{again:,} rows repeat another in every column; they stay in one fold with it.",
               severity=Severity.CHANGED)  # fmt: skip
    if split.any():
        count = int(sizes[split].sum())
        table.note("conflicting_labels", f"其中 {count:,} 行各列相同而标签不同。",
                   f"{count:,} rows agree in every column and not in the label.")  # fmt: skip


def _subjects(
    table: Table,
    label: Label,
    data: Data,
    inputs: Sequence[Input],
    wanted: Wanted,
    told: Callable[[str], None],
) -> list[Subject]:
    folds = folds_of(data.truth, data.groups, count=OUTER, seed=wanted.seed + 1)
    groups = _groups(table, label, wanted)
    origin = Origin(
        source=wanted.data.name,
        sha256=_fingerprint(data),
        rows=len(data.truth),
        bad=int(data.truth.sum()),
        seed=wanted.seed,
        owner=wanted.owner,
        product=wanted.product,
    )
    found: list[Subject] = []
    for family in FAMILIES:
        # the first that could be measured is what the others are compared with
        champion = next((one for one in found if one.scores is not None), None)
        try:
            one = _subject(family, data, folds, inputs, origin, groups, champion, wanted, told)
        except (ValueError, ParityBroken) as error:
            cause = str(error).splitlines()[0][:200]
            one = Subject(family.name, family.kind, wrong=Text(f"未能拟合:{cause}", cause))
        found.append(one)
        if one.measured and one.measured.auc.value > TOO_GOOD:
            table.note("too_good", f"{one.name} 的 AUC 达 {one.measured.auc.value:.3f},好得可疑。",
                       f"{one.name} reaches an AUC of {one.measured.auc.value:.3f}, too good "
                       "to be true: several columns together may know the label.")  # fmt: skip
    return found


def _subject(
    family: Family,
    data: Data,
    folds: NDArray[np.int64],
    inputs: Sequence[Input],
    origin: Origin,
    groups: Mapping[str, NDArray[np.str_]],
    champion: Subject | None,
    wanted: Wanted,
    told: Callable[[str], None],
) -> Subject:
    result = validated(family, data, folds, seed=wanted.seed, told=told)
    levels = np.quantile(result.scores, [max(0.0, wanted.share - 0.1), wanted.share])
    model: Written = written(
        family.name,
        result.final,
        inputs=inputs,
        rows=data.rows,
        measures=measured(data.truth, result.scores, seed=wanted.seed),
        thresholds=(float(levels[0]), float(levels[1])),
        origin=origin,
    )
    save(wanted.out, model.files)
    by_fold = [roc_auc(data.truth[folds == k], result.scores[folds == k]) for k in range(OUTER)]
    return subject(
        family.name,
        family.kind,
        truth=data.truth,
        scores=result.scores,
        champion=champion.scores if champion else None,
        share=wanted.share,
        gain=wanted.gain,
        loss=wanted.loss,
        groups=groups,
        fit_s=result.fit_s,
        score_us=model.score_us,
        seed=wanted.seed,
        told={
            "auc_by_fold": by_fold,
            "setting": dict(result.final.setting),
            "calibration": {"slope": result.final.slope, "intercept": result.final.intercept},
            "files": {n: hashlib.sha256(c).hexdigest() for n, c in model.files.items()},
            "parity": {"worst": model.parity_worst, "rows": model.parity_rows},
        },
    )


def _fingerprint(data: Data) -> str:
    digest = hashlib.sha256(json.dumps(list(data.inputs.names)).encode())
    digest.update(np.ascontiguousarray(data.rows).tobytes())
    digest.update(data.truth.tobytes())
    return digest.hexdigest()


def _groups(table: Table, label: Label, wanted: Wanted) -> dict[str, NDArray[np.str_]]:
    """The groups of people that the table has; ages by spans."""
    names = wanted.groups or [n for n in table.columns if n.casefold() in _SENSITIVE]
    found = {}
    for name in names:
        cells = [table.columns[name][i] or "–" for i in label.rows]
        if name != label.name and (told := _grouped(cells)) is not None:
            found[name] = told
    return found


def _grouped(cells: Sequence[str]) -> NDArray[np.str_] | None:
    if len(set(cells)) <= MAX_GROUPS:
        return np.array(cells)
    try:
        ages = np.array([float(cell) if cell != "–" else np.nan for cell in cells])
    except ValueError:
        return None
    # a number that stands for a missing age is none
    ages[(ages < 0) | (ages > MAX_AGE)] = np.nan
    if np.isnan(ages).mean() > 0.5:
        return None
    spans = [f"<{_AGES[0]}", *(f"{a}-{b - 1}" for a, b in pairwise(_AGES)),
             f"{_AGES[-1]}+"]  # fmt: skip
    places = np.searchsorted(_AGES, ages, side="right")
    return np.where(np.isnan(ages), "–", np.array(spans)[np.minimum(places, len(spans) - 1)])


def _report(
    table: Table,
    label: Label,
    found: Sequence[Column],
    inputs: Sequence[Input],
    subjects: Sequence[Subject],
    wanted: Wanted,
) -> Report:
    order = {Severity.LEFT_OUT: 0, Severity.CHANGED: 1, Severity.NOTED: 2}
    champion = next((one.name for one in subjects if one.measured), subjects[0].name)
    return Report(
        title=Text(f"模型实验室:{wanted.data.name}", f"Model lab: {wanted.data.name}"),
        lead=Text(
            f"标签列 {label.name},“{label.bad}”为坏样本。每一行的评分来自未见过该行的模型(五折嵌套交叉验证)。",
            f"The label is {label.name}, and {label.bad} is bad. Every row is scored by a model "
            "that did not see it: five folds, each with its own search inside.",
        ),
        truth=label.truth,
        champion=champion,
        share=wanted.share,
        worth=Text(
            f"通过一个好样本收益 {wanted.gain:g},通过一个坏样本损失 {wanted.loss:g}。",
            f"A good row that is approved brings {wanted.gain:g}, a bad one costs {wanted.loss:g}.",
        ),
        subjects=subjects,
        facts=[
            (Text("行数", "Rows"), f"{len(label.truth):,}"),
            (Text("坏样本率", "Bad rate"), f"{label.truth.mean():.2%}"),
            (Text("列数", "Columns"), str(len(found))),
            (Text("模型输入", "Inputs"), str(len(inputs))),
        ],
        findings=sorted(table.findings, key=lambda one: order[one.severity]),
        columns=[
            ColumnTold(c.name, KINDS[c.kind], c.missing, c.distinct, c.alone, c.treatment)
            for c in found
        ],
        notes=NOTES,
    )


NOTES: Final = (
    Text("AUC 区间为 DeLong 法,其余为分层自助法;差值为配对计算。",
         "Intervals of AUC are DeLong's, the others of a stratified bootstrap; differences are "
         "paired."),
    Text("区间只反映行的抽样,不反映时间上的变化:上线前请用更晚的数据再验证。",
         "Intervals tell of the draw of rows, not of change over time: try later rows before use."),
    Text("ONNX 文件取 32 位浮点的一行输入,缺失为 NaN,类别为清单中的代码。",
         "The ONNX files take rows of 32-bit numbers, NaN for missing, codes as in the manifest."),
)  # fmt: skip
