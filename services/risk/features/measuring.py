"""The windows of one process and what they show of a payment, by the table of definitions.

Training and serving compute features by this one module, so that they cannot differ. A value
never looks past the time of the payment it belongs to: payments may arrive in any order.
"""

import math
from collections import OrderedDict
from operator import attrgetter

import numpy as np

from services.risk.features import blocks, compiled
from services.risk.features.compiling import Block, Table
from services.risk.features.definitions import (
    FEATURE_NAMES,
    FIELDS,
    HOUR_MS,
    MEASURES,
    RING,
    SMALL_MINOR,
    SPANS,
    SPANS_MS,
    Entity,
    Measure,
)
from services.risk.windows import Layout, Limits, SeenPayment, mark_of

#: The bank's own clock for "at night": UTC+8, which knows no daylight saving.
LOCAL_OFFSET_MS = 8 * HOUR_MS

ENTITIES: tuple[Entity, ...] = tuple(FIELDS)
CUSTOMERS = ENTITIES.index("customer")
FIELD_PLACES: dict[str, int] = {entity: place for place, entity in enumerate(ENTITIES)}
#: What a payment shows without its customer's ring: the ring's are the last ones of the table.
WINDOW_NAMES = FEATURE_NAMES[: -len(RING)]

_NO_VALUES = dict.fromkeys(WINDOW_NAMES, math.nan)
_KEYS = attrgetter(*FIELDS.values())


def layout_of(entity: Entity, limits: Limits) -> Layout:
    """What a window of this kind has to hold for the rows that the table has of it."""
    rows = [row for row in MEASURES if row.entity == entity]
    others = {row.field: None for row in rows if row.field}
    return Layout(
        size=limits.entries,
        horizon_ms=max(row.span_ms for row in rows) + limits.lateness_ms,
        has_small=any(row.kind == "small" for row in rows),
        others=tuple(others),
    )


def _tables(layouts: tuple[Layout, ...]) -> tuple[Table, Table, Block]:
    """Layouts, measures, and where each entity's measures begin, as `compiled` takes them."""
    forms = np.zeros((len(ENTITIES), compiled.OTHERS + len(ENTITIES)), dtype=np.int64)
    rows: list[list[int]] = []
    begins = [0]
    for place, (entity, layout) in enumerate(zip(ENTITIES, layouts, strict=True)):
        others = [FIELD_PLACES[other] for other in layout.others]
        form = [layout.stride, layout.size, layout.horizon_ms, int(layout.has_small), *others]
        forms[place, : len(form)] = form
        longest = SPANS_MS[SPANS[entity][-1]]

        def span_of(row: Measure, longest: int = longest) -> int:
            return row.span_ms or longest

        mine = [row for row in MEASURES if row.entity == entity]
        for row in sorted(mine, key=span_of, reverse=True):
            column = layout.column(row.field) if row.field else 0
            kind, value_place = compiled.KINDS.index(row.kind), WINDOW_NAMES.index(row.name)
            rows.append([kind, span_of(row), column, value_place])
        begins.append(len(rows))
    return forms, np.asarray(rows, dtype=np.int64), np.asarray(begins, dtype=np.int64)


def _numbers(payment: SeenPayment) -> tuple[int, int, int, int]:
    """What the compiled functions know of a payment beside its entities."""
    value, mark = payment.value_minor, mark_of(payment.payment_id)
    if value is None:
        return payment.at_ms, mark, compiled.NO_VALUE, 0
    return payment.at_ms, mark, value, int(value < SMALL_MINOR)


class Windows:
    """All windows of one process, one set for each kind of entity.

    Past `limits.keys` keys of a kind the one that was touched longest ago is forgotten. A
    payment without an entity (the partner told no device) has no values of that entity.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.layouts = tuple(layout_of(entity, self.limits) for entity in ENTITIES)
        self.kept: tuple[OrderedDict[str, Block], ...] = tuple(OrderedDict() for _ in ENTITIES)
        #: Of each customer that has a window, when which payee was paid first.
        self.payees: dict[str, Block] = {}
        self._forms, self._rows, self._begins = _tables(self.layouts)
        #: One place of two words for each value of a full window, and as many again.
        places = 1 << (2 * self.limits.entries).bit_length()
        self._scratch = np.zeros(2 + 2 * places, dtype=np.int64)
        self._values = np.empty(len(WINDOW_NAMES), dtype=np.float64)
        self._no_entity = blocks.bare()

    def observe(self, payment: SeenPayment) -> None:
        """Counts a payment once, whether it comes from a decision, from the bus or from both.

        The same payment is the same id at the same time.
        """
        blocks = self._blocks(payment)
        full = compiled.count(blocks, self._forms, _numbers(payment), self.limits.payees)
        if full:
            self._make_larger(payment, full)

    def measure(self, payment: SeenPayment) -> dict[str, float]:
        """Counts the payment in and returns its features by name; NaN where one is missing."""
        full = compiled.measure(
            self._blocks(payment),
            self._forms,
            _numbers(payment),
            self.limits.payees,
            self._rows,
            self._begins,
            self._scratch,
            self._values,
        )
        if full:
            self._make_larger(payment, full)
        values = _NO_VALUES.copy()  # to fill a copy takes less than to make a dict
        values.update(zip(WINDOW_NAMES, self._values.tolist(), strict=True))
        return values

    def size(self) -> dict[str, int]:
        """How many keys of each kind are held."""
        return {entity: len(kept) for entity, kept in zip(ENTITIES, self.kept, strict=True)}

    def clear(self) -> None:
        for kept in self.kept:
            kept.clear()
        self.payees.clear()

    def held(self, entity: Entity, key: str) -> int | None:
        """How many payments the window of a key holds; None where it has none."""
        block = self.kept[ENTITIES.index(entity)].get(key)
        return None if block is None else int(block[compiled.COUNT])

    def _blocks(self, payment: SeenPayment) -> tuple[Block, ...]:
        """The window of each entity of the payment, and the payees of its customer."""
        found = []
        for place, key in enumerate(_KEYS(payment)):
            if key is None:
                found.append(self._no_entity)
                continue
            kept = self.kept[place]
            block = kept.get(key)
            if block is None:
                block = self._new(place, key)
            else:
                kept.move_to_end(key)
            found.append(block)
        found.append(self.payees[payment.customer_id])
        return tuple(found)

    def _new(self, place: int, key: str) -> Block:
        kept = self.kept[place]
        block = kept[key] = blocks.empty(self.layouts[place], mark_of(key))
        if place == CUSTOMERS:
            self.payees[key] = blocks.no_payees()
        if len(kept) > self.limits.keys:
            gone, _ = kept.popitem(last=False)
            if place == CUSTOMERS:
                del self.payees[gone]
        return block

    def _make_larger(self, payment: SeenPayment, full: int) -> None:
        """Gives the blocks that have no room for one more a larger one."""
        for place, key in enumerate(_KEYS(payment)):
            if full & 1 << place:
                kept = self.kept[place]
                kept[key] = blocks.larger(kept[key], self.layouts[place].stride)
        if full & compiled.FULL_PAYEES:
            customer = payment.customer_id
            self.payees[customer] = blocks.larger(self.payees[customer], compiled.PAYEE)
