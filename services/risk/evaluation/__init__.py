"""How good a model is, how sure that is, and what would change by it: arrays in, dataclasses out.

Throughout: `truth` is a boolean array of n, true where it went bad (a default, a fraud, a customer
who left). `scores` are n probabilities of that, higher is worse. What is random takes a seed, so
that the same call gives the same figures. Needs numpy and no library that trains: serving, training
and the operator's programs import it.
"""

from services.risk.evaluation.calibration import Calibration, brier, calibration
from services.risk.evaluation.decisions import (
    EqualApproval,
    Swap,
    approved_share,
    bad_rate,
    equal_approval,
    profit,
    swap_sets,
)
from services.risk.evaluation.discrimination import (
    auc,
    auc_difference,
    average_precision,
    ks,
    precision_recall,
    roc_auc,
    threshold_for,
)
from services.risk.evaluation.fairness import Group, fairness
from services.risk.evaluation.intervals import (
    Interval,
    NotMeasurable,
    middle_of,
    resampled,
    share_of,
)
from services.risk.evaluation.measured import Compared, Measured, compared, measured
from services.risk.evaluation.stability import score_psi

__all__ = [
    "Calibration",
    "Compared",
    "EqualApproval",
    "Group",
    "Interval",
    "Measured",
    "NotMeasurable",
    "Swap",
    "approved_share",
    "auc",
    "auc_difference",
    "average_precision",
    "bad_rate",
    "brier",
    "calibration",
    "compared",
    "equal_approval",
    "fairness",
    "ks",
    "measured",
    "middle_of",
    "precision_recall",
    "profit",
    "resampled",
    "roc_auc",
    "score_psi",
    "share_of",
    "swap_sets",
    "threshold_for",
]
