"""What an import leaves for tools and people: JSON, a page, and the closing balances."""

import csv
import io
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jinja2

from deploy.book.importer import Imported
from deploy.book.plot import bars, days_plot
from deploy.book.reconciliation import ClosingBalance, Tally
from deploy.local.files import private_folder, read_json, write_json
from shared.kit.money import format_minor

RECONCILIATION = "reconciliation.json"
PAGE = "reconciliation.html"
CLOSING = "closing_balances.csv"

TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True, slots=True)
class CurrencyClosing:
    """Closing balances of one currency, amounts as people write them."""

    currency: str
    accounts: int
    total: str
    lowest: str
    highest: str
    overdrawn: int


def write_reports(imported: Imported, run: Path, *, now: datetime) -> dict[str, Any]:
    """Writes the three files into the run folder; the content of the JSON one."""
    private_folder(run)
    facts = summary(imported, earlier=read_json(run / RECONCILIATION) or {}, now=now)
    _write(run / CLOSING, closing_csv(imported.closing))
    _write(run / PAGE, page(imported, facts))
    write_json(run / RECONCILIATION, facts)
    return facts


def summary(imported: Imported, *, earlier: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """The content of `reconciliation.json`.

    An import that found everything posted keeps the rate that `earlier`, the content of the file
    before, tells for the same book.
    """
    tally = imported.tally
    rate = tally.postings_per_second
    if rate is None and earlier.get("book") == tally.book.about.name:
        rate = earlier.get("postings_per_second")
    return {
        "book": tally.book.about.name,
        "bank_name": tally.book.about.bank_name,
        "first_day": tally.book.about.first_day.isoformat(),
        "last_day": tally.book.about.last_day.isoformat(),
        "rows": tally.rows,
        "balances_equal": tally.balances_equal,
        "balances_not_recorded": tally.not_recorded,
        "balances_off_by_an_earlier_row": tally.carried,
        "rounding_postings": tally.rounding_postings,
        "unexplained": tally.unexplained_count,
        "postings": tally.postings,
        "postings_made_now": tally.posted_now,
        "posting_seconds": round(tally.seconds, 3),
        "postings_per_second": None if rate is None else round(rate, 1),
        "customers": len(tally.book.customers),
        "accounts": len(tally.book.accounts),
        "closing_balances_as_recorded": closing_as_recorded(imported),
        "left_out": dict(tally.book.about.left_out),
        "unexplained_rows": [asdict(row) for row in tally.unexplained],
        "at": now.astimezone(UTC).isoformat(timespec="seconds"),
    }


def closing_as_recorded(imported: Imported) -> int:
    """How many accounts close with the balance that the source recorded last."""
    last = imported.tally.recorded_last
    return sum(last.get(row.source_account) == row.balance_minor for row in imported.closing)


def closing_csv(closing: list[ClosingBalance]) -> str:
    """The closing balances, one account a row."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("source_account", "currency", "balance_minor"))
    writer.writerows((row.source_account, row.currency, row.balance_minor) for row in closing)
    return out.getvalue()


def page(imported: Imported, facts: Mapping[str, Any]) -> str:
    """The page for people: self-contained HTML in Chinese and English."""
    tally = imported.tally
    return TEMPLATES.get_template("reconciliation.html").render(
        facts=facts,
        days=days_plot(tally.by_day),
        roundings=bars(_rounding_rows(tally, tally.book.about.currency)),
        closing=_by_currency(imported.closing),
        unexplained=tally.unexplained,
        not_listed=tally.unexplained_count - len(tally.unexplained),
        money=_money,
    )


def _money(amount_minor: int | None, currency: str) -> str:
    return "" if amount_minor is None else format_minor(amount_minor, currency)


def _rounding_rows(tally: Tally, currency: str) -> list[tuple[str, int]]:
    return [
        ("+" * (rounding > 0) + format_minor(rounding, currency), count)
        for rounding, count in sorted(tally.roundings.items())
    ]


def _by_currency(closing: list[ClosingBalance]) -> list[CurrencyClosing]:
    counts = Counter(row.currency for row in closing)
    found = []
    for currency in sorted(counts):
        balances = [row.balance_minor for row in closing if row.currency == currency]
        found.append(
            CurrencyClosing(
                currency=currency,
                accounts=counts[currency],
                total=format_minor(sum(balances), currency),
                lowest=format_minor(min(balances), currency),
                highest=format_minor(max(balances), currency),
                overdrawn=sum(balance < 0 for balance in balances),
            )
        )
    return found


def _write(path: Path, text: str) -> None:
    """Replaces a file as a whole; it tells of customers' money, so it is its owner's alone."""
    draft = path.with_suffix(".new")
    draft.touch(mode=0o600)
    draft.write_text(text, "utf-8")
    draft.replace(path)
