"""What a one-time code is worth: for whom, for what, how long, and how often it may be guessed at.

Nothing here reads a clock, a random source or a table: they come in as arguments.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from math import ceil
from uuid import UUID

from shared.kit.problems import BankError, NotFound, TooManyRequests


class NoMessenger(BankError):
    status, code, title = 503, "no_messenger", "The bank has no way to send a message"


class TooManyCodes(TooManyRequests):
    code, title = "too_many_codes", "The customer was sent too many codes"


class ChallengeNotFound(NotFound):
    code, title = "challenge_not_found", "No such code was sent"


class CodeWrong(BankError):
    status, code, title = 422, "code_wrong", "The code is not right"


class CodeExpired(BankError):
    status, code, title = 422, "code_expired", "The code is too old: ask for a new one"


class CodeSpent(BankError):
    status, code, title = 422, "code_spent", "The code was used, or tried too often"


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


#: What a try is answered with where it did not verify.
REFUSALS: dict[CodeVerdict, type[BankError]] = {
    CodeVerdict.WRONG: CodeWrong,
    CodeVerdict.EXPIRED: CodeExpired,
    CodeVerdict.SPENT: CodeSpent,
}


def code_wait_s(sent_at: Sequence[datetime], *, allowed: int, now: datetime) -> int | None:
    """Whole seconds until one more code may be sent, or None when it may be sent now.

    `sent_at` holds when the customer's codes of the last window were sent.
    """
    recent = sorted(at for at in sent_at if at > now - CODE_WINDOW)
    if len(recent) < allowed:
        return None
    return max(1, ceil((recent[-allowed] + CODE_WINDOW - now).total_seconds()))
