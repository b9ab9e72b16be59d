"""The import as a command: reads a book, loads it, says how far it is, leaves the reports."""

import asyncio
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from deploy.book.bank_client import BankAccess, BankClient
from deploy.book.importer import Imported, import_book
from deploy.book.records import Book
from deploy.book.refusal import Finding
from deploy.book.report import PAGE, write_reports

EVERY_S = 2.0
PRINTED_ROWS = 20


class ProgressLine:
    """One line that is written over on a terminal, and a line every few seconds elsewhere."""

    def __init__(self) -> None:
        self._what = ""
        self._shown_at = 0.0

    def __call__(self, what: str, done: int, total: int) -> None:
        """Shows that `done` of `total` are loaded, if it is time to."""
        now = time.monotonic()
        if done < total and what == self._what and now - self._shown_at < EVERY_S / 4:
            return
        terminal = sys.stdout.isatty()
        if not terminal and done < total and now - self._shown_at < EVERY_S:
            return
        self._what, self._shown_at = what, now
        text = f"  {what}: {done:,} of {total:,}"
        end = "\n" if done == total or not terminal else ""
        print(f"\r\033[K{text}" if terminal else text, end=end, flush=True)


def run_import(book: Book, access: BankAccess, run: Path) -> int:
    """Loads a checked book, leaves the reports in `run`; 1 if rows are unexplained, else 0.

    Raises `BankRefused` where one of the bank's services refuses or does not answer.
    """

    async def load() -> Imported:
        async with BankClient(access) as client:
            return await import_book(book, client, progress=ProgressLine())

    imported = asyncio.run(load())
    facts = write_reports(imported, run, now=datetime.now(UTC))
    rate = facts["postings_per_second"]
    print(
        f"{facts['rows']:,} rows, {facts['balances_equal']:,} balances equal, "
        f"{facts['rounding_postings']:,} roundings, {facts['unexplained']:,} unexplained"
        + (f", {rate:,.0f} postings a second" if rate else "")
    )
    print(f"Report: {run / PAGE}")
    for row in imported.tally.unexplained[:PRINTED_ROWS]:
        print(Finding(row.file, row.line, row.reason), file=sys.stderr)
    return 1 if imported.tally.unexplained_count else 0
