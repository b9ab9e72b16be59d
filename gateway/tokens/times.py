"""Windows of time for signed objects, in seconds since 1970 (RFC 7519 NumericDate)."""

import math
from typing import Any, Final

from gateway.tokens.jose import Claims, Refused

#: FAPI 2.0, 5.3.2.1: a clock that runs 10 s fast is accepted, one of more than 60 s is not.
MAX_AHEAD_S: Final = 10.0
#: How long after its `iat` a proof still counts.
MAX_AGE_S: Final = 60.0


def numeric_date(claims: Claims, name: str) -> float | None:
    """The claim as seconds, None where it is absent. Raises `Refused` for any other type."""
    value: Any = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Refused(f"{name} must be a number of seconds")
    try:
        seconds = float(value)
    except OverflowError as error:
        raise Refused(f"{name} must be a number of seconds") from error
    if not math.isfinite(seconds):
        raise Refused(f"{name} must be a number of seconds")
    return seconds


def check_not_ahead(claims: Claims, name: str, *, now_s: float) -> None:
    """Refuses an `iat` or `nbf` that lies more than the tolerated drift in the future."""
    value = numeric_date(claims, name)
    if value is not None and value > now_s + MAX_AHEAD_S:
        raise Refused(f"{name} lies in the future")
