"""Use cases of holds. Each runs inside the one transaction that its caller opened."""

from datetime import datetime, timedelta
from uuid import UUID

from services.ledger import service as ledger
from services.ledger.domain import (
    AccountFrozen,
    AccountNotFound,
    CurrencyMismatch,
    DestinationNotFound,
    InsufficientFunds,
    Leg,
    Transfer,
)
from services.ledger.holds import repository
from services.ledger.holds.domain import (
    HoldExists,
    HoldNotFound,
    HoldNotOpen,
    HoldRow,
    captured_amount,
    check_open,
)
from shared.contracts.http import ledger as contract
from shared.kit.clock import bank_date
from shared.kit.database import Session
from shared.kit.idempotency import body_hash

EXPIRE_BATCH = 200


async def place(session: Session, *, body: contract.PlaceHold, now: datetime) -> contract.Hold:
    """Reserve an amount; the same request again answers the hold as it is now.

    Raises:
        AccountNotFound, DestinationNotFound, CurrencyMismatch, AccountFrozen,
        InsufficientFunds: nothing was reserved.
        HoldExists: the id is taken by another hold.
    """
    digest = body_hash(body)
    known = await repository.hold(session, body.hold_id)
    if known is None:
        await _check_sides(session, body)
        wanted = HoldRow(
            hold_id=body.hold_id,
            account_id=body.account_id,
            destination_id=body.destination_id,
            amount_minor=body.amount_minor,
            currency=body.currency,
            state="placed",
            expires_at=now + timedelta(seconds=body.expires_in_s),
            transfer_id=None,
            body_hash=digest,
        )
        if await repository.place(session, wanted, now=now):
            return _reply(wanted, now)
        known = await repository.hold(session, body.hold_id)
    if known is None or known.body_hash != digest:
        raise HoldExists(field="hold_id", expected="an id that no other hold has")
    return _reply(known, now)


async def _check_sides(session: Session, body: contract.PlaceHold) -> None:
    row = await repository.sides_locked(session, body.account_id, body.destination_id)
    if row is None:
        raise AccountNotFound(
            f"There is no account {body.account_id}", field="account_id", expected="an account"
        )
    if row.destination_currency is None:
        raise DestinationNotFound(
            f"There is no account {body.destination_id}",
            field="destination_id",
            expected="an account of this bank",
        )
    for currency in (row.currency, row.destination_currency):
        if currency != body.currency:
            raise CurrencyMismatch(
                f"The account is kept in {currency}", field="currency", expected=currency
            )
    if row.frozen:
        raise AccountFrozen(field="account_id", expected="an account that is not frozen")
    # A repeated request that meets its own hold here is told apart by the caller's retry.
    if not repository.balance_of(row).carries(body.amount_minor):
        if await repository.hold(session, body.hold_id) is not None:
            return
        raise InsufficientFunds(
            field="amount_minor", expected="at most what is available on the account"
        )


async def read(session: Session, *, hold_id: UUID, now: datetime) -> contract.Hold:
    return _reply(await _hold(session, hold_id), now)


async def extend(
    session: Session, *, hold_id: UUID, body: contract.ExtendHold, now: datetime
) -> contract.Hold:
    """Let a placed hold last `expires_in_s` from now.

    Raises:
        HoldNotFound, HoldNotOpen.
    """
    row = await _hold(session, hold_id, lock=True)
    check_open(row, now=now)
    until = now + timedelta(seconds=body.expires_in_s)
    await repository.extend(session, hold_id, expires_at=until)
    return _reply(await _hold(session, hold_id), now)


async def capture(
    session: Session, *, hold_id: UUID, body: contract.CaptureHold, now: datetime
) -> contract.Hold:
    """Turn a hold into a transfer to its destination; the same request again finds it done.

    Raises:
        HoldNotFound, HoldNotOpen, HoldExceeded, AccountFrozen, TransferExists: nothing moved.
    """
    row = await _hold(session, hold_id, lock=True)
    if row.state == "captured" and row.transfer_id == body.transfer_id:
        return _reply(row, now)
    check_open(row, now=now)
    amount = captured_amount(row, body.amount_minor)
    await repository.lock_balances(session, [row.account_id, row.destination_id])
    await repository.end(session, row, state="captured", transfer_id=body.transfer_id)
    today = bank_date(now)
    transfer = Transfer(
        transfer_id=body.transfer_id,
        kind=body.kind,
        value_date=today,
        booking_date=today,
        reference=body.reference,
        reverses=None,
        legs=(
            Leg(row.account_id, -amount, row.currency),
            Leg(row.destination_id, amount, row.currency),
        ),
        body_hash=body_hash(body),
    )
    await ledger.post_one(session, transfer, now=now)
    return _reply(await _hold(session, hold_id), now)


async def release(session: Session, *, hold_id: UUID, now: datetime) -> contract.Hold:
    """Free what was reserved; a hold that is free already stays so.

    Raises:
        HoldNotFound, or HoldNotOpen where it was captured.
    """
    row = await _hold(session, hold_id, lock=True)
    if row.state == "captured":
        raise HoldNotOpen("The hold is captured")
    if row.state == "placed":
        await repository.end(session, row, state="released")
    return _reply(await _hold(session, hold_id), now)


async def expire(session: Session, *, now: datetime) -> int:
    """Free a bounded number of overdue holds; how many there were."""
    overdue = await repository.overdue(session, now=now, limit=EXPIRE_BATCH)
    await repository.lock_balances(session, [row.account_id for row in overdue])
    for row in overdue:
        await repository.end(session, row, state="expired")
    return len(overdue)


async def _hold(session: Session, hold_id: UUID, *, lock: bool = False) -> HoldRow:
    row = await repository.hold(session, hold_id, lock=lock)
    if row is None:
        raise HoldNotFound(f"There is no hold {hold_id}")
    return row


def _reply(row: HoldRow, now: datetime) -> contract.Hold:
    return contract.Hold(
        hold_id=row.hold_id,
        account_id=row.account_id,
        destination_id=row.destination_id,
        amount_minor=row.amount_minor,
        currency=row.currency,
        state=row.effective_state(now),
        expires_at=row.expires_at,
        transfer_id=row.transfer_id,
    )
