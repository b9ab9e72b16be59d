"""Counts a payment into the windows of its entities and measures it there, in one compiled call.

A window is a block of 64-bit numbers: a head, then a row for each of its payments in the order of
time and mark. The rows lie together, from the head's `START` on; behind them there is always room
for one more, for which the caller makes a larger block when a call asks for it.

What follows from the table of definitions comes in as arrays, and every number and function that
is compiled stands here: what numba keeps of them notices a change of this file alone.
"""

import math
from typing import Final, TypeAlias

from services.risk.features.compiling import Block, Table, Values, entry, inner

# The words of a head: the mark of the key; how many rows there are, and where they begin; what
# they come to since the first of all, and how many were small; the first payment ever seen.
KEY_MARK, COUNT, START, TOTAL, SMALL, FIRST_MS, FIRST_MARK, HEAD = range(8)

# The words of a row: when, which payment, and what all before it came to; then, where its kind
# counts them, how many before it were small; then the marks of what is counted distinct.
AT, MARK, BEFORE, MORE = range(4)

# A customer's payees: how many, then of each its mark and its first payment, the last one paid
# at the end.
PAYEES, PAYEE = 1, 3

# The columns of the table of layouts, a line for each kind of entity. From `OTHERS` on: which
# entities a row holds the marks of.
STRIDE, SIZE, HORIZON, HAS_SMALL, OTHERS = range(5)
CUSTOMER, _, PAYEE_ENTITY, _, _, _, ENTITIES = range(7)

# The columns of the table of measures, whose lines go by entity, the longest span first.
# `COLUMN` is the place of what is counted distinct in a row, `PLACE` that of the value.
KIND, SPAN, COLUMN, PLACE = range(4)
KINDS = ("count", "sum", "sum_log", "mean", "small", "distinct", "since", "since_log", "age")
OF_COUNT, OF_SUM, OF_SUM_LOG, _, OF_SMALL, OF_DISTINCT, OF_SINCE, _, OF_AGE = range(9)

# A payment as numbers: when, which, its value in fen or NO_VALUE, and 1 for a small one.
Numbers: TypeAlias = tuple[int, int, int, int]
Blocks: TypeAlias = tuple[Block, ...]
"""The windows of a payment's entities, a bare head for one that it has not; then the payees."""

# The value of a payment in a currency without a reference rate: counted, and adds nothing; the
# first payment of a key without one; and the bit of an answer for the payees, above the entities'.
NO_VALUE, NEVER, FULL_PAYEES = -1, 2**63 - 1, 1 << ENTITIES

_SECOND_MS: Final = 1_000
_HOUR_MS: Final = 3_600_000
_DAY_MS: Final = 24 * _HOUR_MS
_WEEK_MS: Final = 7 * _DAY_MS
_MONTH_MS: Final = 30 * _DAY_MS
#: The bank's own clock, UTC+8.
_LOCAL_OFFSET_MS: Final = 8 * _HOUR_MS


@inner
def _row(block: Block, layout: Table, i: int) -> int:
    """Where the row `i` begins."""
    found: int = HEAD + (block[START] + i) * layout[STRIDE]
    return found


@inner
def _end(block: Block, layout: Table, until_ms: int, low: int, high: int) -> int:
    """The first of the rows [low, high) that is later than `until_ms`; `high` where none is."""
    stride = layout[STRIDE]
    first = _row(block, layout, 0) + AT
    while low < high:
        middle = (low + high) // 2
        if block[first + middle * stride] <= until_ms:
            low = middle + 1
        else:
            high = middle
    return low


@inner
def _place(block: Block, layout: Table, at_ms: int, mark: int) -> tuple[int, bool]:
    """Where the payment belongs, by time and mark, and whether it is there."""
    count = block[COUNT]
    place = _end(block, layout, at_ms - 1, 0, count)
    while place < count:
        at = _row(block, layout, place)
        if block[at + AT] != at_ms or block[at + MARK] > mark:
            break
        if block[at + MARK] == mark:
            return place, True
        place += 1
    return place, False


