"""Use cases of holds. Each is one statement, but for `expire`, which needs a transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID

from services.ledger import service as ledger
from services.ledger.domain import (
    AccountFrozen,
    AccountNotFound,
    CurrencyMismatch,
    DestinationNotFound,
    InsufficientFunds,
)
from services.ledger.events import telling
from services.ledger.holds import repository
from services.ledger.holds.domain import (
    Capture,
    Captured,
    HoldExists,
    HoldNotFound,
    HoldRow,
    Placed,
    check_open,
    exceeded,
    not_open,
)
from shared.contracts.http import ledger as contract
from shared.kit import tracing
from shared.kit.clock import bank_date
from shared.kit.database import AnySession, Session
from shared.kit.idempotency import body_hash
from shared.kit.problems import BankError
from shared.kit.tracing import Trace

EXPIRE_BATCH = 200


@dataclass(frozen=True, slots=True)
class Placing:
    """One hold to be placed, as it was asked for."""

    body: contract.PlaceHold
    row: HoldRow


@dataclass(frozen=True, slots=True)
class Capturing:
    """One hold to be captured, and the trace of the request that asked for it."""

    hold_id: UUID
    body: contract.CaptureHold
    trace: Trace | None


def placing(body: contract.PlaceHold, *, now: datetime) -> Placing:
    row = HoldRow(
        hold_id=body.hold_id,
        account_id=body.account_id,
        destination_id=body.destination_id,
        amount_minor=body.amount_minor,
        currency=body.currency,
        state="placed",
        expires_at=now + timedelta(seconds=body.expires_in_s),
        transfer_id=None,
        body_hash=body_hash(body),
    )
    return Placing(body, row)


def capturing(hold_id: UUID, body: contract.CaptureHold) -> Capturing:
    return Capturing(hold_id, body, tracing.current())


async def place(
    session: AnySession, *, orders: Sequence[Placing], now: datetime
) -> list[contract.Hold | BankError]:
    """Reserve amounts in order, each for itself; the same request again answers the hold as it is.

    Gives for each the hold, or what refused it: AccountNotFound, DestinationNotFound,
    CurrencyMismatch, AccountFrozen or InsufficientFunds, and nothing was reserved; HoldExists,
    where the id is taken by another hold.
    """
    placed = await repository.place(session, [order.row for order in orders], now=now)
    return [
        _reply(it.hold, now) if it.outcome in {"placed", "known"} else _not_placed(order.body, it)
        for order, it in zip(orders, placed, strict=True)
    ]


def _not_placed(body: contract.PlaceHold, placed: Placed) -> BankError:
    match placed.outcome:
        case "hold_exists":
            return HoldExists(field="hold_id", expected="an id that no other hold has")
        case "account_not_found":
            said = f"There is no account {body.account_id}"
            return AccountNotFound(said, field="account_id", expected="an account")
        case "destination_not_found":
            said = f"There is no account {body.destination_id}"
            expected = "an account of this bank"
            return DestinationNotFound(said, field="destination_id", expected=expected)
        case "currency_mismatch":
            said = f"The account is kept in {placed.kept_in}"
            return CurrencyMismatch(said, field="currency", expected=placed.kept_in)
        case "account_frozen":
            return AccountFrozen(field="account_id", expected="an account that is not frozen")
        case _:
            expected = "at most what is available on the account"
            return InsufficientFunds(field="amount_minor", expected=expected)


async def read(session: AnySession, *, hold_id: UUID, now: datetime) -> contract.Hold:
    return _reply(_there(hold_id, await repository.hold(session, hold_id)), now)


async def extend(
    session: AnySession, *, hold_id: UUID, body: contract.ExtendHold, now: datetime
) -> contract.Hold:
    """Let a placed hold last `expires_in_s` from now.

    Raises:
        HoldNotFound, HoldNotOpen.
    """
    until = now + timedelta(seconds=body.expires_in_s)
    row = _there(hold_id, await repository.extend(session, hold_id, until=until, now=now))
    check_open(row, now=now)
    return _reply(row, now)


async def capture(
    session: AnySession, *, orders: Sequence[Capturing], now: datetime
) -> list[contract.Hold | BankError]:
    """Turn holds into transfers to their destinations; the same request again finds it done.

    Gives for each the hold, or what refused it: HoldNotFound, HoldNotOpen, HoldExceeded,
    TransferExists or what refuses a posting; then nothing of it moved.
    """
    captured = await repository.capture(
        session,
        [
            Capture(
                hold_id=order.hold_id,
                transfer_id=order.body.transfer_id,
                kind=order.body.kind,
                amount_minor=order.body.amount_minor,
                reference=order.body.reference,
                # of the hold too: one transfer id for two holds would end both and move one
                body_hash=sha256(order.hold_id.bytes + body_hash(order.body)).digest(),
            )
            for order in orders
        ],
        booked_on=bank_date(now),
        now=now,
        telling=telling(now=now, traces=[order.trace for order in orders]),
    )
    return [_of_capture(order, it, now) for order, it in zip(orders, captured, strict=True)]


def _of_capture(order: Capturing, captured: Captured, now: datetime) -> contract.Hold | BankError:
    hold = captured.hold
    if hold is None:
        return _no_hold(order.hold_id)
    match captured.outcome:
        case "captured":
            return _reply(hold, now)
        case "hold_not_open":
            return not_open(hold, now=now)
        case "hold_exceeded":
            return exceeded(hold.amount_minor)
        case "conflict":
            return ledger.id_taken()
        case code:
            return ledger.refused(code, leg=captured.fault_leg)


async def release(session: AnySession, *, hold_id: UUID, now: datetime) -> contract.Hold:
    """Free what was reserved; a hold that is free already stays so.

    Raises:
        HoldNotFound, or HoldNotOpen where it was captured.
    """
    row = _there(hold_id, await repository.release(session, hold_id))
    if row.state == "captured":
        raise not_open(row, now=now)
    return _reply(row, now)


async def expire(session: Session, *, now: datetime) -> int:
    """Free a bounded number of overdue holds; how many there were."""
    overdue = await repository.overdue(session, now=now, limit=EXPIRE_BATCH)
    await repository.lock_balances(session, [row.account_id for row in overdue])
    for row in overdue:
        await repository.end(session, row, state="expired")
    return len(overdue)


def _there(hold_id: UUID, row: HoldRow | None) -> HoldRow:
    if row is None:
        raise _no_hold(hold_id)
    return row


def _no_hold(hold_id: UUID) -> HoldNotFound:
    return HoldNotFound(f"There is no hold {hold_id}")


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
