"""`make models`: measures everything anew, and writes `docs/models.md` with its plots."""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from services.risk.training.book import BookUnreadable
from services.risk.training.report import studies
from services.risk.training.report.page import page
from services.risk.training.report.plots import calibration_plot
from services.risk.training.report.studies import Found

DOCS = Path(__file__).resolve().parents[4] / "docs"
NAMES = {"german": "German credit", "handbook": "the handbook's payments", "book": "a real book"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the page; 1, and nothing is written, where the book cannot be read."""
    parser = argparse.ArgumentParser(prog="make models", description=__doc__)
    parser.add_argument("--book", type=Path, help="folder of the PKDD'99 financial data set")
    parser.add_argument("--docs", type=Path, default=DOCS, help="where the page is written")
    chosen = parser.parse_args(arguments)
    began = time.monotonic()

    def say(words: str) -> None:
        print(f"[{time.monotonic() - began:4.0f} s] {words}", flush=True)

    found = Found(figures={"measured_on": datetime.now(UTC).date().isoformat()})
    try:
        if chosen.book is not None:  # first, so that a wrong folder is told at once
            studies.real_book(found, chosen.book, say)
    except BookUnreadable as error:
        sys.stderr.write(f"{error}\n")
        return 1
    parts: list[Callable[[Found, Callable[[str], None]], None]] = [
        studies.german_credit,
        studies.of_applications,
        studies.of_payments,
        studies.handbook,
    ]
    # two threads change last bits, and wait for each other where somebody else works here too
    with threadpool_limits(limits=1):
        for part in parts:
            part(found, say)
    write(chosen.docs, found)
    say(f"written: {chosen.docs / 'models.md'}")
    return 0


def write(docs: Path, found: Found) -> None:
    """The page, its plots and its figures."""
    folder = docs / "models"
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.svg"):
        old.unlink()
    labels = {one["plot"]: one["label"] for one in found.figures["models"].values()}
    for name, plot in found.plots.items():
        drawn = calibration_plot(labels.get(name) or NAMES[name], plot)
        (folder / f"{name}.svg").write_text(drawn)
    figures = json.dumps(found.figures, indent=1) + "\n"
    (folder / "figures.json").write_text(figures)
    (docs / "models.md").write_text(page(json.loads(figures)))


if __name__ == "__main__":
    sys.exit(main())