@inner
def _add(block: Block, layout: Table, payment: Numbers, marks: tuple[int, ...]) -> bool:
    """Takes a payment in; False if it is there already."""
    at_ms, mark, value, small = payment
    value = max(value, 0)
    stride, count = layout[STRIDE], block[COUNT]
    place = count
    if count and block[_row(block, layout, count - 1) + AT] >= at_ms:
        place, is_known = _place(block, layout, at_ms, mark)
        if is_known:
            return False
    is_first = at_ms < block[FIRST_MS] or (at_ms == block[FIRST_MS] and mark < block[FIRST_MARK])
    if place == 0 and is_first:
        block[FIRST_MS], block[FIRST_MARK] = at_ms, mark
    at, end = _row(block, layout, place), _row(block, layout, count)
    total, smalls = block[TOTAL], block[SMALL]
    if place < count:  # a late one: those after it move, and have one more before them
        total = block[at + BEFORE]
        smalls = block[at + MORE] if layout[HAS_SMALL] else 0
        for i in range(end - 1, at - 1, -1):
            block[i + stride] = block[i]
        for i in range(at + stride, end + stride, stride):
            block[i + BEFORE] += value
            if layout[HAS_SMALL]:
                block[i + MORE] += small
    block[at + AT], block[at + MARK], block[at + BEFORE] = at_ms, mark, total
    column = at + MORE
    if layout[HAS_SMALL]:
        block[column] = smalls
        column += 1
    for i in range(at + stride - column):
        block[column + i] = marks[layout[OTHERS + i]]
    block[COUNT] = count + 1
    block[TOTAL] += value
    block[SMALL] += small
    return True


@inner
def _evict(block: Block, layout: Table) -> None:
    """Lets go of what lies beyond the horizon or the size."""
    count = block[COUNT]
    oldest, newest = block[_row(block, layout, 0)], block[_row(block, layout, count - 1)]
    drop = max(count - layout[SIZE], 0)
    if newest - oldest >= layout[HORIZON]:
        drop = max(drop, _end(block, layout, newest - layout[HORIZON], 0, count))
    block[START] += drop
    block[COUNT] = count - drop


@inner
def _is_full(block: Block, layout: Table) -> bool:
    """Whether there is no room for one more, not even after moving all rows to the front."""
    stride, start, count = layout[STRIDE], block[START], block[COUNT]
    if HEAD + (start + count + 1) * stride <= len(block):
        return False
    # rows that move for each one that went: were it one alone, each payment would move them all
    if start <= count // 16:
        return True
    for i in range(HEAD, HEAD + count * stride):
        block[i] = block[i + start * stride]
    block[START] = 0
    return False


@inner
def _first_paid(payees: Block, payee: int) -> int:
    """Where the payee's row begins, behind all rows if it has none."""
    at, end = PAYEES, PAYEES + payees[0] * PAYEE
    while at < end and payees[at] != payee:
        at += PAYEE
    return at


@inner
def _pay(payees: Block, payee: int, at_ms: int, mark: int, limit: int) -> None:
    """Keeps when the payee was paid first; past `limit` the one not paid for longest goes."""
    end = PAYEES + payees[0] * PAYEE
    at = _first_paid(payees, payee)
    first_ms, first_mark = at_ms, mark
    if at < end:
        ms, who = payees[at + 1], payees[at + 2]
        if ms < at_ms or (ms == at_ms and who < mark):
            first_ms, first_mark = ms, who
    elif payees[0] < limit:
        payees[0] += 1
        end += PAYEE
    else:
        at = PAYEES
    for i in range(at, end - PAYEE):
        payees[i] = payees[i + PAYEE]
    at = end - PAYEE
    payees[at], payees[at + 1], payees[at + 2] = payee, first_ms, first_mark


@inner
def _count(blocks: Blocks, layouts: Table, payment: Numbers, limit: int) -> int:
    """Counts the payment into each block that is there; the bits of those that are full now."""
    a, b, c, d, e, f, payees = blocks
    marks = (a[KEY_MARK], b[KEY_MARK], c[KEY_MARK], d[KEY_MARK], e[KEY_MARK], f[KEY_MARK])
    full = 0
    for i in range(ENTITIES):
        block, layout = blocks[i], layouts[i]
        if len(block) == HEAD or not _add(block, layout, payment, marks):
            continue
        _evict(block, layout)
        if _is_full(block, layout):
            full |= 1 << i
        if i == CUSTOMER:
            _pay(payees, marks[PAYEE_ENTITY], payment[0], payment[1], limit)
    if payees[0] < limit and len(payees) < PAYEES + (payees[0] + 1) * PAYEE:
        full |= FULL_PAYEES
    return full


