"""`python -m deploy.book`: make, convert, check and import books."""

import argparse
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError

from deploy.book.bank_client import BankRefused, read_access
from deploy.book.berka import book_name, convert, is_berka
from deploy.book.checks import steps_by_account
from deploy.book.commands import run_import
from deploy.book.csv_reader import read_book
from deploy.book.csv_writer import write_book
from deploy.book.records import Book
from deploy.book.refusal import BookRefused, place, refused
from deploy.book.synthetic import synthetic_book

PRINTED_FINDINGS = 20
# Exit codes.
UNEXPLAINED = 1
REFUSED = 2  # the book was refused, nothing was done
STOPPED = 3  # a service or the disk refused or is away; started again, the import goes on
INTERRUPTED = 130


def main(arguments: list[str]) -> int:
    """Runs one command; returns its exit code."""
    options = parser().parse_args(arguments)
    try:
        code: int = options.act(options)
    except BookRefused as refusal:
        for finding in refusal.findings[:PRINTED_FINDINGS]:
            print(finding, file=sys.stderr)
        print(f"Refused: {refusal.count} problem(s), nothing was done.", file=sys.stderr)
        return REFUSED
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        print(f"Refused: {error.title} {field}: {first['msg']}", file=sys.stderr)
        return REFUSED
    except BankRefused as refusal:
        print(f"Stopped: {refusal}", file=sys.stderr)
        return STOPPED
    except KeyboardInterrupt:
        print("Stopped; start it again and it goes on.", file=sys.stderr)
        return INTERRUPTED
    except OSError as error:
        print(f"Stopped: {error.filename}: {error.strerror}", file=sys.stderr)
        return STOPPED
    return code


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="python -m deploy.book", description=__doc__)
    commands = top.add_subparsers(required=True, metavar="command")

    converting = commands.add_parser("convert", help="convert another format to a book")
    converting.add_argument("--from", dest="source_format", choices=["berka"], required=True)
    converting.add_argument("source", type=Path, help="folder with the source's files")
    converting.add_argument("--out", type=Path, required=True, help="folder for the book")
    converting.add_argument("--name", help="the book's name (default: the source folder's)")
    converting.set_defaults(act=_convert)

    checking = commands.add_parser("check", help="check a book and its recorded balances")
    checking.add_argument("source", type=Path, help="folder with a book or the PKDD'99 files")
    checking.set_defaults(act=_check)

    importing = commands.add_parser("import", help="load a book into a running bank")
    importing.add_argument("source", type=Path, help="folder with a book or the PKDD'99 files")
    importing.add_argument("--run", type=Path, default=Path(".run"), help="the bank's run folder")
    importing.set_defaults(act=_import)

    making = commands.add_parser("synthetic", help="make a synthetic book from a seed")
    making.add_argument("--out", type=Path, required=True, help="folder for the book")
    making.add_argument("--seed", type=_within(0, 2**32 - 1), default=7)
    making.add_argument("--customers", type=_within(2, 1_000_000), default=300)
    making.add_argument("--days", type=_within(1, 3_660), default=92)
    making.set_defaults(act=_synthetic)
    return top


def _within(low: int, high: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        value = int(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"must be from {low} to {high}")
        return value

    return number


def open_book(source: Path, *, name: str | None = None) -> Book:
    """The book in a folder, whichever known format its files have."""
    if not source.is_dir():
        raise refused(str(source), "is not a folder")
    return (
        convert(source, name=name or book_name(source)) if is_berka(source) else read_book(source)
    )


def _convert(options: argparse.Namespace) -> int:
    book = convert(options.source, name=options.name or book_name(options.source))
    write_book(book, options.out)
    _print_contents(book)
    return 0


def _synthetic(options: argparse.Namespace) -> int:
    book = synthetic_book(seed=options.seed, customers=options.customers, days=options.days)
    write_book(book, options.out)
    _print_contents(book)
    return 0


def _import(options: argparse.Namespace) -> int:
    """Converts other formats to the documented one first, beside the bank."""
    book = open_book(options.source)
    access = read_access(options.run)
    if is_berka(options.source):
        write_book(book, options.run / "book")
        book = read_book(options.run / "book")
    return run_import(book, access, options.run)


def _check(options: argparse.Namespace) -> int:
    book = open_book(options.source)
    _print_contents(book)
    steps = [step for account in steps_by_account(book).values() for step in account]
    roundings = Counter(step.rounding_minor for step in steps)
    unexplained = [step for step in steps if step.unexplained]
    recorded = sum(step.entry.balance_after_minor is not None for step in steps)
    print(f"{recorded} of {len(steps)} transactions carry a recorded balance")
    for rounding, count in sorted(roundings.items()):
        print(f"  {count} differ by {rounding:+} minor units" if rounding else f"  {count} exact")
    print(f"{len(unexplained)} unexplained")
    for step in unexplained[:PRINTED_FINDINGS]:
        print(f"{place(step.entry.origin)}: {step.unexplained}", file=sys.stderr)
    return UNEXPLAINED if unexplained else 0


def _print_contents(book: Book) -> None:
    about = book.about
    print(f"Book {about.name}: {about.bank_name}, {about.first_day} to {about.last_day}")
    for what, count in (
        ("customers", len(book.customers)),
        ("accounts", len(book.accounts)),
        ("account rights", len(book.rights)),
        ("transactions", len(book.entries)),
        ("standing orders", len(book.standing_orders)),
        ("cards", len(book.cards)),
        ("loans", len(book.loans)),
        ("accounts with an overdraft", sum(a.floor_minor < 0 for a in book.accounts)),
    ):
        print(f"  {count:>9,} {what}")
    for reason, count in about.left_out:
        print(f"  {count:>9,} left out: {reason}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
