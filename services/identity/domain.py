"""The rules of identity's registers: who of the staff may do what, and how a batch is read.

Sign-in and one-time codes have rules of their own, in their folders.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from shared.kit.problems import BankError, Conflict, InvalidRequest, NotFound


class CustomerNotFound(NotFound):
    code, title = "customer_not_found", "There is no such customer"


class CustomerUnknown(BankError):
    status, code, title = 422, "customer_unknown", "The batch names a customer who does not exist"


class CustomerExists(Conflict):
    code, title = "customer_exists", "Another customer has this id"


class RightExists(Conflict):
    code, title = "right_exists", "The customer has another right to this account"


class OwnerExists(Conflict):
    code, title = "owner_exists", "The account has another owner"


class RecordExists(Conflict):
    code, title = "record_exists", "Another record has this id"


class BadPlace(InvalidRequest):
    code, title = "bad_place", "There is no such place in the log"


#: Who may do what. An admin keeps the staff, and does not get the rest with it.
KEEPS_CUSTOMERS = ("operator",)
KEEPS_STAFF = ("admin",)
ALL_STAFF = ("operator", "reviewer", "admin")


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


@dataclass(frozen=True, slots=True)
class LogPlace:
    """A place in the audit log: before it stands what is older."""

    at: datetime
    event_id: UUID

    def written(self) -> str:
        return f"{self.at.isoformat()}_{self.event_id}"


def read_place(text: str) -> LogPlace:
    """The place that `written` wrote.

    Raises:
        BadPlace: it is none.
    """
    at, _, event_id = text.partition("_")
    try:
        place = LogPlace(datetime.fromisoformat(at), UUID(event_id))
    except ValueError:
        place = None
    if place is None or place.at.tzinfo is None:
        raise BadPlace(field="before", expected="`next_before` of the page before this one")
    return place