@inner
def _distinct(
    block: Block, layout: Table, column: int, start: int, end: int, scratch: Block
) -> int:
    """How many values a column has in the rows [start, end); a missing one, 0, is none.

    `scratch` is a hash table of two words a place, twice as many places as there are rows at the
    most; its first word says which of its places are of this call.
    """
    places, found = len(scratch) // 2 - 1, 0
    scratch[0] += 1
    now = scratch[0]
    for i in range(start, end):
        value = block[_row(block, layout, i) + column]
        if value == 0:
            continue
        place = value & (places - 1)
        while scratch[2 + 2 * place] == now and scratch[3 + 2 * place] != value:
            place = (place + 1) & (places - 1)
        if scratch[2 + 2 * place] != now:
            scratch[2 + 2 * place], scratch[3 + 2 * place] = now, value
            found += 1
    return found


@inner
def _since_ms(block: Block, layout: Table, at_ms: int, mark: int, start: int, end: int) -> int:
    """Milliseconds since the payment before, of the rows [start, end); -1 without one."""
    before = end - 1
    if before >= start and block[_row(block, layout, before) + MARK] == mark:
        before -= 1
    if before < start:
        return -1
    found: int = at_ms - block[_row(block, layout, before) + AT]
    return found


@inner
def _between(block: Block, layout: Table, word: int, column: int, start: int, end: int) -> int:
    """What the rows [start, end) add to a running sum: `word` in the head, `column` in a row.

    Exact, since a window's own sum fits 64 bits, whatever became of the running one.
    """
    if start == end:
        return 0
    until = block[word]
    if end < block[COUNT]:
        until = block[_row(block, layout, end) + column]
    found: int = until - block[_row(block, layout, start) + column]
    return found


@inner
def _paid(block: Block, layout: Table, start: int, end: int) -> int:
    """What the rows [start, end) come to, in fen."""
    return _between(block, layout, TOTAL, BEFORE, start, end)


