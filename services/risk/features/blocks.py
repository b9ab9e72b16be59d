"""Makes the blocks in which windows are kept, and larger ones. How they lie: see `compiled`."""

import numpy as np

from services.risk.features import compiled
from services.risk.features.compiled import HEAD, PAYEE, PAYEES
from services.risk.features.compiling import Block
from services.risk.windows import Layout

#: Rows for which a new block has room, and that a larger one has more at the least.
_ROOM = 5


def bare() -> Block:
    """A head alone: what stands for an entity that a payment does not have."""
    return np.zeros(HEAD, dtype=np.int64)


def empty(layout: Layout, mark: int) -> Block:
    """The window of a key, named by its mark, without a payment."""
    block = np.zeros(HEAD + _ROOM * layout.stride, dtype=np.int64)
    block[compiled.KEY_MARK] = mark
    block[compiled.FIRST_MS] = block[compiled.FIRST_MARK] = compiled.NEVER
    return block


def no_payees() -> Block:
    """Of a customer who has paid nobody yet."""
    return np.zeros(PAYEES + _ROOM * PAYEE, dtype=np.int64)


def larger(block: Block, stride: int) -> Block:
    """The same with room for a quarter more, so that all moves of a row together are few."""
    size = len(block)
    found = np.empty(size + max(_ROOM, size // stride // 4) * stride, dtype=np.int64)
    found[:size] = block
    return found


def packed(block: Block, layout: Layout) -> bytes:
    """Head and rows, without the room behind them."""
    head = block[:HEAD].copy()
    begin = HEAD + int(head[compiled.START]) * layout.stride
    head[compiled.START] = 0
    end = begin + int(head[compiled.COUNT]) * layout.stride
    return head.tobytes() + block[begin:end].tobytes()


def unpacked(words: Block, layout: Layout) -> Block:
    """The block again. Raises ValueError where it is not one of this layout."""
    count = int(words[compiled.COUNT]) if len(words) >= HEAD else -1
    if not 0 <= count <= layout.size or len(words) != HEAD + count * layout.stride:
        raise ValueError("not a window of this layout")
    return larger(words, layout.stride)


def packed_payees(payees: Block) -> bytes:
    return payees[: PAYEES + int(payees[0]) * PAYEE].tobytes()


def unpacked_payees(words: Block) -> Block:
    """Raises ValueError where they are not a customer's."""
    if not len(words) or len(words) != PAYEES + int(words[0]) * PAYEE:
        raise ValueError("not the payees of a customer")
    return larger(words, PAYEE)
