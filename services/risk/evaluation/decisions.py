"""What is decided by scores: who is approved, who would change, and what that is worth."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.risk.evaluation.discrimination import checked
from services.risk.evaluation.intervals import ROUNDS, SEED, Interval, resampled, share_of


@dataclass(frozen=True, slots=True)
class Swap:
    """Rows with one outcome before and one after. `amount` is the sum over them, `bad` how many
    went bad; both are None where that is not known.
    """

    before: str
    after: str
    rows: int
    bad: int | None
    amount: float | None


@dataclass(frozen=True, slots=True)
class EqualApproval:
    """Two models that approve as many rows. `swapped_in` was declined by the champion."""

    share: float
    champion_bad_rate: Interval
    challenger_bad_rate: Interval
    difference: Interval
    profit_difference: Interval
    swapped_in: int
    swapped_in_bad: int
    swapped_out: int
    swapped_out_bad: int


def swap_sets(
    before: NDArray[np.str_],
    after: NDArray[np.str_],
    *,
    outcomes: Sequence[str] = ("approve", "review", "decline"),
    truth: NDArray[np.bool_] | None = None,
    amounts: NDArray[np.float64] | NDArray[np.int64] | None = None,
) -> list[Swap]:
    """One entry for each pair of `outcomes`, also those of no rows, in that order."""
    found = []
    for one in outcomes:
        for other in outcomes:
            rows = (before == one) & (after == other)
            found.append(
                Swap(
                    one,
                    other,
                    int(rows.sum()),
                    None if truth is None else int(truth[rows].sum()),
                    None if amounts is None else float(amounts[rows].sum()),
                )
            )
    return found


def approved_share(
    scores: NDArray[np.float64], share: float, *, seed: int = SEED
) -> NDArray[np.bool_]:
    """True for the `share` of rows that score lowest.

    Which of those that score alike are in is drawn with the seed, not taken by their order: a table
    may be sorted by what is to be found out.
    """
    count = round(share * len(scores))
    shuffled = np.random.default_rng(seed).permutation(len(scores))
    order = shuffled[np.argsort(scores[shuffled], kind="stable")]
    chosen = np.zeros(len(scores), dtype=np.bool_)
    chosen[order[:count]] = True
    return chosen


def bad_rate(truth: NDArray[np.bool_], approved: NDArray[np.bool_]) -> Interval:
    """The share of the approved that went bad; NotMeasurable where none is approved."""
    return share_of(int((truth & approved).sum()), int(approved.sum()))


def profit(
    truth: NDArray[np.bool_],
    approved: NDArray[np.bool_],
    *,
    gain: float | NDArray[np.float64],
    loss: float | NDArray[np.float64],
) -> float:
    """What the approved bring: `gain` for each that is good, minus `loss` for each that is bad.

    Both are a figure for every row or an array of n, in any one unit.
    """
    return float(np.sum(np.where(truth, -np.asarray(loss), np.asarray(gain))[approved]))


def equal_approval(
    truth: NDArray[np.bool_],
    champion: NDArray[np.float64],
    challenger: NDArray[np.float64],
    *,
    share: float,
    gain: float | NDArray[np.float64] = 1.0,
    loss: float | NDArray[np.float64] = 5.0,
    seed: int = SEED,
    rounds: int = ROUNDS,
) -> EqualApproval:
    """Bad rates where both approve `share` of the rows; differences are challenger - champion.

    Their intervals are of a bootstrap over rows in which each model keeps what it approved.
    """
    checked(truth, champion)
    checked(truth, challenger)
    ours, theirs = (approved_share(one, share, seed=seed) for one in (champion, challenger))
    worth = np.where(truth, -np.asarray(loss), np.asarray(gain)).astype(np.float64)

    def statistic(rows: NDArray[np.intp]) -> dict[str, float]:
        bad, one, other = truth[rows], ours[rows], theirs[rows]
        rates = [(bad & kept).sum() / max(int(kept.sum()), 1) for kept in (one, other)]
        value = worth[rows]
        return {
            "rate": float(rates[1] - rates[0]),
            "profit": float(value[other].sum() - value[one].sum()),
        }

    found = resampled(truth, statistic, seed=seed, rounds=rounds)
    came, went = theirs & ~ours, ours & ~theirs
    return EqualApproval(
        share=share,
        champion_bad_rate=bad_rate(truth, ours),
        challenger_bad_rate=bad_rate(truth, theirs),
        difference=found["rate"],
        profit_difference=found["profit"],
        swapped_in=int(came.sum()),
        swapped_in_bad=int((came & truth).sum()),
        swapped_out=int(went.sum()),
        swapped_out_bad=int((went & truth).sum()),
    )
