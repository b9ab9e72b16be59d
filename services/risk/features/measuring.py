"""The windows of one process and what they show of a payment, by the table of definitions.

Training and serving compute features by this one module, so that they cannot differ. A value
never looks past the time of the payment it belongs to: payments may arrive in any order.
"""

import math
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from operator import attrgetter

from services.risk.features.definitions import (
    FIELDS,
    HOUR_MS,
    MEASURES,
    SECOND_MS,
    SMALL_MINOR,
    SPANS,
    SPANS_MS,
    Entity,
    Measure,
)
from services.risk.windows import (
    DAY_MS,
    MASK,
    Layout,
    Limits,
    Order,
    SeenPayment,
    Window,
    mark_of,
    order_of,
)

#: The bank's own clock for "at night": UTC+8, which knows no daylight saving.
LOCAL_OFFSET_MS = 8 * HOUR_MS
MISSING = math.nan

ENTITIES: tuple[Entity, ...] = tuple(FIELDS)
FIELD_PLACES: dict[str, int] = {entity: place for place, entity in enumerate(ENTITIES)}
_CUSTOMER, _PAYEE = ENTITIES.index("customer"), ENTITIES.index("payee")
_KEYS = attrgetter(*FIELDS.values())


class CustomerWindow(Window):
    """A customer's window and when each payee was first paid."""

    __slots__ = ("payees",)

    def __init__(self, layout: Layout, mark: int = 0) -> None:
        super().__init__(layout, mark)
        self.payees: dict[str, Order] = {}

    def pay(self, payee_id: str, order: Order, *, limit: int) -> None:
        known = self.payees.pop(payee_id, None)
        self.payees[payee_id] = order if known is None or order < known else known
        if len(self.payees) > limit:
            del self.payees[next(iter(self.payees))]


@dataclass(frozen=True, slots=True)
class Plan:
    """How the rows of one entity are computed: a name and what it takes, by kind of measure.

    `spans_ms` are the spans in which it is counted and summed; an index into it stands for the
    span. `names` are those of the counts, the sums, the mean over the longest span, the seconds
    since the payment before and since the first, in that order.
    """

    spans_ms: tuple[int, ...]
    names: tuple[str, ...]
    logs: tuple[tuple[str, int], ...]
    small: tuple[tuple[str, int], ...]
    distinct: tuple[tuple[str, int, int, int], ...]
    since_log: str
    missing: dict[str, float]
    #: Which marks of a payment's entities go into the window's rows.
    others: tuple[int, ...]


def _rows(entity: Entity, *kinds: str) -> list[Measure]:
    return [row for row in MEASURES if row.entity == entity and row.kind in kinds]


def layout_of(entity: Entity, limits: Limits) -> Layout:
    """What a window of this kind has to hold for the rows that the table has of it."""
    others = {row.field: None for row in _rows(entity, "distinct") if row.field}
    longest = max(row.span_ms for row in MEASURES if row.entity == entity)
    return Layout(
        size=limits.entries,
        horizon_ms=longest + limits.lateness_ms,
        counts_small=bool(_rows(entity, "small")),
        others=tuple(others),
    )


def _plan(entity: Entity, layout: Layout) -> Plan:
    spans = tuple(SPANS_MS[span] for span in SPANS[entity])

    def rows(kind: str) -> tuple[tuple[str, int], ...]:
        return tuple((row.name, spans.index(row.span_ms)) for row in _rows(entity, kind))

    return Plan(
        spans_ms=spans,
        names=tuple(
            row.name
            for kind in ("count", "sum", "mean", "since", "age")
            for row in _rows(entity, kind)
        ),
        logs=rows("sum_log"),
        small=rows("small"),
        distinct=tuple(
            (row.name, layout.column(str(row.field)), spans.index(row.span_ms), row.span_ms)
            for row in _rows(entity, "distinct")
        ),
        since_log=next((row.name for row in _rows(entity, "since_log")), ""),
        missing={row.name: MISSING for row in MEASURES if row.entity == entity},
        others=tuple(FIELD_PLACES[other] for other in layout.others),
    )


