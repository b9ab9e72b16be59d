"""Use cases of the lists, each inside the one transaction that its caller opened."""

from datetime import datetime

from services.risk.lists import repository
from services.risk.lists.domain import Entry, Kind, ListName
from shared.contracts.events.audit import StaffActed
from shared.contracts.events.risk import ListEntryChanged
from shared.kit import outbox
from shared.kit.auth import Caller
from shared.kit.database import Session
from shared.kit.problems import BankError, InvalidRequest

SOURCE = "risk"


class EntryExists(BankError):
    status, code, title = 409, "list_entry_exists", "The list has this entry already"


class EntryNotFound(BankError):
    status, code, title = 404, "list_entry_not_found", "The list has no such entry"


async def add(
    session: Session, *, entry: Entry, caller: Caller, action: str = "", subject: str = ""
) -> Entry:
    """Put an entry on a list, from now on; one that has expired gives way.

    Raises EntryExists, and InvalidRequest: it would have expired already.
    """
    if entry.expires_at is not None and entry.expires_at <= entry.listed_at:
        raise InvalidRequest(field="expires_at", expected="a time in the future")
    if not await repository.insert_entry(session, entry):
        raise EntryExists(field="value", expected="an entity that is not on this list yet")
    words = action or f"list.{entry.list}.add", subject or f"{entry.kind}:{entry.value}"
    audit = _audit(caller, *words, reason=entry.reason, now=entry.listed_at)
    changed = _changed(entry, is_listed=True, now=entry.listed_at)
    await outbox.add(session, source=SOURCE, now=entry.listed_at, events=[audit, changed])
    return entry


async def remove(
    session: Session,
    *,
    name: ListName,
    kind: Kind,
    value: str,
    reason: str,
    caller: Caller,
    now: datetime,
    action: str = "",
    subject: str = "",
) -> Entry:
    """Take an entry off its list; what was listed. Raises EntryNotFound."""
    found = await repository.delete_entry(session, name=name, kind=kind, value=value, now=now)
    if found is None:
        raise EntryNotFound(f"The {name} list has no such {kind}")
    words = action or f"list.{name}.remove", subject or f"{kind}:{value}"
    audit = _audit(caller, *words, reason=reason, now=now)
    changed = _changed(found, is_listed=False, now=now)
    await outbox.add(session, source=SOURCE, now=now, events=[audit, changed])
    return found


def _changed(entry: Entry, *, is_listed: bool, now: datetime) -> ListEntryChanged:
    return ListEntryChanged(
        list=entry.list,
        kind=entry.kind,
        value=entry.value,
        is_listed=is_listed,
        expires_at=entry.expires_at,
        at=now,
    )


def _audit(caller: Caller, action: str, subject: str, *, reason: str, now: datetime) -> StaffActed:
    return StaffActed(
        service=SOURCE,
        staff_id=caller.staff_id or caller.service,
        action=action,
        subject=subject,
        reason=reason,
        at=now,
    )
