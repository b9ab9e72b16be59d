"""Use cases of transfers. A batch is one statement; a reversal runs in its caller's transaction."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.ledger import repository
from services.ledger.accounts.service import SOURCE, audit
from services.ledger.domain import (
    REFUSALS,
    AlreadyReversed,
    Leg,
    NotReversible,
    Outcome,
    Transfer,
    TransferExists,
    TransferNotFound,
    TransferRow,
    TransferTwiceInBatch,
    UnbalancedTransfer,
    check_balanced,
    reversed_legs,
)
from services.ledger.events import telling
from shared.contracts.http import ledger as contract
from shared.kit import outbox, tracing
from shared.kit.auth import Caller
from shared.kit.clock import bank_date
from shared.kit.database import AnySession, Session
from shared.kit.idempotency import body_hash
from shared.kit.problems import BankError
from shared.kit.tracing import Trace


@dataclass(frozen=True, slots=True)
class Order:
    """One transfer to be posted and the trace of the request that asked for it."""

    item: Transfer
    trace: Trace | None


def order_of(body: contract.PostTransfer, *, now: datetime) -> Order:
    """The order that a request gives.

    Raises:
        UnbalancedTransfer: debits and credits differ.
    """
    item = _transfer(body, now)
    check_balanced(item.legs)
    return Order(item, tracing.current())


async def post_orders(
    session: AnySession, *, orders: Sequence[Order], now: datetime
) -> list[contract.Transfer | BankError]:
    """Post the orders of several requests in their order, each for itself; ids must differ.

    Gives for each what was posted, now or before, or the error that refused it.
    """
    batch = [order.item for order in orders]
    told = telling(now=now, traces=[order.trace for order in orders])
    outcomes = await repository.post(session, batch, now=now, telling=told)
    replies: list[contract.Transfer | BankError] = []
    for item, outcome in zip(batch, outcomes, strict=True):
        if outcome.posted is not None:
            legs = zip(item.legs, outcome.posted.balances, strict=True)
            replies.append(_transfer_reply(item, legs, now))
        elif outcome.kind == "duplicate":
            replies.append(await read_transfer(session, transfer_id=item.transfer_id))
        else:
            replies.append(_refusal(outcome))
    return replies


async def post_transfers(
    session: AnySession, *, body: contract.PostTransfers, now: datetime
) -> contract.BulkResult:
    """Post a batch in order, each transfer for itself; answers come in the same order.

    Raises:
        TransferTwiceInBatch: one id stands in the batch twice; nothing was posted.
    """
    batch = [_transfer(item, now) for item in body.transfers]
    _check_ids_differ(batch)
    unbalanced = {
        item.transfer_id: refusal for item in batch if (refusal := _unbalanced(item)) is not None
    }
    sound = [item for item in batch if item.transfer_id not in unbalanced]
    told = telling(now=now, traces=[tracing.current()] * len(sound))
    outcomes = await repository.post(session, sound, now=now, telling=told) if sound else []
    by_id = {item.transfer_id: outcome for item, outcome in zip(sound, outcomes, strict=True)}
    again = [key for key, outcome in by_id.items() if outcome.kind == "duplicate"]
    known = await repository.postings_of(session, again) if again else {}
    items = []
    for item in batch:
        if item.transfer_id in unbalanced:
            reply = _refused_item(item.transfer_id, unbalanced[item.transfer_id])
        else:
            legs = known.get(item.transfer_id, [])
            reply = _bulk_item(item, by_id[item.transfer_id], [after for _, after in legs])
        items.append(reply)
    return contract.BulkResult(items=items)


async def post_one(session: Session, item: Transfer, *, now: datetime) -> Outcome:
    """Post one transfer, or raise what refused it. A repeated one is a `duplicate`."""
    told = telling(now=now, traces=[tracing.current()])
    (outcome,) = await repository.post(session, [item], now=now, telling=told)
    if outcome.kind in {"conflict", "refused"}:
        raise _refusal(outcome)
    return outcome


async def reverse_transfer(
    session: Session,
    *,
    transfer_id: UUID,
    body: contract.ReverseTransfer,
    caller: Caller,
    now: datetime,
) -> contract.Transfer:
    """Post the opposite of a transfer, naming it. Each is reversed once at the most.

    Raises:
        TransferNotFound, NotReversible, AlreadyReversed, or what refuses a posting.
    """
    original = await repository.transfer(session, transfer_id)
    if original is None:
        raise TransferNotFound(f"There is no transfer {transfer_id}")
    if original.reverses is not None:
        raise NotReversible(f"Transfer {transfer_id} is itself a reversal")
    legs = (await repository.postings_of(session, [transfer_id]))[transfer_id]
    booking_date = body.booking_date or bank_date(now)
    item = Transfer(
        transfer_id=body.reversal_id,
        kind="reversal",
        value_date=body.value_date or booking_date,
        booking_date=booking_date,
        reference=body.reason,
        reverses=transfer_id,
        legs=reversed_legs([leg for leg, _ in legs]),
        body_hash=body_hash(body),
    )
    known = await repository.transfer(session, body.reversal_id)
    if known is None and await repository.is_reversed(session, transfer_id):
        raise AlreadyReversed(f"Transfer {transfer_id} has been reversed")
    outcome = await post_one(session, item, now=now)
    if outcome.kind == "posted":
        subject = str(transfer_id)
        events = audit(
            caller, action="transfer.reverse", subject=subject, reason=body.reason, now=now
        )
        await outbox.add(session, source=SOURCE, now=now, events=events)
    return await read_transfer(session, transfer_id=body.reversal_id)


async def read_transfer(session: AnySession, *, transfer_id: UUID) -> contract.Transfer:
    row = await repository.transfer(session, transfer_id)
    if row is None:
        raise TransferNotFound(f"There is no transfer {transfer_id}")
    legs = (await repository.postings_of(session, [transfer_id]))[transfer_id]
    return _transfer_reply(row, legs, row.recorded_at)


def _transfer_reply(
    row: Transfer | TransferRow, legs: Iterable[tuple[Leg, int]], recorded_at: datetime
) -> contract.Transfer:
    return contract.Transfer(
        transfer_id=row.transfer_id,
        kind=row.kind,
        value_date=row.value_date,
        booking_date=row.booking_date,
        recorded_at=recorded_at,
        reference=row.reference,
        reverses=row.reverses,
        postings=[
            contract.Posting(
                account_id=leg.account_id,
                amount_minor=leg.amount_minor,
                currency=leg.currency,
                balance_minor=after,
            )
            for leg, after in legs
        ],
    )


def _transfer(body: contract.PostTransfer, now: datetime) -> Transfer:
    booking_date = body.booking_date or bank_date(now)
    return Transfer(
        transfer_id=body.transfer_id,
        kind=body.kind,
        value_date=body.value_date or booking_date,
        booking_date=booking_date,
        reference=body.reference,
        reverses=None,
        legs=tuple(
            Leg(
                leg.account_id,
                leg.amount_minor if leg.direction == "credit" else -leg.amount_minor,
                leg.currency,
            )
            for leg in body.legs
        ),
        body_hash=body_hash(body),
    )


def _check_ids_differ(batch: Sequence[Transfer]) -> None:
    seen: set[UUID] = set()
    for place, item in enumerate(batch):
        if item.transfer_id in seen:
            raise TransferTwiceInBatch(
                field=f"transfers.{place}.transfer_id", expected="an id that stands here once"
            )
        seen.add(item.transfer_id)


def _unbalanced(item: Transfer) -> BankError | None:
    try:
        check_balanced(item.legs)
    except UnbalancedTransfer as error:
        return error
    return None


def _refusal(outcome: Outcome) -> BankError:
    """The error of an outcome that posted nothing."""
    if outcome.refused is None:
        return id_taken()
    return refused(outcome.refused.code, leg=outcome.refused.leg)


def id_taken() -> BankError:
    return TransferExists(field="transfer_id", expected="an id that no other transfer has")


def refused(code: str, *, leg: int | None) -> BankError:
    """The error by the database's code; `leg` is the place of the leg at fault, from 0."""
    error = REFUSALS[code]
    return error(field=None if leg is None else f"legs.{leg}.account_id", expected=error.title)


def _refused_item(transfer_id: UUID, error: BankError) -> contract.BulkItem:
    return contract.BulkItem(
        transfer_id=transfer_id,
        outcome="refused",
        refusal=contract.Refusal(code=error.code, detail=error.detail, field=error.field),
    )


def _bulk_item(item: Transfer, outcome: Outcome, known: list[int]) -> contract.BulkItem:
    if outcome.kind in {"conflict", "refused"}:
        return _refused_item(item.transfer_id, _refusal(outcome))
    balances = list(outcome.posted.balances) if outcome.posted else known
    return contract.BulkItem(
        transfer_id=item.transfer_id,
        outcome="posted" if outcome.posted else "duplicate",
        balances=balances,
    )
