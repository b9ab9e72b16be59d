"""Columns that know the label: written down after it, or because of it.

A column that alone parts bad from good almost perfectly is no forecast. One that is less perfect
gives itself away beside the others: what alone does far better than all of them together comes
from the outcome. Where the others are few or say nothing, that proves nothing: a balance may be all
that matters, and stays with a warning. Copies of columns are found here too.
"""

from collections.abc import Collection, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.tree import DecisionTreeClassifier

from services.risk.evaluation import roc_auc
from services.risk.evaluation.report import Severity, Text
from services.risk.training.lab.columns import Column, Input, Kind
from services.risk.training.lab.folds import parted
from services.risk.training.lab.reading import Refused, Table

#: An honest column of a credit or churn table alone reaches 0.60 to 0.80.
CERTAIN: Final = 0.97
SUSPECT: Final = 0.85
#: By so much a suspect has to surpass all others together, where they are so many and reach so far.
AHEAD: Final = 0.05
LEAST_OTHERS: Final = 5
TELLING: Final = 0.60
_LEAVES: Final = 16
_SAME: Final = 0.99999


def without_leaks(
    table: Table,
    columns: Sequence[Column],
    truth: NDArray[np.bool_],
    folds: NDArray[np.int64],
    *,
    keep: Collection[str],
) -> None:
    """Takes the inputs from columns that leak or are copies; notes each. `keep` names columns that
    stay whatever they look like. Raises Refused where none is left.
    """
    for column in columns:
        scores = [out_of_fold(one, truth, folds) for one in column.inputs]
        column.alone = max((roc_auc(truth, one) for one in scores), default=None)
    suspects = [one for one in columns if (one.alone or 0) >= SUSPECT]
    others = [i for one in columns if one not in suspects for i in one.inputs]
    together = _together(others, truth, folds) if suspects else 0.0
    for column in suspects:
        alone = column.alone or 0
        can_tell = len(others) >= LEAST_OTHERS and together >= TELLING
        if alone < CERTAIN and alone < together + AHEAD:
            continue
        if alone < CERTAIN and not can_tell:
            table.note("strong", f"单列 AUC 即达 {alone:.3f},远强于其余各列:请确认它在决策时已知。",
                       f"Alone it reaches an AUC of {alone:.3f}, far more than the others: make "
                       "sure that it is known when a decision is made.",
                       column=column.name)  # fmt: skip
            continue
        kept = column.name in keep
        _note(table, column, truth, together, kept=kept)
        if not kept:
            _leave_out(column)
    for column in columns:
        if column.kind is Kind.EMPTY:
            column.inputs = []
    _without_copies(table, columns, keep)
    if not any(column.inputs for column in columns):
        raise Refused(
            "no column is left to learn from: all are constant, identifiers, text or leaks"
        )


def _leave_out(column: Column) -> None:
    column.inputs = []
    column.treatment = Text("剔除", "left out")


def _note(
    table: Table, column: Column, truth: NDArray[np.bool_], together: float, *, kept: bool
) -> None:
    alone, missing = column.alone or 0, column.inputs[0].values
    absence = np.isnan(missing).astype(np.float64)
    is_absence = column.kind is Kind.EMPTY or (
        0 < absence.mean() < 1 and max(a := roc_auc(truth, absence), 1 - a) >= alone - 0.02
    )
    zh = f"疑似泄漏标签:单列 AUC 即达 {alone:.3f}"
    en = f"It leaks the label: alone it reaches an AUC of {alone:.3f}"
    if alone < CERTAIN:
        zh += f",而其余各列合计仅 {together:.3f}"
        en += f", all others together {together:.3f}"
    if is_absence:
        zh += ",且仅凭是否缺失即可判断"
        en += ", by whether it is there at all"
    if kept:
        zh, en = f"{zh};按 KEEP 保留", f"{en}; kept as KEEP asks"
    table.note("leak", f"{zh}。", f"{en}.", column=column.name,
               severity=Severity.NOTED if kept else Severity.LEFT_OUT)  # fmt: skip


def out_of_fold(
    one: Input, truth: NDArray[np.bool_], folds: NDArray[np.int64]
) -> NDArray[np.float64]:
    """What a small tree of this input alone says of rows that it has not seen."""
    found = np.empty(len(truth))
    if one.codes is not None:
        return _by_level(one.values, truth, folds)
    for fitted, seen in parted(folds):
        tree = DecisionTreeClassifier(
            max_leaf_nodes=_LEAVES, min_samples_leaf=max(5, len(fitted) // 200), random_state=0
        ).fit(one.values[fitted, None], truth[fitted])
        found[seen] = tree.predict_proba(one.values[seen, None])[:, 1]
    return found


def _by_level(
    values: NDArray[np.float32], truth: NDArray[np.bool_], folds: NDArray[np.int64]
) -> NDArray[np.float64]:
    codes = np.where(np.isnan(values), -1, values).astype(np.int64) + 1
    found = np.empty(len(truth))
    for fitted, seen in parted(folds):
        usual = float(truth[fitted].mean())
        rows = np.bincount(codes[fitted], minlength=int(codes.max()) + 1)
        bad = np.bincount(codes[fitted], weights=truth[fitted], minlength=len(rows))
        found[seen] = ((bad + 5 * usual) / (rows + 5))[codes[seen]]
    return found


def _together(inputs: Sequence[Input], truth: NDArray[np.bool_], folds: NDArray[np.int64]) -> float:
    if not inputs:
        return 0.5
    rows = np.column_stack([one.values for one in inputs])
    scores = np.empty(len(truth))
    for fitted, seen in parted(folds):
        model = HistGradientBoostingClassifier(
            max_iter=80, max_leaf_nodes=15, early_stopping=False, random_state=0
        ).fit(rows[fitted], truth[fitted])
        scores[seen] = model.predict_proba(rows[seen])[:, 1]
    return roc_auc(truth, scores)


def _without_copies(table: Table, columns: Sequence[Column], keep: Collection[str]) -> None:
    """Of two columns that say the same, up to scale or to other words, the first stays."""
    seen: dict[bytes, str] = {}
    standing: list[tuple[str, NDArray[np.float64]]] = []
    for column in columns:
        if not column.inputs or column.kind is Kind.DATE:
            continue
        values = column.inputs[0].values
        print_of = np.nan_to_num(values, nan=-3.1e38).tobytes()
        twin = seen.get(print_of) or _twin(standing, values, column)
        if twin and column.name not in keep:
            table.note("copy", f"与“{twin}”内容相同,已剔除。", f"It says the same as {twin}.",
                       column=column.name, severity=Severity.LEFT_OUT)  # fmt: skip
            _leave_out(column)
            continue
        seen[print_of] = column.name
        if column.kind is Kind.NUMBER:
            standing.append((column.name, _standardized(values)))


def _twin(
    standing: Sequence[tuple[str, NDArray[np.float64]]], values: NDArray[np.float32], column: Column
) -> str | None:
    if column.kind is not Kind.NUMBER:
        return None
    mine = _standardized(values)
    for name, other in standing:
        both = np.isnan(mine) == np.isnan(other)
        if both.all() and abs(float(np.nanmean(mine * other))) > _SAME:
            return name
    return None


def _standardized(values: NDArray[np.float32]) -> NDArray[np.float64]:
    wide = values.astype(np.float64)
    deviation = float(np.nanstd(wide))
    return (wide - np.nanmean(wide)) / (deviation or 1.0)
