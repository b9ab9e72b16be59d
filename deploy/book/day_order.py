"""Finds the order in which the entries of one account and day were booked.

The source recorded a balance after each entry but not the order within a day. Entry j can
follow entry i if the balance recorded after i, plus the amount of j, is the balance recorded
after j, within the rounding tolerance. An order of the whole day is then a path that visits
every entry once. Small days are searched exactly; large days are solved as a matching of
balances before and after whose cycles are then joined, as in an Eulerian path.
"""

import random
from collections.abc import Sequence
from typing import NamedTuple

EXACT_LIMIT = 9  # entries a day up to which every order is considered
END_LIMIT = 32  # how many closing balances are tried for a larger day
PASSES = 16
SHUFFLES = 8
WINDOW = 64


class Move(NamedTuple):
    """One entry: what it adds and the balance recorded after it, both in minor units."""

    amount_minor: int
    after_minor: int

    @property
    def before_minor(self) -> int:
        """The balance before it, were nothing rounded."""
        return self.after_minor - self.amount_minor


class Cost(NamedTuple):
    """What an order leaves open; smaller is better, from the left."""

    breaks: int  # steps that differ by more than the tolerance
    rounded_minor: int  # sum of the differences within the tolerance
    broken_minor: int  # sum of the differences beyond it

    def plus(self, other: "Cost") -> "Cost":
        """Both together."""
        return Cost(
            self.breaks + other.breaks,
            self.rounded_minor + other.rounded_minor,
            self.broken_minor + other.broken_minor,
        )


NOTHING = Cost(0, 0, 0)


class Way(NamedTuple):
    """An order of a day, as positions in the day's list."""

    cost: Cost
    order: tuple[int, ...]


def step_cost(before_minor: int, move: Move, tolerance_minor: int) -> Cost:
    """What it costs to book `move` on a balance of `before_minor`."""
    difference = abs(move.before_minor - before_minor)
    if difference <= tolerance_minor:
        return Cost(0, difference, 0)
    return Cost(1, 0, difference)


def order_cost(
    start_minor: int, moves: Sequence[Move], order: Sequence[int], tolerance_minor: int
) -> Cost:
    """What it costs to book a whole day in this order."""
    cost, before = NOTHING, start_minor
    for j in order:
        cost = cost.plus(step_cost(before, moves[j], tolerance_minor))
        before = moves[j].after_minor
    return cost


def day_ways(start_minor: int, moves: Sequence[Move], tolerance_minor: int) -> dict[int, Way]:
    """The best order of a day for each balance that it can close with.

    Orders without a break win over all others: those appear only if there is none.
    """
    if len(moves) == 1:
        cost = step_cost(start_minor, moves[0], tolerance_minor)
        return {moves[0].after_minor: Way(cost, (0,))}
    if len(moves) <= EXACT_LIMIT:
        ways = _search(start_minor, moves, tolerance_minor, breaks=False)
        return ways or _search(start_minor, moves, tolerance_minor, breaks=True)
    return _match(start_minor, moves, tolerance_minor)


def _search(
    start_minor: int, moves: Sequence[Move], tolerance_minor: int, *, breaks: bool
) -> dict[int, Way]:
    """Every order, as a table of (entries booked, last one): 2^n · n states at most."""
    table: dict[tuple[int, int], Way] = {}
    for j, move in enumerate(moves):
        cost = step_cost(start_minor, move, tolerance_minor)
        if breaks or not cost.breaks:
            table[1 << j, j] = Way(cost, (j,))
    for _ in range(len(moves) - 1):
        longer: dict[tuple[int, int], Way] = {}
        for (booked, last), way in table.items():
            for j, move in enumerate(moves):
                if booked >> j & 1:
                    continue
                step = step_cost(moves[last].after_minor, move, tolerance_minor)
                if step.breaks and not breaks:
                    continue
                better = Way(way.cost.plus(step), (*way.order, j))
                state = (booked | 1 << j, j)
                if state not in longer or better < longer[state]:
                    longer[state] = better
        table = longer
    ends: dict[int, Way] = {}
    for (_, last), way in table.items():
        _keep_best(ends, moves[last].after_minor, way)
    return ends


def _keep_best(ends: dict[int, Way], end_minor: int, way: Way) -> None:
    if end_minor not in ends or way < ends[end_minor]:
        ends[end_minor] = way


