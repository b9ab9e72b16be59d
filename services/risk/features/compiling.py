"""How functions on arrays of numbers are compiled: by numba, once for a machine."""

from collections.abc import Callable
from typing import TypeAlias, TypeVar, cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

Block: TypeAlias = NDArray[np.int64]
"""One row of numbers, which lie side by side."""
Table: TypeAlias = NDArray[np.int64]
"""The same in rows and columns."""
Values: TypeAlias = NDArray[np.float64]

FunctionT = TypeVar("FunctionT", bound=Callable[..., object])


def inner(function: FunctionT) -> FunctionT:
    """Compiled as a part of what calls it."""
    return cast("FunctionT", njit(function))


def entry(signature: str) -> Callable[[FunctionT], FunctionT]:
    """Compiled when its module is imported, or taken from what an earlier process kept of it.

    It is kept beside the module, or, where that cannot be written to, in the cache of the user's
    home; without either, each process compiles for itself, which takes some seconds.
    """

    def compiled(function: FunctionT) -> FunctionT:
        try:
            return cast("FunctionT", njit(signature, cache=True)(function))
        except RuntimeError:  # numba's word for: no place to keep it
            return cast("FunctionT", njit(signature)(function))

    return compiled
