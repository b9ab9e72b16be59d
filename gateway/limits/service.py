"""The buckets of one process. Each replica has its own: N replicas pass N times the burst."""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from gateway.limits.domain import Bucket, Verdict, take

#: Buckets kept; the one that was idle longest goes first, and would be full again by then.
MAX_BUCKETS: Final = 10_000


class Limiter:
    """Who may call now. The limit comes with every call, so that a change counts at once."""

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def take(self, owner: str, *, limit_per_minute: int) -> Verdict:
        verdict = take(
            self._buckets.get(owner), limit_per_minute=limit_per_minute, now_s=self._clock_s()
        )
        self._buckets[owner] = verdict.bucket
        self._buckets.move_to_end(owner)
        if len(self._buckets) > MAX_BUCKETS:
            self._buckets.popitem(last=False)
        return verdict
