"""The column that says what went bad: any two values, of which one is the bad one."""

from collections import Counter
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.risk.evaluation.report import Severity
from services.risk.training.lab.reading import Refused, Table

LEAST_ROWS: Final = 200
#: Five folds with some of each class in all parts of them.
LEAST_OF_EACH: Final = 25
MISSING: Final = frozenset({"", "na", "n/a", "nan", "null", "#n/a", "?"})
_BAD: Final = frozenset(
    {"1", "true", "yes", "y", "t", "bad", "default", "defaulted", "fraud", "churn", "churned",
     "attrited", "attrited customer", "exited", "left", "charged off", "是", "坏", "违约", "流失",
     "欺诈"}
)  # fmt: skip
_GOOD: Final = frozenset(
    {"0", "false", "no", "n", "f", "good", "paid", "fully paid", "honest", "genuine", "retained",
     "existing customer", "stayed", "current", "否", "好", "正常"}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Label:
    """`rows` are those that have a label, `truth` is theirs; `bad` and `good` are the words."""

    name: str
    rows: NDArray[np.intp]
    truth: NDArray[np.bool_]
    bad: str
    good: str


def label_of(table: Table, wanted: str, *, positive: str | None) -> Label:
    """The label of the table; raises Refused with what is wrong. `positive` is the bad value."""
    name = _column(table, wanted)
    values = [_plain(value) for value in table.columns[name]]
    rows = np.array([i for i, v in enumerate(values) if v.casefold() not in MISSING], dtype=np.intp)
    counts = Counter(values[i] for i in rows)
    if len(counts) != 2:
        shown = ", ".join(repr(value) for value, _ in counts.most_common(5))
        more = ", …" if len(counts) > 5 else ""
        raise Refused(
            f"the label {name} has {len(counts)} value{'' if len(counts) == 1 else 's'} "
            f"({shown}{more}); exactly two are expected, such as 0 and 1, or yes and no"
        )
    bad = _bad(counts, positive, table, name)
    [good] = [value for value in counts if value != bad]
    if len(rows) < len(values):
        gone = len(values) - len(rows)
        table.note("label_missing", f"{gone:,} 行没有标签,已剔除。",
                   f"{gone:,} rows have no label.", column=name,
                   severity=Severity.LEFT_OUT)  # fmt: skip
    least = min(counts.values())
    if len(rows) < LEAST_ROWS or least < LEAST_OF_EACH:
        raise Refused(
            f"too few rows: {len(rows)} with a label, {least} of them of the rarer value; at least "
            f"{LEAST_ROWS} and {LEAST_OF_EACH} are needed"
        )
    truth = np.array([values[i] == bad for i in rows], dtype=np.bool_)
    if (share := float(truth.mean())) < 0.05 or share > 0.95:
        table.note("imbalance", f"类别不平衡:坏样本占 {share:.2%}。",
                   f"The classes are out of balance: {share:.2%} are bad.",
                   column=name)  # fmt: skip
    return Label(name, rows, truth, bad, good)


def _column(table: Table, wanted: str) -> str:
    if f"{wanted}.2" in table.columns:
        raise Refused(f"the table has more than one column {wanted}: which is the label?")
    if wanted in table.columns:
        return wanted
    alike = [
        name for name in table.columns if name.casefold() == " ".join(wanted.split()).casefold()
    ]
    if len(alike) == 1:
        return alike[0]
    names = list(table.columns)
    shown = ", ".join(names[:12]) + (f", and {len(names) - 12} more" if len(names) > 12 else "")
    raise Refused(f"the table has no column {wanted}; it has {shown}")


def _plain(value: str) -> str:
    """1.0 is 1: tools write a column of whole numbers either way."""
    head, dot, tail = value.partition(".")
    return head if dot and tail and not tail.strip("0") and head.lstrip("+-").isdigit() else value


def _bad(counts: Counter[str], positive: str | None, table: Table, name: str) -> str:
    if positive is not None:
        wanted = _plain(positive.strip())
        alike = [v for v in counts if v == wanted] or [
            v for v in counts if v.casefold() == wanted.casefold()
        ]
        if len(alike) != 1:
            raise Refused(f"the label {name} has no value {positive}; it has {_or(counts)}")
        return alike[0]
    known = [value for value in counts if value.casefold().rstrip(".") in _BAD]
    other = [value for value in counts if value.casefold().rstrip(".") in _GOOD]
    if len(known) == 1 and len(other) == 1:
        bad = known[0]
    else:
        bad = min(counts, key=lambda value: (counts[value], value))
    if set(counts) != {"0", "1"}:
        share = counts[bad] / counts.total()
        table.note("label_values", f"标签不是 0/1:以“{bad}”为坏样本({share:.1%})。"
                   "若应相反,请用 POSITIVE= 指定。",
                   f"The label is not 0 and 1: {bad} was taken as the bad one ({share:.1%}); "
                   "POSITIVE= says otherwise.", column=name, severity=Severity.CHANGED)  # fmt: skip
    return bad


def _or(counts: Counter[str]) -> str:
    return " and ".join(sorted(counts))