class Windows:
    """All windows of one process, one set for each kind of entity.

    Past `limits.keys` keys of a kind the one that was touched longest ago is forgotten. A
    payment without an entity (the partner told no device) has no values of that entity.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.layouts = tuple(layout_of(entity, self.limits) for entity in ENTITIES)
        self.kept: tuple[OrderedDict[str, Window], ...] = tuple(OrderedDict() for _ in ENTITIES)
        self._plans = tuple(
            _plan(entity, layout) for entity, layout in zip(ENTITIES, self.layouts, strict=True)
        )
        self._puts = tuple(
            (place, plan.others, layout.counts_small)
            for place, (plan, layout) in enumerate(zip(self._plans, self.layouts, strict=True))
        )

    def observe(self, payment: SeenPayment) -> None:
        """Counts a payment once, whether it comes from a decision, from the bus or from both.

        The same payment is the same id at the same time.
        """
        self._take(payment)

    def measure(self, payment: SeenPayment) -> dict[str, float]:
        """Counts the payment in and returns its features by name; NaN where one is missing."""
        found, mark = self._take(payment)
        customer, payee = found[_CUSTOMER], found[_PAYEE]
        if not isinstance(customer, CustomerWindow) or payee is None:
            raise TypeError("a payment has a customer and a payee")
        values = _payee_features(payment, customer, payee, mark)
        for plan, window in zip(self._plans, found, strict=True):
            if window is None:
                values |= plan.missing
            else:
                _measured(values, plan, window, payment.at_ms, mark)
        values |= _amount_features(payment, customer, mark, values)
        return values

    def size(self) -> dict[str, int]:
        """How many keys of each kind are held."""
        return {entity: len(kept) for entity, kept in zip(ENTITIES, self.kept, strict=True)}

    def clear(self) -> None:
        for kept in self.kept:
            kept.clear()

    def window(self, entity: Entity, key: str) -> Window | None:
        return self.kept[ENTITIES.index(entity)].get(key)

    def _take(self, payment: SeenPayment) -> tuple[list[Window | None], int]:
        """The windows of the payment's entities with the payment in them, and its mark."""
        mark = mark_of(payment.payment_id)
        at_ms, value = payment.at_ms, payment.value_minor or 0
        small = payment.value_minor is not None and payment.value_minor < SMALL_MINOR
        found: list[Window | None] = []
        for place, (key, kept) in enumerate(zip(_KEYS(payment), self.kept, strict=True)):
            window = None
            if key is not None:
                window = kept.get(key)
                if window is None:
                    window = self._new(place, key)
                else:
                    kept.move_to_end(key)
            found.append(window)
        marks = [0 if window is None else window.mark for window in found]
        for place, others, _ in self._puts:
            window = found[place]
            if window is None:
                continue
            row = [marks[other] for other in others]
            is_new = window.add(at_ms, mark, value, small, row)
            if is_new and place == _CUSTOMER and isinstance(window, CustomerWindow):
                window.pay(payment.payee_id, order_of(at_ms, mark), limit=self.limits.payees)
        return found, mark

    def _new(self, place: int, key: str) -> Window:
        kept = self.kept[place]
        kind = CustomerWindow if place == _CUSTOMER else Window
        window = kept[key] = kind(self.layouts[place], mark_of(key))
        if len(kept) > self.limits.keys:
            kept.popitem(last=False)
        return window


def _measured(values: dict[str, float], plan: Plan, window: Window, at_ms: int, mark: int) -> None:
    """Adds the rows of one entity.

    Everything is in one place here, since a decision waits for it and calls would cost more.
    """
    times, facts, stride = window.times, window.facts, window.layout.stride
    end = len(times) if times and times[-1] <= at_ms else window.end(at_ms)
    total = window.total if end == len(times) else facts[end * stride]
    starts: list[int] = []
    start = end
    for span_ms in reversed(plan.spans_ms):
        start = bisect_right(times, at_ms - span_ms, 0 if not starts else start, end)
        starts.append(start)
    starts.reverse()
    row: list[float] = [end - start for start in starts]
    paid = [(total - facts[start * stride]) & MASK if start < end else 0 for start in starts]
    row += paid
    count, most = end - starts[-1], paid[-1]
    row.append((2 * most + count) // (2 * count) if count else MISSING)
    place = end - 1
    if place >= 0 and facts[place * stride + 1] == mark:
        place -= 1
    since_ms = at_ms - times[place] if place >= starts[-1] else None
    row.append(MISSING if since_ms is None else since_ms // SECOND_MS)
    first_ms = at_ms if window.first is None else window.first >> 64
    row.append((at_ms - first_ms) // SECOND_MS if first_ms < at_ms else 0)
    values.update(zip(plan.names, row, strict=True))
    for name, i in plan.logs:
        values[name] = math.log1p(paid[i] / 100)
    for name, i in plan.small:
        values[name] = window.small_ones(starts[i], end)
    for name, column, i, span_ms in plan.distinct:
        values[name] = window.distinct(column, starts[i], end, span_ms)
    if plan.since_log:
        values[plan.since_log] = MISSING if since_ms is None else math.log1p(since_ms / SECOND_MS)


def _yuan_log(value_minor: int) -> float:
    """log(1 + yuan): raw fen would lose digits in the model's 32-bit inputs."""
    return math.log1p(value_minor / 100)


def _log_ratio(part: float, whole: float) -> float:
    return math.log(part / whole) if part > 0 and whole > 0 else MISSING


def _amount_features(
    payment: SeenPayment, window: Window, mark: int, measured: Mapping[str, float]
) -> dict[str, float]:
    """`measured` are the rows of the payment's entities."""
    angle = 2 * math.pi * ((payment.at_ms + LOCAL_OFFSET_MS) % DAY_MS) / DAY_MS
    hours = {"hour_sin": math.sin(angle), "hour_cos": math.cos(angle)}
    value = payment.value_minor
    if value is None:
        names = ("amount_log", "amount_to_mean_log", "amount_share_24h", "day_share_of_week")
        return hours | dict.fromkeys(names, MISSING)
    others, paid = measured["customer_count_30d"], measured["customer_sum_minor_30d"]
    day, week = measured["customer_sum_minor_24h"], measured["customer_sum_minor_7d"]
    if window.holds(payment.at_ms, mark):
        others, paid = others - 1, paid - value
    else:  # too late for a full window, which then does not hold it
        day, week = day + value, week + value
    return hours | {
        "amount_log": _yuan_log(value),
        "amount_to_mean_log": _log_ratio(value * others, paid),
        "amount_share_24h": value / day if day > 0 else MISSING,
        "day_share_of_week": day / week if week > 0 else MISSING,
    }


def _age_log_h(payment: SeenPayment, first: Order | None) -> float:
    if first is None:
        return 0.0
    return math.log1p(max(payment.at_ms - (first >> 64), 0) / HOUR_MS)


def _payee_features(
    payment: SeenPayment, customer: CustomerWindow, payee: Window, mark: int
) -> dict[str, float]:
    first = customer.payees.get(payment.payee_id)
    # the earliest payment to this payee is this one: nothing came before it
    is_new = first is None or first >= order_of(payment.at_ms, mark)
    return {
        "payee_new": float(is_new),
        "payee_known_log_h": _age_log_h(payment, first),
        "payee_age_log_h": _age_log_h(payment, payee.first),
    }
