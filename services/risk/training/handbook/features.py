"""What is known of a card payment at its moment: the handbook's features, and ours beside them.

A fraud at a terminal is known `DELAY_DAYS` after it happened, when the customer has complained:
before that its label does not exist. Windows are (t - span, t], with the payment itself in them.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from services.risk.training.handbook.simulator import DAY_S, FIRST_WEEKDAY, Payments

DELAY_DAYS = 7
SPANS = (1, 7, 30)
NIGHT_ENDS = 6

Columns = Mapping[str, NDArray[np.float64]]


class Rolling:
    """Sums over the payments of each key within any window. `keys` are small integers.

    It works in its own order, by key and time, where neighbours are near in memory too.
    """

    def __init__(self, keys: NDArray[np.int64], time_s: NDArray[np.int64]) -> None:
        scale = int(time_s.max(initial=0)) + 400 * DAY_S
        moments = keys * scale + time_s
        self._order = np.argsort(moments, kind="stable")
        self._moments = moments[self._order]
        self._first = np.searchsorted(self._moments, self._moments // scale * scale)
        self._back = np.empty_like(self._order)
        self._back[self._order] = np.arange(len(keys))

    def upto(self, back_s: int) -> NDArray[np.int64]:
        """For each payment, the end of the rows of its key that are at least `back_s` older."""
        found = np.searchsorted(self._moments, self._moments - back_s, side="right")
        return np.maximum(found, self._first)[self._back]

    def total(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Running totals with a zero before them: `total[end] - total[start]` is a window's sum."""
        return np.concatenate([[0.0], np.cumsum(values[self._order])])


def standard(payments: Payments) -> Columns:
    """The fifteen features of the handbook's chapter 3."""
    found: dict[str, NDArray[np.float64]] = {
        "amount": payments.amount,
        "is_weekend": ((payments.day + FIRST_WEEKDAY) % 7 >= 5).astype(np.float64),
        "is_night": (payments.time_s % DAY_S // 3600 <= NIGHT_ENDS).astype(np.float64),
    }
    of_customer = Rolling(payments.customer, payments.time_s)
    now, paid = of_customer.upto(0), of_customer.total(payments.amount)
    for span in SPANS:
        start = of_customer.upto(span * DAY_S)
        found[f"customer_count_{span}d"] = (now - start).astype(np.float64)
        found[f"customer_mean_{span}d"] = (paid[now] - paid[start]) / (now - start)
    at_terminal = Rolling(payments.terminal, payments.time_s)
    fraud = at_terminal.total(payments.is_fraud.astype(np.float64))
    known = at_terminal.upto(DELAY_DAYS * DAY_S)
    for span in SPANS:
        start = at_terminal.upto((DELAY_DAYS + span) * DAY_S)
        count = (known - start).astype(np.float64)
        found[f"terminal_count_{span}d"] = count
        found[f"terminal_risk_{span}d"] = _share(fraud[known] - fraud[start], count, 0.0)
    return found


def ours(payments: Payments, base: Columns) -> Columns:
    """The handbook's features and those that compare a payment with what is usual."""
    found = dict(base)
    of_customer = Rolling(payments.customer, payments.time_s)
    now, paid = of_customer.upto(0), of_customer.total(payments.amount)
    squares = of_customer.total(payments.amount**2)
    for span in (7, 14, 30, 90):
        start = of_customer.upto(span * DAY_S)
        others = (now - start - 1).astype(np.float64)
        mean = _share(paid[now] - paid[start] - payments.amount, others, np.nan)
        found[f"amount_to_mean_{span}d"] = payments.amount / mean
        if span >= 30:
            spread = _share(squares[now] - squares[start] - payments.amount**2, others, np.nan)
            spread = np.sqrt(np.maximum(spread - mean**2, 1.0))
            found[f"amount_above_mean_{span}d"] = (payments.amount - mean) / spread
    start = of_customer.upto(30 * DAY_S)
    day = paid[now] - paid[of_customer.upto(DAY_S)]
    found["customer_share_1d"] = payments.amount / np.maximum(day, 0.01)
    found["customer_pace"] = (now - of_customer.upto(7 * DAY_S)) / (now - start)
    at_terminal = Rolling(payments.terminal, payments.time_s)
    fraud = at_terminal.total(payments.is_fraud.astype(np.float64))
    seen = at_terminal.upto(0)
    known = at_terminal.upto(DELAY_DAYS * DAY_S)
    for span in (3, 14, 21):
        start = at_terminal.upto((DELAY_DAYS + span) * DAY_S)
        found[f"terminal_frauds_{span}d"] = fraud[known] - fraud[start]
        found[f"terminal_risk_{span}d"] = _share(
            fraud[known] - fraud[start], (known - start).astype(np.float64), 0.0
        )
    found["terminal_unlabelled"] = (seen - known).astype(np.float64)
    return found


def _share(
    part: NDArray[np.float64], whole: NDArray[np.float64], otherwise: float
) -> NDArray[np.float64]:
    """Part / whole, and `otherwise` where whole is 0."""
    return np.where(whole > 0, part / np.maximum(whole, 1.0), otherwise)


def matrix(columns: Columns) -> NDArray[np.float32]:
    """The columns side by side, in 32 bits as a model is served."""
    names = list(columns)
    found = np.empty((len(columns[names[0]]), len(names)), dtype=np.float32)
    for place, name in enumerate(names):
        found[:, place] = columns[name]
    return found
