"""The book that a local bank begins with: loaded once, then remembered."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from deploy.local.files import read_json, write_json
from deploy.local.options import ROOT, LocalError, Options

#: Exit codes of `python -m deploy.book`.
UNEXPLAINED, REFUSED = 1, 2
SYNTHETIC_DAYS = 92


def check_book(options: Options) -> None:
    """Raises LocalError where the bank holds another book than the one asked for.

    Without BOOK= a bank goes on with the book that it has, once that is loaded to its end.
    """
    kept = read_json(_mark(options))
    asked = _source(options)
    if kept is None or kept["source"] == asked or (options.book is None and kept["finished"]):
        return
    part = "" if kept["finished"] else "a part of "
    raise LocalError(
        f"this bank holds {part}the book {kept['source']}, not {asked}; make reset starts anew"
    )


def load_book(options: Options, *, say: Callable[[str], None]) -> dict[str, Any]:
    """Load the book where that has not been done; what was loaded, and how it compares.

    An import that was interrupted is run again, and ends in the same state. Raises LocalError
    where the book is refused; the bank holds nothing of it then.
    """
    kept = read_json(_mark(options))
    if kept is not None and kept["finished"]:
        return kept
    source = _source(options)
    folder = options.book or _synthetic(options, say=say)
    write_json(_mark(options), {"source": source, "finished": False})
    say(f"loading the book {source}")
    started = time.monotonic()
    code = _book(["import", str(folder), "--run", str(options.run_dir)])
    if code == REFUSED:
        # Refused before anything was posted: another book may be loaded in its place.
        _mark(options).unlink(missing_ok=True)
    if code not in {0, UNEXPLAINED}:
        raise LocalError(f"the book {source} was not loaded")
    content = {
        "source": source,
        "finished": True,
        "seconds": round(time.monotonic() - started, 1),
        "unexplained": code == UNEXPLAINED,
    }
    write_json(_mark(options), content)
    return content


def _synthetic(options: Options, *, say: Callable[[str], None]) -> Path:
    folder = options.run_dir / "book"
    say(f"making a city of {options.customers} customers from seed {options.seed}")
    arguments = ["synthetic", "--out", str(folder), "--seed", str(options.seed)]
    arguments += ["--customers", str(options.customers), "--days", str(SYNTHETIC_DAYS)]
    if _book(arguments) != 0:
        raise LocalError("the synthetic book was not made")
    return folder


def _book(arguments: list[str]) -> int:
    """Run the book's own command, whose words go to the person."""
    command = [sys.executable, "-m", "deploy.book", *arguments]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def _source(options: Options) -> str:
    if options.book is not None:
        return str(options.book)
    return f"synthetic, seed {options.seed}, {options.customers} customers"


def _mark(options: Options) -> Path:
    return options.run_dir / "book.json"
