"""Use cases of accounts. Each runs inside the one transaction that its caller opened."""

from datetime import date, datetime
from typing import Literal

from services.ledger import repository
from services.ledger.accounts import repository as entries
from services.ledger.domain import (
    AccountExists,
    AccountNotFound,
    AccountRow,
    ChartLineNotFound,
    InsufficientFunds,
)
from shared.contracts.events.audit import StaffActed
from shared.contracts.events.envelope import Event
from shared.contracts.events.ledger import AccountFrozen, AccountOpened
from shared.contracts.http import ledger as contract
from shared.kit import outbox
from shared.kit.auth import Caller
from shared.kit.clock import bank_date
from shared.kit.database import AnySession, Session
from shared.kit.idempotency import body_hash

SOURCE = "ledger"


async def open_account(
    session: Session, *, body: contract.OpenAccount, now: datetime
) -> contract.Account:
    """Open an account under the caller's number; the same request again finds it open.

    Raises:
        ChartLineNotFound: the chart has no such line.
        AccountExists: the number is taken by another account.
    """
    digest = body_hash(body)
    if not await repository.has_chart_line(session, body.chart_code):
        raise ChartLineNotFound(field="chart_code", expected="a code of GET /v1/chart")
    opened_on = body.opened_on or bank_date(now)
    created = await repository.insert_account(
        session,
        account_id=body.account_id,
        chart_code=body.chart_code,
        currency=body.currency,
        holder_id=body.holder_id,
        floor_minor=body.floor_minor,
        opened_on=opened_on,
        body_hash=digest,
        now=now,
    )
    row = await _account(session, body.account_id)
    if created:
        event = AccountOpened(
            account_id=body.account_id,
            holder_id=body.holder_id,
            currency=body.currency,
            opened_on=opened_on,
        )
        await outbox.add(session, source=SOURCE, now=now, events=[event])
    elif row.body_hash != digest:
        raise AccountExists(field="account_id", expected="a number that is free")
    return _reply(row)


async def read_account(session: AnySession, *, account_id: str) -> contract.Account:
    return _reply(await _account(session, account_id))


async def list_accounts(
    session: AnySession,
    *,
    holder_id: str | None,
    chart_code: str | None,
    after: str | None,
    limit: int,
) -> contract.AccountPage:
    """Accounts in the order of their numbers, `limit` a page."""
    rows = await repository.account_page(
        session, holder_id=holder_id, chart_code=chart_code, after=after, limit=limit
    )
    return contract.AccountPage(
        items=[_reply(row) for row in rows],
        next_after=rows[-1].account_id if len(rows) == limit else None,
    )


async def set_frozen(
    session: Session, *, account_id: str, frozen: bool, reason: str, caller: Caller, now: datetime
) -> contract.Account:
    """Stop or allow debits and holds; credits still arrive (只收不付)."""
    if await repository.account_locked(session, account_id) is None:
        raise AccountNotFound(f"There is no account {account_id}")
    await repository.set_frozen(session, account_id, frozen=frozen)
    events: list[Event] = [AccountFrozen(account_id=account_id, frozen=frozen, reason=reason)]
    action = "account.freeze" if frozen else "account.unfreeze"
    events += audit(caller, action=action, subject=account_id, reason=reason, now=now)
    await outbox.add(session, source=SOURCE, now=now, events=events)
    return _reply(await _account(session, account_id))


async def set_floor(
    session: Session,
    *,
    account_id: str,
    floor_minor: int | None,
    reason: str,
    caller: Caller,
    now: datetime,
) -> contract.Account:
    """Change the lowest balance that a debit may leave.

    Raises:
        InsufficientFunds: the account is below the new floor already.
    """
    row = await repository.account_locked(session, account_id)
    if row is None:
        raise AccountNotFound(f"There is no account {account_id}")
    if floor_minor is not None and row.balance.posted_minor - row.balance.held_minor < floor_minor:
        raise InsufficientFunds(
            "The account is below this floor already",
            field="floor_minor",
            expected="a floor at or below posted - held",
        )
    await repository.set_floor(session, account_id, floor_minor=floor_minor)
    events = audit(caller, action="account.floor", subject=account_id, reason=reason, now=now)
    await outbox.add(session, source=SOURCE, now=now, events=events)
    return _reply(await _account(session, account_id))


async def balance_as_of(
    session: AnySession, *, account_id: str, by: Literal["value", "booking"], on: date
) -> contract.BalanceAsOf:
    """The balance at the end of the day `on`, by the entries known now."""
    row = await _account(session, account_id)
    posted = await repository.sum_until(session, account_id, by=by, on=on, inclusive=True)
    return contract.BalanceAsOf(
        account_id=account_id, currency=row.currency, by=by, on=on, posted_minor=posted
    )


async def statement(
    session: AnySession,
    *,
    account_id: str,
    by: Literal["value", "booking"],
    first: date,
    last: date,
    after: int,
    limit: int,
) -> contract.StatementPage:
    """Entries of the days `first` to `last`, both included, with the balances around them."""
    await _account(session, account_id)
    rows = await repository.entries(
        session, account_id, by=by, first=first, last=last, after=after, limit=limit
    )
    opening = await repository.sum_until(session, account_id, by=by, on=first, inclusive=False)
    closing = await repository.sum_until(session, account_id, by=by, on=last, inclusive=True)
    return contract.StatementPage(
        account_id=account_id,
        by=by,
        opening_minor=opening,
        closing_minor=closing,
        entries=[contract.StatementEntry.model_validate(row, from_attributes=True) for row in rows],
        next_after=rows[-1].entry_no if len(rows) == limit else None,
    )


async def list_entries(
    session: Session,
    *,
    account_id: str,
    first: date,
    last: date,
    direction: contract.Direction | None,
    offset: int,
    limit: int,
) -> contract.EntryPage:
    """Entries booked on the days `first` to `last`, and how many they are in all."""
    await _account(session, account_id)
    matching = entries.booked(account_id, first=first, last=last, direction=direction)
    rows = await entries.part(session, matching, offset=offset, limit=limit)
    return contract.EntryPage(
        account_id=account_id,
        total=await entries.count(session, matching),
        items=[contract.Entry.model_validate(row, from_attributes=True) for row in rows],
    )


async def chart(session: AnySession) -> list[contract.ChartLine]:
    rows = await repository.chart_lines(session)
    return [contract.ChartLine.model_validate(row, from_attributes=True) for row in rows]


def _reply(row: AccountRow) -> contract.Account:
    return contract.Account(
        account_id=row.account_id,
        chart_code=row.chart_code,
        currency=row.currency,
        holder_id=row.holder_id,
        floor_minor=row.balance.floor_minor,
        frozen=row.frozen,
        opened_on=row.opened_on,
        balance=contract.Balance(
            posted_minor=row.balance.posted_minor,
            held_minor=row.balance.held_minor,
            available_minor=row.balance.available_minor(),
        ),
    )


async def _account(session: AnySession, account_id: str) -> AccountRow:
    row = await repository.account(session, account_id)
    if row is None:
        raise AccountNotFound(f"There is no account {account_id}")
    return row


def audit(caller: Caller, *, action: str, subject: str, reason: str, now: datetime) -> list[Event]:
    """What a member of staff did, for the bank's audit log; a service's own acts are not."""
    if caller.staff_id is None:
        return []
    return [
        StaffActed(
            service=SOURCE,
            staff_id=caller.staff_id,
            action=action,
            subject=subject,
            reason=reason,
            at=now,
        )
    ]
