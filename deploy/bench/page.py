"""Writes what was measured into the documents, between two markers; the words stay as they are."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.bench.figures import Figure

BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"


def table(figures: Sequence[Figure]) -> str:
    """The figures as a Markdown table."""
    rows = ["| figure | value | against | ratio | goal | held |", "|---|---:|---|---:|---|---|"]
    for one in figures:
        ratio = "" if one.ratio is None else f"{one.ratio:.2f}"
        held = {None: "", True: "yes", False: "**no**"}[one.held]
        rows.append(
            f"| `{one.name}` | {one.value:,.1f} {one.unit} | {one.reference or ''} | {ratio}"
            f" | {one.goal or ''} | {held} |"
        )
    return "\n".join(rows)


def cpu_table(cpu_ms: Mapping[str, float]) -> str:
    """CPU of one payment by process, the largest first."""
    total = sum(cpu_ms.values()) or 1.0
    rows = ["| process | CPU a payment, ms | share |", "|---|---:|---:|"]
    for name, spent in sorted(cpu_ms.items(), key=lambda item: -item[1]):
        rows.append(f"| {name} | {spent:.2f} | {spent / total:.0%} |")
    rows.append(f"| all | {total:.2f} | 100% |")
    return "\n".join(rows)


def replace_measured(page: Path, measured: str) -> None:
    """Put `measured` between the markers of `page`.

    Raises:
        ValueError: the page has no markers.
    """
    text = page.read_text()
    before, found, rest = text.partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not found or not ended:
        raise ValueError(f"{page} has no place for measurements")
    page.write_text(f"{before}{BEGIN}\n{measured.strip()}\n{END}{after}")
