"""The rules of identity: who is let in, for how long, and what a one-time code is worth.

Nothing here reads a clock, a random source or a table: they come in as arguments.
"""

import hashlib
import hmac
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from math import ceil
from uuid import UUID

# --- one-time codes ---------------------------------------------------------------------------

CODE_DIGITS = 6
CODE_LIFETIME = timedelta(minutes=5)
CODE_TRIES = 5
#: Codes that one customer may be sent within the window: a stranger who knows a customer's id
#: must not be able to flood the phone, nor to buy five more guesses as often as he likes.
CODE_WINDOW = timedelta(minutes=10)


class CodeVerdict(StrEnum):
    """What one try of a code comes to."""

    VERIFIED = "verified"
    WRONG = "wrong"
    EXPIRED = "expired"
    SPENT = "spent"


@dataclass(frozen=True, slots=True)
class OneTimeCode:
    """A code that was sent, bound to one customer, one purpose and one subject."""

    challenge_id: UUID
    customer_id: str
    purpose: str
    subject: str
    code_hash: bytes
    sent_at: datetime
    tries: int = 0
    verified_at: datetime | None = None

    @property
    def expires_at(self) -> datetime:
        return self.sent_at + CODE_LIFETIME


@dataclass(frozen=True, slots=True)
class CodeTry:
    """What somebody presents against a code."""

    customer_id: str
    purpose: str
    subject: str
    code: str


def format_code(number: int) -> str:
    """The digits of a code, with leading zeros; `number` is below 10 ** CODE_DIGITS."""
    return f"{number:0{CODE_DIGITS}d}"


def hash_code(*, key: bytes, challenge_id: UUID, code: str) -> bytes:
    """HMAC-SHA-256 of a code under the service's key.

    A million codes are hashed in a second, so a plain hash in a stolen table would be the code.
    """
    return hmac.digest(key, challenge_id.bytes + code.encode(), "sha256")


def try_code(sent: OneTimeCode, tried: CodeTry, *, key: bytes, now: datetime) -> CodeVerdict:
    """The verdict on one try; another customer, purpose or subject is a wrong code.

    `SPENT` covers a code that has done its work and one that was guessed at too often.
    """
    if sent.verified_at is not None or sent.tries >= CODE_TRIES:
        return CodeVerdict.SPENT
    if now >= sent.expires_at:
        return CodeVerdict.EXPIRED
    bound = (sent.customer_id, sent.purpose, sent.subject) == (
        tried.customer_id,
        tried.purpose,
        tried.subject,
    )
    offered = hash_code(key=key, challenge_id=sent.challenge_id, code=tried.code)
    if hmac.compare_digest(offered, sent.code_hash) and bound:
        return CodeVerdict.VERIFIED
    return CodeVerdict.WRONG


def after_try(sent: OneTimeCode, verdict: CodeVerdict, *, now: datetime) -> OneTimeCode:
    """The code as it is kept after a try: a wrong one costs a try, a right one uses it up."""
    match verdict:
        case CodeVerdict.VERIFIED:
            return replace(sent, verified_at=now)
        case CodeVerdict.WRONG:
            return replace(sent, tries=sent.tries + 1)
        case CodeVerdict.EXPIRED | CodeVerdict.SPENT:
            return sent


def code_wait_s(sent_at: Sequence[datetime], *, allowed: int, now: datetime) -> int | None:
    """Whole seconds until one more code may be sent, or None when it may be sent now.

    `sent_at` holds when the customer's codes of the last window were sent.
    """
    recent = sorted(at for at in sent_at if at > now - CODE_WINDOW)
    if len(recent) < allowed:
        return None
    return _whole_seconds(recent[-allowed] + CODE_WINDOW - now)


# --- lock-out ---------------------------------------------------------------------------------

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
    return _whole_seconds(attempts.locked_until - now)


def charge_attempt(attempts: Attempts, *, now: datetime) -> Attempts:
    """Counts a try as failed before the password is looked at; success forgets it again.

    Counting first bounds guesses that arrive at once: no more than FREE_FAILURES are looked at.
    """
    forgotten = attempts.last_at is None or now - attempts.last_at >= FAILURE_MEMORY
    failures = 1 if forgotten else attempts.failures + 1
    lock = lock_after(failures)
    return Attempts(failures=failures, last_at=now, locked_until=now + lock if lock else None)


# --- sessions ---------------------------------------------------------------------------------

SESSION_LIFETIME = timedelta(hours=8)
SESSION_IDLE = timedelta(minutes=30)
#: A session's last use is written at most this often: a page of many calls costs one write.
TOUCH_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class SignInSession:
    """A customer's session."""

    customer_id: str
    started_at: datetime
    last_used_at: datetime
    ended_at: datetime | None = None

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


# --- staff ------------------------------------------------------------------------------------

STAFF_TOKEN_LIFETIME = timedelta(minutes=15)

#: Who may do what. An admin keeps the staff, and does not get the rest with it.
KEEP_CUSTOMERS = frozenset({"operator"})
KEEP_STAFF = frozenset({"admin"})
READ_AUDIT = frozenset({"operator", "reviewer", "admin"})


def is_allowed(roles: Collection[str], *, to: frozenset[str]) -> bool:
    """Whether a member of staff with these roles may do what `to` names."""
    return not to.isdisjoint(roles)


# --- batches ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Entry:
    """One item of a batch: its key, and a fingerprint of everything in it."""

    key: str
    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class Batch:
    """The distinct items of a batch by their places in it, and the first key told two ways."""

    places: tuple[int, ...]
    conflict: str | None


def fingerprint(content: Mapping[str, object]) -> bytes:
    """SHA-256 of the content in one canonical form, so that equal content is equal bytes."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).digest()


def read_batch(entries: Sequence[Entry]) -> Batch:
    """Folds equal repeats and finds a key with two contents; places come in the keys' order.

    One order for all batches keeps two that overlap from waiting for each other in a circle.
    """
    first: dict[str, int] = {}
    for place, entry in enumerate(entries):
        earlier = first.setdefault(entry.key, place)
        if entries[earlier].fingerprint != entry.fingerprint:
            return Batch(places=(), conflict=entry.key)
    return Batch(places=tuple(first[key] for key in sorted(first)), conflict=None)


def _whole_seconds(span: timedelta) -> int:
    return max(1, ceil(span.total_seconds()))
