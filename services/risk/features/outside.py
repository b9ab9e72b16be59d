"""Which inputs of a model are missing, or cannot be true: compiled, since each decision asks."""

import numpy as np
from numpy.typing import NDArray

from services.risk.features.compiling import entry

Inputs = NDArray[np.float32]


@entry("UniTuple(int64, 2)(float32[::1], float32[::1], float32[::1])")
def outside(inputs: Inputs, least: Inputs, most: Inputs) -> tuple[int, int]:
    """How many inputs do not lie within their bounds, and how many of these are numbers.

    The others are NaN: missing.
    """
    found = numbers = 0
    for i in range(len(inputs)):
        value = inputs[i]
        if not least[i] <= value <= most[i]:
            found += 1
            numbers += value == value  # noqa: PLR0124 - false for NaN alone
    return found, numbers
