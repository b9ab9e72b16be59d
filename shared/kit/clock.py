"""Time and ids come in as arguments; here are the ones that a running bank uses."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from uuid import UUID

from uuid_utils.compat import uuid7

Clock = Callable[[], datetime]
NewId = Callable[[], UUID]


def utc_now() -> datetime:
    """The wall clock, aware, in UTC."""
    return datetime.now(UTC)


def new_id() -> UUID:
    """A UUIDv7 (RFC 9562): unique without coordination, and rising with time in an index."""
    return UUID(int=uuid7().int)


#: The bank's day is China's (UTC+8, no summer time).
BANK_TIME = timezone(timedelta(hours=8))


def bank_date(now: datetime) -> date:
    """The bank's calendar day at the instant `now`."""
    return now.astimezone(BANK_TIME).date()
