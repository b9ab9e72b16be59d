"""Loads a checked book into a running bank, over the services' own HTTP APIs.

Everything has an id made here from the book, and every call may be repeated: an import that was
killed is started again from the beginning and finds what is there.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass

from deploy.book import postings, registers
from deploy.book.bank_client import BankClient, BankRefused
from deploy.book.checks import steps_by_account
from deploy.book.ordering import Step
from deploy.book.reconciliation import ClosingBalance, Posted, Tally
from deploy.book.records import Book
from deploy.book.registers import DEPOSITS, batches
from shared.contracts.http import identity, ledger

# Small enough for a busy machine to answer in time; a larger one is hardly faster.
POSTING_BATCH = 500
# While the ledger stores one batch it reads the next; both wait for the bank's own accounts.
LANES = 2
OPENINGS_AT_ONCE = 8
PAGE = 1_000
ACCOUNT_EXISTS = "account_exists"

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did: the comparison of every row, and the closing balances."""

    tally: Tally
    closing: list[ClosingBalance]


async def import_book(book: Book, client: BankClient, *, progress: Progress) -> Imported:
    """Loads a book that was checked; raises `BankRefused` where a service refuses.

    `progress` is told what is loaded, how many are done and how many there are. A refused
    transfer does not end the import: it is unexplained, with the ledger's reason.
    """
    steps = steps_by_account(book)
    # All made before the first is sent: what does not fit the bank is found in time.
    requests = registers.requests(book)
    currencies = [book.about.currency, *(account.currency for account in book.accounts)]
    own = postings.own_account_openings(currencies)
    openings = registers.account_openings(book)
    for number, request in enumerate(requests, start=1):
        await client.call(
            request.service, "POST", request.path, body=request.body, reply=identity.BulkCount
        )
        progress(request.what, number, len(requests))
    await _open_accounts(client, [*own, *openings], progress)
    await _post_openings(book, client)
    tally = Tally(book)
    await _post(book, steps, client, tally, progress)
    return Imported(tally, await _closing_balances(book, client))


async def _together(work: Iterable[Coroutine[None, None, None]]) -> None:
    """Runs all at once; the first failure ends the others and is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            for one in work:
                group.create_task(one)
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None


async def _open_accounts(
    client: BankClient, openings: Sequence[ledger.OpenAccount], progress: Progress
) -> None:
    done = 0
    slots = asyncio.Semaphore(OPENINGS_AT_ONCE)

    async def open_one(opening: ledger.OpenAccount) -> None:
        nonlocal done
        async with slots:
            await _open_account(client, opening)
        done += 1
        progress("accounts", done, len(openings))

    await _together(open_one(opening) for opening in openings)


async def _open_account(client: BankClient, opening: ledger.OpenAccount) -> None:
    try:
        await client.call("ledger", "POST", "/v1/accounts", body=opening, reply=ledger.Account)
    except BankRefused as error:
        if error.code != ACCOUNT_EXISTS:
            raise
        raise BankRefused(
            f"account {opening.account_id} is open in the bank on other terms; "
            "give the book the same terms or another id_prefix",
            code=error.code,
        ) from None


async def _post_openings(book: Book, client: BankClient) -> None:
    transfers = [
        transfer
        for account in book.accounts
        if (transfer := postings.opening_transfer(book, account)) is not None
    ]
    for batch in batches(transfers, POSTING_BATCH):
        for transfer, item in zip(batch, await _post_batch(client, batch), strict=True):
            if item.refusal is not None:
                raise BankRefused(
                    f"the ledger refused the opening balance of {transfer.legs[0].account_id}: "
                    f"{item.refusal.detail}"
                )


async def _post(
    book: Book,
    steps: dict[str, list[Step]],
    client: BankClient,
    tally: Tally,
    progress: Progress,
) -> None:
    inside = frozenset(account.id for account in book.accounts)
    done = 0

    async def run(lane: list[Step]) -> None:
        nonlocal done
        for batch in batches(lane, POSTING_BATCH):
            transfers = [postings.transfer_of(book, step, inside=inside) for step in batch]
            sent = [transfer for transfer in transfers if transfer is not None]
            answers = {item.transfer_id: item for item in await _post_batch(client, sent)}
            for step, transfer in zip(batch, transfers, strict=True):
                item = answers[transfer.transfer_id] if transfer else None
                tally.add(step, _posted(transfer, item) if transfer and item else None)
            done += len(batch)
            progress("transactions", done, len(book.entries))

    streams = postings.lanes(steps, LANES)
    started = time.perf_counter()
    await _together(run(stream) for stream in streams)
    tally.seconds = time.perf_counter() - started


async def _post_batch(
    client: BankClient, transfers: list[ledger.PostTransfer]
) -> list[ledger.BulkItem]:
    if not transfers:
        return []
    result = await client.call(
        "ledger",
        "POST",
        "/v1/transfers/bulk",
        body=ledger.PostTransfers(transfers=transfers),
        reply=ledger.BulkResult,
    )
    return result.items


def _posted(transfer: ledger.PostTransfer, item: ledger.BulkItem) -> Posted:
    """What the ledger answered for a row's transfer."""
    if item.refusal is not None or not item.balances:
        detail = item.refusal.detail if item.refusal else "it answered no balance"
        return Posted(None, 0, new=False, refusal=f"the ledger refused it: {detail}")
    # Legs come in pairs, the customer's first: the last pair's tells the balance after the row.
    return Posted(item.balances[-2], len(transfer.legs), new=item.outcome == "posted")


async def _closing_balances(book: Book, client: BankClient) -> list[ClosingBalance]:
    """The balance of every account of the book, as the ledger lists them page by page."""
    sources = {book.about.id_prefix + account.id: account.id for account in book.accounts}
    found: dict[str, ClosingBalance] = {}
    after: str | None = None
    while True:
        params = {"chart_code": DEPOSITS, "limit": str(PAGE)} | ({"after": after} if after else {})
        page = await client.call(
            "ledger", "GET", "/v1/accounts", params=params, reply=ledger.AccountPage
        )
        for account in page.items:
            source = sources.get(account.account_id)
            if source is not None:
                balance = account.balance.posted_minor
                found[source] = ClosingBalance(source, account.currency, balance)
        after = page.next_after
        if after is None:
            return [found[account.id] for account in book.accounts]
