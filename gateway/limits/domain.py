"""A token bucket for each partner: bursts up to a minute's worth, then a steady rate."""

import math
from dataclasses import dataclass
from typing import Final

WINDOW_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Bucket:
    """`tokens` were there at `at_s`, by a clock that never goes back."""

    tokens: float
    at_s: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a call may pass, and what the headers of the answer tell."""

    allowed: bool
    bucket: Bucket
    limit: int
    remaining: int
    #: Until the next call may pass (0 where one may now).
    retry_after_s: int
    #: Until the bucket is full again.
    reset_s: int


def take(bucket: Bucket | None, *, limit_per_minute: int, now_s: float) -> Verdict:
    """Take one token. A new partner's bucket is full; a changed limit counts at once.

    A limit of 0 lets nothing pass: it never means that there is no limit.
    """
    rate = limit_per_minute / WINDOW_S
    tokens = float(limit_per_minute)
    if bucket is not None:
        tokens = min(tokens, bucket.tokens + max(0.0, now_s - bucket.at_s) * rate)
    allowed = tokens >= 1.0
    if allowed:
        tokens -= 1.0
    missing = max(0.0, 1.0 - tokens)
    return Verdict(
        allowed=allowed,
        bucket=Bucket(tokens=tokens, at_s=now_s),
        limit=limit_per_minute,
        remaining=int(tokens),
        retry_after_s=_seconds(missing, rate),
        reset_s=_seconds(limit_per_minute - tokens, rate),
    )


def headers(verdict: Verdict) -> dict[str, str]:
    """`RateLimit` and `RateLimit-Policy` as the IETF draft has them, and `Retry-After`."""
    found = {
        "RateLimit-Policy": f'"partner";q={verdict.limit};w={WINDOW_S:.0f}',
        "RateLimit": f'"partner";r={verdict.remaining};t={verdict.reset_s}',
    }
    if not verdict.allowed:
        found["Retry-After"] = str(verdict.retry_after_s)
    return found


def _seconds(tokens: float, rate: float) -> int:
    if tokens <= 0:
        return 0
    return math.ceil(tokens / rate) if rate else int(WINDOW_S)