def _match(start_minor: int, moves: Sequence[Move], tolerance_minor: int) -> dict[int, Way]:
    """Ways through a large day: one for each likely closing balance."""
    guess = start_minor + sum(move.amount_minor for move in moves)
    recorded = sorted({move.after_minor for move in moves}, key=lambda end: (abs(end - guess), end))
    reach = len(moves) * tolerance_minor
    likely = [end for end in recorded if abs(end - guess) <= reach][:END_LIMIT] or recorded[:1]
    ends: dict[int, Way] = {}
    fewest = len(moves)
    for end in likely:
        for shuffle in range(SHUFFLES):
            cycles = _Cycles(start_minor, moves, tolerance_minor, end)
            unavoidable = cycles.breaks()
            if unavoidable > fewest:
                break  # the day cannot close with this balance
            order = cycles.joined(shuffle)
            cost = order_cost(start_minor, moves, order, tolerance_minor)
            _keep_best(ends, moves[order[-1]].after_minor, Way(cost, order))
            fewest = min(fewest, cost.breaks)
            if cost.breaks <= unavoidable:
                break
    return {end: way for end, way in ends.items() if way.cost.breaks == fewest}


class _Cycles:
    """The day as a permutation: which entry follows which, and which cycles that makes.

    Place n stands for both the start (its balance after) and the end (its balance before), so
    that an order of the day is one cycle through all n + 1 places.
    """

    def __init__(
        self, start_minor: int, moves: Sequence[Move], tolerance_minor: int, end_minor: int
    ) -> None:
        self._tolerance = tolerance_minor
        self._after = [move.after_minor for move in moves] + [start_minor]
        self._before = [move.before_minor for move in moves] + [end_minor]
        self._end = len(moves)
        self._next = self._matched()
        self._root: list[int] = []

    def _places(self) -> list[int]:
        return sorted(range(len(self._after)), key=lambda i: (self._after[i], i))

    def _matched(self) -> list[int]:
        """Matches balances after to balances before, in sorted order, as many as will fit."""
        following = [-1] * len(self._after)
        last = self._after.index(self._before[self._end])
        following[last] = self._end
        afters = [i for i in self._places() if i != last]
        befores = sorted(range(self._end), key=lambda j: (self._before[j], j))
        loose_afters: list[int] = []
        loose_befores: list[int] = []
        a = b = 0
        while a < len(afters) and b < len(befores):
            gap = self._before[befores[b]] - self._after[afters[a]]
            if abs(gap) <= self._tolerance:
                following[afters[a]] = befores[b]
                a, b = a + 1, b + 1
            elif gap > 0:
                loose_afters.append(afters[a])
                a += 1
            else:
                loose_befores.append(befores[b])
                b += 1
        loose_afters += afters[a:]
        loose_befores += befores[b:]
        for i, j in zip(loose_afters, loose_befores, strict=True):
            following[i] = j
        return following

    def _find(self, place: int) -> int:
        while self._root[place] != place:
            self._root[place] = self._root[self._root[place]]
            place = self._root[place]
        return place

    def _fits(self, place: int, following: int) -> bool:
        gap = abs(self._before[following] - self._after[place])
        return gap <= (self._tolerance if following < self._end else 0)

    def _swap_breaks(self, i: int, k: int) -> int:
        """How many more steps break if i and k exchange what follows them."""
        now = self._fits(i, self._next[i]) + self._fits(k, self._next[k])
        return now - self._fits(i, self._next[k]) - self._fits(k, self._next[i])

    def breaks(self) -> int:
        """How many steps do not fit, at least, whatever the order."""
        return sum(not self._fits(i, j) for i, j in enumerate(self._next))

    def _shuffle(self, seed: int) -> None:
        """Swaps followers where that breaks nothing: another start for the joining."""
        rng = random.Random(seed)
        count = len(self._next)
        for i in (rng.getrandbits(32) % count for _ in range(4 * count)):
            k = rng.getrandbits(32) % count
            if self._swap_breaks(i, k) <= 0:
                self._next[i], self._next[k] = self._next[k], self._next[i]

    def joined(self, shuffle: int) -> tuple[int, ...]:
        """The order of the day after joining all cycles, first without any further break."""
        if shuffle:
            self._shuffle(shuffle)
        self._root = list(range(len(self._next)))
        for place, following in enumerate(self._next):
            self._root[self._find(place)] = self._find(following)
        places = self._places()
        for allowed in (0, 1, 2):
            for _ in range(PASSES):
                if not self._join_pass(places, allowed):
                    break
        order: list[int] = []
        place = self._next[self._end]
        while place != self._end:
            order.append(place)
            place = self._next[place]
        return tuple(order)

    def _join_pass(self, places: list[int], allowed_breaks: int) -> bool:
        """Joins neighboring cycles that a swap of followers can join; whether it did."""
        changed = False
        for at, i in enumerate(places):
            for k in places[at + 1 : at + 1 + WINDOW]:
                apart = self._find(i) != self._find(k)
                if apart and self._swap_breaks(i, k) <= allowed_breaks:
                    self._next[i], self._next[k] = self._next[k], self._next[i]
                    self._root[self._find(i)] = self._find(k)
                    changed = True
        return changed
