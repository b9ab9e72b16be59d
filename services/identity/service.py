"""Use cases of the registers and of the audit log: each is one transaction's work."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime

from services.identity import repository
from services.identity.domain import (
    CustomerExists,
    CustomerNotFound,
    CustomerUnknown,
    Entry,
    LogPlace,
    OwnerExists,
    RecordExists,
    RightExists,
    fingerprint,
    read_batch,
    read_place,
)
from shared.contracts.events.audit import StaffActed
from shared.contracts.events.identity import AccountRightGranted, CustomerRegistered
from shared.contracts.http import identity as http
from shared.kit import outbox
from shared.kit.auth import Caller
from shared.kit.clock import bank_date
from shared.kit.consumers import Delivery
from shared.kit.database import Session

SOURCE = "identity"
#: A customer has a handful of accounts and records; nobody reads more in one answer.
MAX_LISTED = 1_000


async def register_customers(
    session: Session, *, batch: http.RegisterCustomers, caller: Caller, now: datetime
) -> http.BulkCount:
    """Store a batch as a whole; one that is there already, equal in every field, is left alone.

    Raises:
        CustomerExists: an id has another content, in the batch or in the register.
    """
    hashes = [fingerprint(item.model_dump(mode="json")) for item in batch.customers]
    read = read_batch(
        [Entry(item.customer_id, mark) for item, mark in zip(batch.customers, hashes, strict=True)]
    )
    if read.conflict is not None:
        raise CustomerExists(f"The batch tells customer {read.conflict} two ways")
    items = [batch.customers[place] for place in read.places]
    marks = {batch.customers[place].customer_id: hashes[place] for place in read.places}
    days = [item.registered_on or bank_date(now) for item in items]
    new = await repository.insert_customers(
        session, items=items, hashes=list(marks.values()), registered_on=days, now=now
    )
    known = await repository.customer_hashes(session, marks.keys() - new)
    for customer_id in sorted(known):
        if known[customer_id] != marks[customer_id]:
            raise CustomerExists(f"Customer {customer_id} is registered with other content")
    events = [
        CustomerRegistered(customer_id=item.customer_id, registered_on=day, district=item.district)
        for item, day in zip(items, days, strict=True)
        if item.customer_id in new
    ]
    await outbox.add(session, source=SOURCE, now=now, events=events)
    await _tell_bulk(session, "customers.register", new, caller=caller, now=now)
    return http.BulkCount(created=len(new), unchanged=len(batch.customers) - len(new))


async def customer(session: Session, *, customer_id: str) -> http.Customer:
    """One customer.

    Raises:
        CustomerNotFound
    """
    row = await repository.customer(session, customer_id)
    if row is None:
        raise CustomerNotFound(f"There is no customer {customer_id}")
    return http.Customer.model_validate(row, from_attributes=True)


async def customer_page(session: Session, *, after: str, limit: int) -> http.CustomerPage:
    """Customers in the order of their ids, those after `after`."""
    rows = await repository.customer_page(session, after=after, limit=limit + 1)
    items = [http.Customer.model_validate(row, from_attributes=True) for row in rows[:limit]]
    return http.CustomerPage(
        items=items, next_after=items[-1].customer_id if len(rows) > limit else None
    )


async def grant_rights(
    session: Session, *, batch: http.GrantRights, caller: Caller, now: datetime
) -> http.BulkCount:
    """Store a batch as a whole; a right that is there already is left alone.

    Raises:
        CustomerUnknown: a customer is not registered.
        RightExists: a customer has another right to the account, or the batch tells two.
        OwnerExists: an account would have a second owner.
    """
    entries = [
        Entry(f"{item.account_id} {item.customer_id}", item.right.encode()) for item in batch.rights
    ]
    read = read_batch(entries)
    if read.conflict is not None:
        raise RightExists(f"The batch gives two rights for {read.conflict}")
    items = [batch.rights[place] for place in read.places]
    await _check_customers(session, (item.customer_id for item in items))
    new = await repository.insert_rights(session, items=items, now=now)
    old = [item for item in items if (item.account_id, item.customer_id) not in new]
    await _check_rights(session, old)
    events = [
        AccountRightGranted(
            customer_id=item.customer_id, account_id=item.account_id, right=item.right
        )
        for item in items
        if (item.account_id, item.customer_id) in new
    ]
    await outbox.add(session, source=SOURCE, now=now, events=events)
    told = [account_id for account_id, _ in new]
    await _tell_bulk(session, "account_rights.grant", told, caller=caller, now=now)
    return http.BulkCount(created=len(new), unchanged=len(batch.rights) - len(new))


async def _check_rights(session: Session, items: Sequence[http.GrantRight]) -> None:
    """What was not stored must be there already, just as it was asked for."""
    if not items:
        return
    rows = await repository.rights_of_accounts(session, {item.account_id for item in items})
    held = {(row.account_id, row.customer_id): row.right for row in rows}
    for item in items:
        right = held.get((item.account_id, item.customer_id))
        if right is None:
            raise OwnerExists(f"Account {item.account_id} has another owner")
        if right != item.right:
            raise RightExists(
                f"Customer {item.customer_id} is {right} of account {item.account_id}"
            )


async def rights_of_customer(session: Session, *, customer_id: str) -> http.AccountRights:
    """The accounts that a customer may use, in the order of their numbers.

    Raises:
        CustomerNotFound
    """
    await customer(session, customer_id=customer_id)
    rows = await repository.rights_of_customer(session, customer_id, limit=MAX_LISTED)
    return http.AccountRights(
        items=[http.AccountRight.model_validate(r, from_attributes=True) for r in rows]
    )


async def rights_of_account(session: Session, *, account_id: str) -> http.AccountRights:
    """Who may use an account; nobody where the account is not known here."""
    rows = await repository.rights_of_accounts(session, [account_id])
    return http.AccountRights(
        items=[http.AccountRight.model_validate(r, from_attributes=True) for r in rows]
    )


async def keep_records(
    session: Session, *, batch: http.ReferenceRecords, caller: Caller, now: datetime
) -> http.BulkCount:
    """Store a batch as a whole; a record that is there already, equal, is left alone.

    Raises:
        CustomerUnknown: a customer is not registered.
        RecordExists: an id has another content, in the batch or in the register.
    """
    hashes = [fingerprint(item.model_dump(mode="json")) for item in batch.records]
    read = read_batch(
        [Entry(item.record_id, mark) for item, mark in zip(batch.records, hashes, strict=True)]
    )
    if read.conflict is not None:
        raise RecordExists(f"The batch tells record {read.conflict} two ways")
    items = [batch.records[place] for place in read.places]
    marks = {batch.records[place].record_id: hashes[place] for place in read.places}
    await _check_customers(session, (item.customer_id for item in items))
    new = await repository.insert_records(
        session,
        items=items,
        facts=[json.dumps(item.facts, ensure_ascii=False) for item in items],
        hashes=list(marks.values()),
        now=now,
    )
    known = await repository.record_hashes(session, marks.keys() - new)
    for record_id in sorted(known):
        if known[record_id] != marks[record_id]:
            raise RecordExists(f"Record {record_id} is stored with other content")
    await _tell_bulk(session, "reference_records.keep", new, caller=caller, now=now)
    return http.BulkCount(created=len(new), unchanged=len(batch.records) - len(new))


async def records_of_customer(session: Session, *, customer_id: str) -> http.ReferenceRecordList:
    """The cards and loans of a customer.

    Raises:
        CustomerNotFound
    """
    await customer(session, customer_id=customer_id)
    rows = await repository.records_of_customer(session, customer_id, limit=MAX_LISTED)
    return http.ReferenceRecordList(
        items=[
            http.ReferenceRecord(
                record_id=row.record_id,
                customer_id=row.customer_id,
                account_id=row.account_id,
                kind=row.kind,
                facts=row.facts,
            )
            for row in rows
        ]
    )


async def _check_customers(session: Session, ids: Iterable[str]) -> None:
    unknown = await repository.unknown_customer(session, set(ids))
    if unknown is not None:
        raise CustomerUnknown(f"There is no customer {unknown}")


async def _tell_bulk(
    session: Session, action: str, keys: Iterable[str], *, caller: Caller, now: datetime
) -> None:
    """One audit entry for a batch that changed something: how many, and the first and the last."""
    changed = sorted(keys)
    if changed:
        subject = f"{len(changed)}: {changed[0]}..{changed[-1]}"
        await tell(session, action=action, subject=subject, caller=caller, now=now)


async def tell(
    session: Session,
    *,
    action: str,
    subject: str,
    caller: Caller,
    now: datetime,
    reason: str = "",
) -> None:
    """Write what a member of staff did, in the transaction in which it was done."""
    acted = StaffActed(
        service=SOURCE,
        staff_id=caller.staff_id or caller.service,
        action=action,
        subject=subject,
        reason=reason,
        at=now,
    )
    await outbox.add(session, source=SOURCE, now=now, events=[acted])


async def keep_audit(session: Session, *, deliveries: Sequence[Delivery]) -> None:
    """Keep what staff did, as the services told it."""
    entries = [{"event_id": item.event_id, **item.event.model_dump()} for item in deliveries]
    await repository.insert_audit_entries(session, entries)


async def audit_page(session: Session, *, before: str | None, limit: int) -> http.AuditPage:
    """The audit log, newest first.

    Raises:
        BadPlace: `before` is no place in the log.
    """
    place = read_place(before) if before is not None else None
    rows = await repository.audit_page(session, before=place, limit=limit + 1)
    items = [http.AuditEntry.model_validate(row, from_attributes=True) for row in rows[:limit]]
    more = len(rows) > limit
    last = LogPlace(items[-1].at, items[-1].event_id).written() if more else None
    return http.AuditPage(items=items, next_before=last)
