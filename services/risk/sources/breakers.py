"""A circuit breaker for one source in one process. Pure: the time comes in, in seconds.

closed -> open, once `OPEN_AFTER` calls in a row have failed: nobody waits for a source that is
away. open -> half-open after a while: one call alone may try. Its success closes the breaker, its
failure opens it for twice as long, up to a limit.
"""

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

BreakerState = Literal["closed", "open", "half_open"]

OPEN_AFTER = 5
#: The longest wait, as a multiple of the first.
MOST_WAITS = 8


@dataclass(slots=True)
class Breaker:
    """Ask `admits` before a call, tell how it ended, and `release` it whatever happened."""

    open_s: float
    #: Calls in a row that failed.
    failures: int = 0
    #: How often it has opened since it was last closed.
    opened: int = 0
    _until: float = 0.0
    #: The one call that may try while it is half-open.
    _trial: UUID | None = None

    def state(self, now: float) -> BreakerState:
        if not self.opened:
            return "closed"
        return "half_open" if self._trial is not None or now >= self._until else "open"

    def admits(self, now: float, call: UUID) -> bool:
        """Whether a call may go out."""
        state = self.state(now)
        if state == "half_open" and self._trial is None:
            self._trial = call
            return True
        return state == "closed"

    def succeeded(self) -> None:
        self.failures = self.opened = 0
        self._trial = None

    def failed(self, now: float, call: UUID) -> None:
        self.failures += 1
        # a call that went out before it opened, and fails after that, tells nothing new
        if self._trial == call or (not self.opened and self.failures >= OPEN_AFTER):
            self._until = now + self.open_s * min(2**self.opened, MOST_WAITS)
            self.opened += 1
        self.release(call)

    def release(self, call: UUID) -> None:
        """The call is over; where it told nothing of the source, another one may try."""
        if self._trial == call:
            self._trial = None
