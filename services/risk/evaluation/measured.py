"""All measures of one model, and all of one beside another."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.risk.evaluation.calibration import Calibration, brier, calibration
from services.risk.evaluation.decisions import EqualApproval, equal_approval
from services.risk.evaluation.discrimination import (
    auc,
    auc_difference,
    average_precision,
    average_precision_of,
    checked,
    ks_of,
    steps,
)
from services.risk.evaluation.intervals import ROUNDS, SEED, Interval, resampled
from services.risk.evaluation.stability import score_psi


@dataclass(frozen=True, slots=True)
class Measured:
    """One model over n labelled rows."""

    rows: int
    bad: int
    auc: Interval
    ks: Interval
    average_precision: Interval
    brier: Interval
    calibration: Calibration


@dataclass(frozen=True, slots=True)
class Compared:
    """A challenger beside the champion over the same rows; differences are challenger - champion.

    `psi` is how far its scores are spread otherwise than the champion's.
    """

    auc: Interval
    average_precision: Interval
    brier: Interval
    psi: float
    equal_approval: EqualApproval


def measured(
    truth: NDArray[np.bool_],
    scores: NDArray[np.float64],
    *,
    seed: int = SEED,
    rounds: int = ROUNDS,
) -> Measured:
    """NotMeasurable unless there are both classes and a finite score for each row."""
    checked(truth, scores)
    # in order of the scores, what is drawn from them needs no sorting again
    order = np.argsort(-scores, kind="stable")
    truth, scores = truth[order], scores[order]

    def statistic(rows: NDArray[np.intp]) -> dict[str, float]:
        bad, found = truth[rows], scores[rows]
        parted = steps(bad, found)
        return {
            "ks": ks_of(parted),
            "average_precision": average_precision_of(parted),
            "brier": brier(bad, found),
        }

    found = resampled(truth, statistic, seed=seed, rounds=rounds)
    return Measured(
        rows=len(truth),
        bad=int(truth.sum()),
        auc=auc(truth, scores),
        ks=found["ks"],
        average_precision=found["average_precision"],
        brier=found["brier"],
        calibration=calibration(truth, scores),
    )


def compared(
    truth: NDArray[np.bool_],
    champion: NDArray[np.float64],
    challenger: NDArray[np.float64],
    *,
    share: float,
    gain: float | NDArray[np.float64] = 1.0,
    loss: float | NDArray[np.float64] = 5.0,
    seed: int = SEED,
    rounds: int = ROUNDS,
) -> Compared:
    """At an equal approval of `share`; `gain` and `loss` as of `profit`. NotMeasurable as above."""

    def statistic(rows: NDArray[np.intp]) -> dict[str, float]:
        bad = truth[rows]
        ours, theirs = champion[rows], challenger[rows]
        return {
            "average_precision": average_precision(bad, theirs) - average_precision(bad, ours),
            "brier": brier(bad, theirs) - brier(bad, ours),
        }

    by = auc_difference(truth, challenger, champion)
    found = resampled(truth, statistic, seed=seed, rounds=rounds)
    return Compared(
        auc=by,
        average_precision=found["average_precision"],
        brier=found["brier"],
        psi=score_psi(champion, challenger),
        equal_approval=equal_approval(
            truth,
            champion,
            challenger,
            share=share,
            gain=gain,
            loss=loss,
            seed=seed,
            rounds=rounds,
        ),
    )
