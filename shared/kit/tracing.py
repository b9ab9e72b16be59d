"""W3C Trace Context (https://www.w3.org/TR/trace-context/) and the deadline of a request.

Both travel with the running task: whoever calls on passes them on.
"""

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

TRACEPARENT = "traceparent"
DEADLINE = "tongbao-deadline-ms"
"""What is left of the caller's patience, in milliseconds, when the request is sent."""

_PATTERN = re.compile(r"^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$")


@dataclass(frozen=True, slots=True)
class Trace:
    """One span of one trace: ids in lower-case hexadecimal."""

    trace_id: str
    span_id: str
    parent_id: str | None = None

    def traceparent(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-01"


_trace: ContextVar[Trace | None] = ContextVar("trace", default=None)
_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


def current() -> Trace | None:
    return _trace.get()


def begin(traceparent: str | None) -> Trace:
    """A new span under `traceparent`, or of a new trace where that is missing or malformed."""
    match = _PATTERN.match(traceparent) if traceparent else None
    if match and match[1] != "0" * 32 and match[2] != "0" * 16:
        return Trace(match[1], os.urandom(8).hex(), match[2])
    return Trace(os.urandom(16).hex(), os.urandom(8).hex())


@contextmanager
def span(traceparent: str | None) -> Iterator[Trace]:
    """Run a block as a new span under `traceparent`."""
    trace = begin(traceparent)
    token = _trace.set(trace)
    try:
        yield trace
    finally:
        _trace.reset(token)


@contextmanager
def deadline(remaining_ms: float) -> Iterator[None]:
    """Run a block that has `remaining_ms` left; a shorter outer deadline stays."""
    until = time.monotonic() + remaining_ms / 1000
    outer = _deadline.get()
    token = _deadline.set(until if outer is None else min(until, outer))
    try:
        yield
    finally:
        _deadline.reset(token)


def remaining_ms() -> float | None:
    """Milliseconds left, 0 at the least; None where nobody set a deadline."""
    until = _deadline.get()
    return None if until is None else max(0.0, (until - time.monotonic()) * 1000)