@inner
def _sum(kind: int, count: int, paid: int) -> float:
    if kind == OF_COUNT:
        return float(count)
    if kind == OF_SUM:
        return float(paid)
    if kind == OF_SUM_LOG:
        return math.log1p(paid / 100)
    if count == 0:
        return math.nan
    return float(paid // count + (2 * (paid % count) >= count))  # a mean, rounded half up


@inner
def _time(kind: int, since_ms: int, age_ms: int) -> float:
    if kind == OF_AGE:
        return float(age_ms // _SECOND_MS)
    if since_ms < 0:
        return math.nan
    if kind == OF_SINCE:
        return float(since_ms // _SECOND_MS)
    return math.log1p(since_ms / _SECOND_MS)


@inner
def _measure_entity(
    block: Block, layout: Table, rows: Table, payment: Numbers, scratch: Block, values: Values
) -> None:
    """Puts down the values of one entity, whose lines of the table are `rows`."""
    at_ms, mark = payment[0], payment[1]
    end = _end(block, layout, at_ms, 0, block[COUNT])
    longest = _end(block, layout, at_ms - rows[0, SPAN], 0, end)
    since_ms = _since_ms(block, layout, at_ms, mark, longest, end)
    age_ms = max(at_ms - block[FIRST_MS], 0)
    span, start, paid = -1, longest, 0
    for i in range(len(rows)):
        kind = rows[i, KIND]
        if rows[i, SPAN] != span:
            span = rows[i, SPAN]
            start = _end(block, layout, at_ms - span, longest, end)
            paid = _paid(block, layout, start, end)
        if kind == OF_DISTINCT:
            value = float(_distinct(block, layout, rows[i, COLUMN], start, end, scratch))
        elif kind == OF_SMALL:
            value = float(_between(block, layout, SMALL, MORE, start, end))
        elif kind >= OF_SINCE:
            value = _time(kind, since_ms, age_ms)
        else:
            value = _sum(kind, end - start, paid)
        values[rows[i, PLACE]] = value


@inner
def _measure_own(customer: Block, layout: Table, payment: Numbers, values: Values) -> None:
    """Puts down what the amount and the hour show, in the order of `definitions.OWN`."""
    at_ms, mark, value, _ = payment
    angle = 2 * math.pi * ((at_ms + _LOCAL_OFFSET_MS) % _DAY_MS) / _DAY_MS
    values[4], values[5] = math.sin(angle), math.cos(angle)
    values[0:4] = math.nan
    if value == NO_VALUE:
        return
    values[0] = math.log1p(value / 100)  # raw fen would lose digits in a model's 32-bit inputs
    end = _end(customer, layout, at_ms, 0, customer[COUNT])
    month = _end(customer, layout, at_ms - _MONTH_MS, 0, end)
    others, paid = end - month, _paid(customer, layout, month, end)
    day = _paid(customer, layout, _end(customer, layout, at_ms - _DAY_MS, month, end), end)
    week = _paid(customer, layout, _end(customer, layout, at_ms - _WEEK_MS, month, end), end)
    if _place(customer, layout, at_ms, mark)[1]:
        others, paid = others - 1, paid - value
    else:  # too late for a full window, which then does not hold it
        day, week = day + value, week + value
    if value > 0 and others > 0 and paid > 0:
        values[1] = math.log(value * others / paid)
    if day > 0:
        values[2] = value / day
    if week > 0:
        values[3] = day / week


@inner
def _measure_payee(payee: Block, payees: Block, payment: Numbers, values: Values) -> None:
    """Puts down what is known of the payee, in the order of `definitions.OWN`."""
    at_ms, mark = payment[0], payment[1]
    row = _first_paid(payees, payee[KEY_MARK])
    is_new, known_ms = True, 0
    if row < PAYEES + payees[0] * PAYEE:
        first_ms = payees[row + 1]
        # the earliest payment to this payee is this one: nothing came before it
        is_new = first_ms > at_ms or (first_ms == at_ms and payees[row + 2] >= mark)
        known_ms = max(at_ms - first_ms, 0)
    values[6] = 1.0 if is_new else 0.0
    values[7] = math.log1p(known_ms / _HOUR_MS)
    values[8] = math.log1p(max(at_ms - payee[FIRST_MS], 0) / _HOUR_MS)


_COUNTING = f"UniTuple(int64[::1], {ENTITIES + 1}), int64[:, ::1], UniTuple(int64, 4), int64"


@entry(f"int64({_COUNTING})")
def count(blocks: Blocks, layouts: Table, payment: Numbers, limit: int) -> int:
    """Counts a payment once into the blocks of its entities; `limit` is that of the payees.

    A bit of the answer is set for each block without room for one more: it has to become larger
    before the next call.
    """
    return _count(blocks, layouts, payment, limit)


@entry(f"int64({_COUNTING}, int64[:, ::1], int64[::1], int64[::1], float64[::1])")
def measure(
    blocks: Blocks,
    layouts: Table,
    payment: Numbers,
    limit: int,
    rows: Table,
    begins: Block,
    scratch: Block,
    values: Values,
) -> int:
    """Counts a payment as `count` does, and puts its features into `values`; NaN: it has none.

    `rows` is the table of measures, in which entity `i` has the lines from `begins[i]` to the
    next one's; `scratch` is as `_distinct` wants it.
    """
    full = _count(blocks, layouts, payment, limit)
    for i in range(ENTITIES):
        of_entity = rows[begins[i] : begins[i + 1]]
        if len(blocks[i]) > HEAD:
            _measure_entity(blocks[i], layouts[i], of_entity, payment, scratch, values)
        else:
            for j in range(len(of_entity)):
                values[of_entity[j, PLACE]] = math.nan
    _measure_own(blocks[CUSTOMER], layouts[CUSTOMER], payment, values)
    _measure_payee(blocks[PAYEE_ENTITY], blocks[ENTITIES], payment, values)
    return full
