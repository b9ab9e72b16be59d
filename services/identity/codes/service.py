"""Use cases of one-time codes: each is one transaction's work."""

from datetime import datetime, timedelta
from uuid import UUID

from services.identity import service as registers
from services.identity.codes import repository
from services.identity.codes.domain import (
    CODE_WINDOW,
    ChallengeNotFound,
    CodeTry,
    CodeVerdict,
    OneTimeCode,
    TooManyCodes,
    after_try,
    code_wait_s,
    hash_code,
    try_code,
)
from shared.contracts.http import identity as http
from shared.kit.database import Session

#: Codes are dead after minutes; a day of them tells what happened.
KEEP_CODES = timedelta(days=1)


async def make_code(
    session: Session,
    *,
    wanted: http.SendOneTimeCode,
    challenge_id: UUID,
    code: str,
    key: bytes,
    allowed: int,
    now: datetime,
) -> OneTimeCode:
    """Store a new code for one purpose and one subject; `allowed` a window for one customer.

    Raises:
        CustomerNotFound
        TooManyCodes: the customer was sent as many as may be.
    """
    await registers.customer(session, customer_id=wanted.customer_id)
    await repository.lock_customer(session, wanted.customer_id)
    sent_at = await repository.sent_since(
        session, customer_id=wanted.customer_id, since=now - CODE_WINDOW
    )
    wait_s = code_wait_s(sent_at, allowed=allowed, now=now)
    if wait_s is not None:
        raise TooManyCodes(headers={"Retry-After": str(wait_s)})
    made = OneTimeCode(
        challenge_id=challenge_id,
        customer_id=wanted.customer_id,
        purpose=wanted.purpose,
        subject=wanted.subject,
        code_hash=hash_code(key=key, challenge_id=challenge_id, code=code),
        sent_at=now,
    )
    await repository.insert_code(session, made)
    return made


async def try_once(
    session: Session, *, challenge_id: UUID, tried: CodeTry, key: bytes, now: datetime
) -> CodeVerdict:
    """The verdict on one try, which is counted: the caller commits before it tells.

    Raises:
        ChallengeNotFound
    """
    sent = await repository.code_locked(session, challenge_id)
    if sent is None:
        raise ChallengeNotFound
    verdict = try_code(sent, tried, key=key, now=now)
    kept = after_try(sent, verdict, now=now)
    if kept != sent:
        await repository.keep_try(session, kept)
    return verdict


async def forget_old(session: Session, *, now: datetime) -> int:
    """Delete a bounded number of old codes; how many."""
    return await repository.forget_old_codes(session, before=now - KEEP_CODES)
