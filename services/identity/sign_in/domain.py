"""Who is let in and for how long: lock-out after failures, and the ends of a session."""

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import ceil
from uuid import UUID

from shared.kit.problems import Conflict, TooManyRequests, Unauthenticated


class SignInRefused(Unauthenticated):
    """One answer for a name that nobody has, a wrong password and a customer without sign-in."""

    code, title = "sign_in_refused", "The name or the password is not right"


class LockedOut(TooManyRequests):
    code, title = "locked_out", "Too many failures: wait before trying again"


class SessionOver(Unauthenticated):
    code, title = "session_over", "The session has ended"


class LoginNameTaken(Conflict):
    code, title = "login_name_taken", "Somebody else has this login name"


class StaffExists(Conflict):
    code, title = "staff_exists", "Another member of staff has this id"


FREE_FAILURES = 5
FIRST_LOCK = timedelta(seconds=30)
#: Long enough to make guessing hopeless, short enough that a stranger who fails on purpose does
#: not shut a customer out for a day.
LONGEST_LOCK = timedelta(hours=1)
#: Failures older than this are forgotten.
FAILURE_MEMORY = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Attempts:
    """What is known of the tries to sign in under one name, whether the name exists or not."""

    failures: int = 0
    last_at: datetime | None = None
    locked_until: datetime | None = None


def lock_after(failures: int) -> timedelta:
    """How long a name is locked after so many failures: nothing up to the fourth, then doubling."""
    if failures < FREE_FAILURES:
        return timedelta()
    doublings = min(failures - FREE_FAILURES, 16)
    return min(FIRST_LOCK * (1 << doublings), LONGEST_LOCK)


def lock_wait_s(attempts: Attempts, *, now: datetime) -> int | None:
    """Whole seconds until the name may be tried again, or None when it is not locked."""
    if attempts.locked_until is None or now >= attempts.locked_until:
        return None
    return max(1, ceil((attempts.locked_until - now).total_seconds()))


def charge_attempt(attempts: Attempts, *, now: datetime) -> Attempts:
    """Counts a try as failed before the password is looked at; success forgets it again.

    Counting first bounds guesses that arrive at once: no more than FREE_FAILURES are looked at.
    """
    forgotten = attempts.last_at is None or now - attempts.last_at >= FAILURE_MEMORY
    failures = 1 if forgotten else attempts.failures + 1
    lock = lock_after(failures)
    return Attempts(failures=failures, last_at=now, locked_until=now + lock if lock else None)


SESSION_LIFETIME = timedelta(hours=8)
SESSION_IDLE = timedelta(minutes=30)
#: A session's last use is written at most this often: a page of many calls costs one write.
TOUCH_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class SignInSession:
    """A customer's session; `session_id` names it to the customer, and opens nothing."""

    customer_id: str
    started_at: datetime
    last_used_at: datetime
    ended_at: datetime | None = None
    session_id: UUID | None = None
    device: str | None = None

    @property
    def expires_at(self) -> datetime:
        """The earlier of the idle end and the absolute end."""
        return min(self.last_used_at + SESSION_IDLE, self.started_at + SESSION_LIFETIME)


def is_live(session: SignInSession, *, now: datetime) -> bool:
    return session.ended_at is None and now < session.expires_at


def use_session(session: SignInSession, *, now: datetime) -> SignInSession:
    """The session after a use now: the idle time starts anew, the absolute end stays."""
    if now - session.last_used_at < TOUCH_EVERY:
        return session
    return replace(session, last_used_at=now)


def hash_token(token: str) -> bytes:
    """SHA-256 of a session token; 256 random bits need no salt and no slow hash."""
    return hashlib.sha256(token.encode()).digest()
