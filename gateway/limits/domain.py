"""Limits of calls: bursts up to a minute's worth, then a steady rate; and a number for each day.

A limit is kept as the time at which it would be whole again (GCRA, the generic cell rate
algorithm): one number, that needs no turning over of windows. `full_at_s` is that time, in seconds.
A limit of 0 lets nothing pass, and none (`None`) lets everything pass; they are never confused.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Final

from shared.kit.problems import BankError

WINDOW_S: Final = 60.0
DAY_S: Final = 86_400
#: Times are sums of fractions of a second: what two replicas round apart must not cost a call.
SLACK_S: Final = 0.0005
#: The bank's day is China's.
DAY_BEGINS: Final = timedelta(hours=8)
#: In the order in which `take_call` counts and answers.
NAMES: Final = ("partner", "consent", "endpoint", "day")


class PlanNotFound(BankError):
    status, code, title = 404, "plan_not_found", "There is no such plan"


@dataclass(frozen=True, slots=True)
class Plan:
    """What partners under it may do in a minute, and in a day. `None` is no limit; 0 is none.

    The strictest limit decides: a partner's own and its plan's never add up.
    """

    plan: str
    per_partner_per_minute: int | None
    per_consent_per_minute: int | None
    calls_per_day: int | None
    updated_at: datetime
    #: By method and path as the description has them: `POST /v1/payments`.
    per_endpoint_per_minute: Mapping[str, int] = field(default_factory=dict)

    def has_same_content(self, other: "Plan") -> bool:
        return (
            self.per_partner_per_minute == other.per_partner_per_minute
            and self.per_consent_per_minute == other.per_consent_per_minute
            and self.calls_per_day == other.calls_per_day
            and dict(self.per_endpoint_per_minute) == dict(other.per_endpoint_per_minute)
        )


@dataclass(frozen=True, slots=True)
class Share:
    """What is left of one limit after a call."""

    name: str
    limit: int
    window_s: int
    remaining: int
    #: Until it is whole again.
    reset_s: int
    #: Until the next call may pass (0 where one may now).
    retry_after_s: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a call may pass, and what the headers of the answer tell."""

    allowed: bool
    shares: Sequence[Share]
    #: The limit that refused the call.
    refused_by: Share | None = None

    @property
    def retry_after_s(self) -> int:
        return max((share.retry_after_s for share in self.shares), default=0)


def take(full_at_s: float | None, *, limit: int, now_s: float) -> tuple[float, bool]:
    """Take one call: when the limit would be whole again, and whether the call may pass.

    A refused call takes nothing. A changed limit counts at once: what was used stays used as a
    part of the minute.
    """
    before = max(now_s, full_at_s if full_at_s is not None else now_s)
    after = before + WINDOW_S / limit if limit else math.inf
    if after > now_s + WINDOW_S + SLACK_S:
        return before, False
    return after, True


def share(name: str, *, limit: int, full_at_s: float, now_s: float) -> Share:
    """What is left of a limit of a minute."""
    if not limit:
        return Share(name, 0, int(WINDOW_S), 0, int(WINDOW_S), int(WINDOW_S))
    used_s, gap_s = max(0.0, full_at_s - now_s), WINDOW_S / limit
    remaining = max(0, int((WINDOW_S - used_s + SLACK_S) / gap_s))
    wait_s = 0.0 if remaining else used_s + gap_s - WINDOW_S - SLACK_S
    return Share(
        name, limit, int(WINDOW_S), remaining, math.ceil(used_s - SLACK_S), math.ceil(wait_s)
    )


def share_of_day(*, limit: int, calls: int, now: datetime) -> Share:
    """What is left of a day's calls, and how long the day lasts."""
    into_day = (now + DAY_BEGINS).timestamp() % DAY_S
    left_s = math.ceil(DAY_S - into_day)
    remaining = max(0, limit - calls)
    return Share("day", limit, DAY_S, remaining, left_s, 0 if remaining else left_s)


def day_of(now: datetime) -> date:
    """The bank's day."""
    return (now + DAY_BEGINS).date()


def verdict_of(
    refused: str | None,
    *,
    limits: Sequence[int | None],
    standing: Sequence[float],
    now: datetime,
) -> Verdict:
    """The words of `take_call`, one number for each of `NAMES`, as a verdict."""
    now_s = now.timestamp()
    shares = []
    for name, limit, stands in zip(NAMES, limits, standing, strict=True):
        if limit is None:
            continue
        if name == "day":
            shares.append(share_of_day(limit=limit, calls=int(stands), now=now))
        else:
            shares.append(share(name, limit=limit, full_at_s=stands, now_s=now_s))
    refused_by = next((one for one in shares if one.name == refused), None)
    return Verdict(allowed=refused is None, shares=shares, refused_by=refused_by)


def headers(verdict: Verdict) -> dict[str, str]:
    """`RateLimit` and `RateLimit-Policy` as the IETF draft has them, and `Retry-After`."""
    found = {
        "RateLimit-Policy": ", ".join(
            f'"{one.name}";q={one.limit};w={one.window_s}' for one in verdict.shares
        ),
        "RateLimit": ", ".join(
            f'"{one.name}";r={one.remaining};t={one.reset_s}' for one in verdict.shares
        ),
    }
    if not verdict.allowed:
        found["Retry-After"] = str(max(1, verdict.retry_after_s))
    return found


def words(verdict: Verdict) -> str:
    """Which limit refused the call."""
    one = verdict.refused_by
    if one is None:
        return "There were too many calls"
    span = "a day" if one.window_s == DAY_S else "a minute"
    whom = "The partner" if one.name == "day" else f"The {one.name}"
    return f"{whom} may make {one.limit} calls {span}"
