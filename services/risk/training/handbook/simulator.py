"""Customers, terminals and half a year of card payments, robbed in three ways. Pure, seeded.

Written from the prose of the handbook's chapter 3: a customer has a home, a usual amount and a
usual number of payments a day, and pays at terminals within reach. Fraud is

1. every amount above 220, so that there is something that nobody can miss;
2. every payment at a terminal in the 28 days after it was compromised, two terminals a day;
3. a third of a customer's payments in the 14 days after its card's data leaked, three customers
   a day, at five times the amount.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DAY_S = 86_400
#: Homes and terminals lie in a square of this side; who is within REACH may be paid.
SIDE, REACH = 100.0, 5.0
#: Day 0 is a Sunday, as 1 April 2018 was.
FIRST_WEEKDAY = 6

AMOUNT_OF_FRAUD = 220.0
TERMINALS_A_DAY, TERMINAL_DAYS = 2, 28
CUSTOMERS_A_DAY, CUSTOMER_DAYS = 3, 14
STOLEN_SHARE, STOLEN_TIMES = 1 / 3, 5.0


@dataclass(frozen=True, slots=True)
class World:
    """How large the simulation is; the defaults are the handbook's."""

    customers: int = 5_000
    terminals: int = 10_000
    days: int = 183


@dataclass(frozen=True, slots=True)
class Payments:
    """Columns of n payments in order of time. `time_s` counts from midnight of day 0.

    `scenario` is 0 for an honest payment, else the way of the fraud, 1 to 3.
    """

    time_s: NDArray[np.int64]
    customer: NDArray[np.int64]
    terminal: NDArray[np.int64]
    amount: NDArray[np.float64]
    scenario: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.time_s)

    @property
    def day(self) -> NDArray[np.int64]:
        return self.time_s // DAY_S

    @property
    def is_fraud(self) -> NDArray[np.bool_]:
        return self.scenario > 0

    def until(self, time_s: int) -> "Payments":
        """Those before a time."""
        end = int(np.searchsorted(self.time_s, time_s))
        return Payments(
            self.time_s[:end],
            self.customer[:end],
            self.terminal[:end],
            self.amount[:end],
            self.scenario[:end],
        )


def simulate(*, seed: int, world: World | None = None) -> Payments:
    """The whole history in order of time; the same seed and world give the same arrays."""
    world = world or World()
    draw = np.random.default_rng(seed)
    homes = draw.uniform(0, SIDE, (world.customers, 2))
    usual = draw.uniform(5, 100, world.customers)
    a_day = draw.uniform(0, 4, world.customers)
    places = draw.uniform(0, SIDE, (world.terminals, 2))
    starts, within = _reachable(homes, places)

    counts = draw.poisson(a_day[:, None], (world.customers, world.days))
    counts[starts[1:] == starts[:-1]] = 0  # who reaches no terminal pays nowhere
    customer = np.repeat(np.arange(world.customers), counts.sum(axis=1))
    day = np.repeat(np.tile(np.arange(world.days), world.customers), counts.ravel())
    # around noon; what falls out of its day is not made
    second = draw.normal(DAY_S / 2, 20_000, len(day)).astype(np.int64)
    amount = draw.normal(usual[customer], usual[customer] / 2)
    amount = np.where(amount < 0, draw.uniform(0, 2 * usual[customer]), amount)
    reach = starts[customer + 1] - starts[customer]
    terminal = within[starts[customer] + (draw.random(len(day)) * reach).astype(np.int64)]

    made = (second > 0) & (second < DAY_S)
    time_s = day[made] * DAY_S + second[made]
    order = np.argsort(time_s, kind="stable")
    honest = Payments(
        time_s=time_s[order],
        customer=customer[made][order],
        terminal=terminal[made][order],
        amount=np.round(amount[made][order], 2),
        scenario=np.zeros(len(order), dtype=np.int8),
    )
    return _robbed(honest, world, draw)


def _reachable(
    homes: NDArray[np.float64], places: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Terminals of customer i are `within[starts[i]:starts[i + 1]]`."""
    found = [
        np.flatnonzero(((places - home) ** 2).sum(axis=1) < REACH**2).astype(np.int64)
        for home in homes
    ]
    starts = np.concatenate([[0], np.cumsum([len(one) for one in found])]).astype(np.int64)
    return starts, np.concatenate(found)


def _robbed(honest: Payments, world: World, draw: np.random.Generator) -> Payments:
    """The history with the fraud in it. Where two ways meet, the later one has the payment."""
    amount, scenario, day = honest.amount.copy(), honest.scenario.copy(), honest.day
    scenario[amount > AMOUNT_OF_FRAUD] = 1
    at_terminal = np.zeros((world.terminals, world.days), dtype=np.bool_)
    of_customer = np.argsort(honest.customer, kind="stable")
    firsts = np.searchsorted(honest.customer[of_customer], np.arange(world.customers + 1))
    for start in range(world.days):
        chosen = draw.choice(world.terminals, TERMINALS_A_DAY, replace=False)
        at_terminal[chosen, start : start + TERMINAL_DAYS] = True
    scenario[at_terminal[honest.terminal, day]] = 2
    for start in range(world.days):
        for victim in draw.choice(world.customers, CUSTOMERS_A_DAY, replace=False):
            rows = of_customer[firsts[victim] : firsts[victim + 1]]
            rows = rows[(day[rows] >= start) & (day[rows] < start + CUSTOMER_DAYS)]
            stolen = draw.choice(rows, int(len(rows) * STOLEN_SHARE), replace=False)
            amount[stolen] = np.round(amount[stolen] * STOLEN_TIMES, 2)
            scenario[stolen] = 3
    return Payments(honest.time_s, honest.customer, honest.terminal, amount, scenario)
