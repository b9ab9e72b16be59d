"""The windows of one process and what they show of a payment, by the table of definitions.

Training and serving compute features by this one module, so that they cannot differ. A value
never looks past the time of the payment it belongs to: payments may arrive in any order.
"""

import math
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter, itemgetter

from services.risk.features.compiled import Reading, reading, rows_of
from services.risk.features.definitions import FIELDS, HOUR_MS, SMALL_MINOR, Entity
from services.risk.windows import (
    DAY_MS,
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
    """How the rows of one entity are read, and what they are without the entity."""

    read: Reading
    #: Of the marks of a payment's entities those that go into the window's rows.
    others: Callable[[Sequence[int]], tuple[int, ...]]


def layout_of(entity: Entity, limits: Limits) -> Layout:
    """What a window of this kind has to hold for the rows that the table has of it."""
    others = {row.field: None for row in rows_of(entity, "distinct") if row.field}
    longest = max(row.span_ms for row in rows_of(entity))
    return Layout(
        size=limits.entries,
        horizon_ms=longest + limits.lateness_ms,
        counts_small=bool(rows_of(entity, "small")),
        others=tuple(others),
    )


def _plan(entity: Entity, layout: Layout) -> Plan:
    places = tuple(FIELD_PLACES[other] for other in layout.others)
    # of one place alone itemgetter would give no tuple
    others = itemgetter(*places) if len(places) > 1 else itemgetter(slice(places[0], places[0] + 1))
    return Plan(read=reading(entity, layout), others=others)


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
        self._others = tuple(plan.others for plan in self._plans)
        #: All values as they are without an entity; those that are there are put over them.
        self._missing = {row.name: MISSING for entity in ENTITIES for row in rows_of(entity)}

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
        values = self._missing.copy()
        for plan, window in zip(self._plans, found, strict=True):
            if window is not None:
                plan.read(values, window, payment.at_ms, mark)
        _measure_payee(values, payment, customer, payee, mark)
        _measure_amount(values, payment, customer, mark)
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
        at_ms, value_minor = payment.at_ms, payment.value_minor
        value, small = value_minor or 0, value_minor is not None and value_minor < SMALL_MINOR
        found: list[Window | None] = []
        marks: list[int] = []
        for kept, key in zip(self.kept, _KEYS(payment), strict=True):
            if key is None:
                found.append(None)
                marks.append(0)
                continue
            window = kept.get(key)
            if window is None:
                window = self._new(len(found), key)
            else:
                kept.move_to_end(key)
            found.append(window)
            marks.append(window.mark)
        for others, window in zip(self._others, found, strict=True):
            if window is not None:
                is_new = window.add(at_ms, mark, value, small, others(marks))
                if is_new and type(window) is CustomerWindow:
                    window.pay(payment.payee_id, order_of(at_ms, mark), limit=self.limits.payees)
        return found, mark

    def _new(self, place: int, key: str) -> Window:
        kept = self.kept[place]
        kind = CustomerWindow if place == _CUSTOMER else Window
        window = kept[key] = kind(self.layouts[place], mark_of(key))
        if len(kept) > self.limits.keys:
            kept.popitem(last=False)
        return window


def _yuan_log(value_minor: int) -> float:
    """log(1 + yuan): raw fen would lose digits in the model's 32-bit inputs."""
    return math.log1p(value_minor / 100)


def _log_ratio(part: float, whole: float) -> float:
    return math.log(part / whole) if part > 0 and whole > 0 else MISSING


def _measure_amount(
    values: dict[str, float], payment: SeenPayment, window: Window, mark: int
) -> None:
    """Adds what the amount shows; the rows of the payment's entities are in `values`."""
    angle = 2 * math.pi * ((payment.at_ms + LOCAL_OFFSET_MS) % DAY_MS) / DAY_MS
    values["hour_sin"], values["hour_cos"] = math.sin(angle), math.cos(angle)
    value = payment.value_minor
    if value is None:
        for name in ("amount_log", "amount_to_mean_log", "amount_share_24h", "day_share_of_week"):
            values[name] = MISSING
        return
    others, paid = values["customer_count_30d"], values["customer_sum_minor_30d"]
    day, week = values["customer_sum_minor_24h"], values["customer_sum_minor_7d"]
    if window.holds(payment.at_ms, mark):
        others, paid = others - 1, paid - value
    else:  # too late for a full window, which then does not hold it
        day, week = day + value, week + value
    values["amount_log"] = _yuan_log(value)
    values["amount_to_mean_log"] = _log_ratio(value * others, paid)
    values["amount_share_24h"] = value / day if day > 0 else MISSING
    values["day_share_of_week"] = day / week if week > 0 else MISSING


def _age_log_h(payment: SeenPayment, first: Order | None) -> float:
    if first is None:
        return 0.0
    return math.log1p(max(payment.at_ms - (first >> 64), 0) / HOUR_MS)


def _measure_payee(
    values: dict[str, float],
    payment: SeenPayment,
    customer: CustomerWindow,
    payee: Window,
    mark: int,
) -> None:
    """Adds what is known of the payee."""
    first = customer.payees.get(payment.payee_id)
    # the earliest payment to this payee is this one: nothing came before it
    is_new = first is None or first >= order_of(payment.at_ms, mark)
    values["payee_new"] = float(is_new)
    values["payee_known_log_h"] = _age_log_h(payment, first)
    values["payee_age_log_h"] = _age_log_h(payment, payee.first)
