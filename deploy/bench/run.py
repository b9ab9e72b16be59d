"""One run of the benchmark: what was measured, what failed, and the files that both go to."""

import json
import platform
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import psutil

from deploy.bench import page
from deploy.bench.figures import Figure, line, write_json
from deploy.local.options import ROOT
from deploy.scale.tables import write as write_scale

REPORT, CPU_REPORT = ".run/bench.json", ".run/bench_cpu.json"
PAGE, GROWTH = "docs/performance.md", "docs/scale.md"
MAX_CAUSE = 300


@dataclass(slots=True)
class Run:
    """Grows while the benchmark runs. `failed` must be empty at its end."""

    figures: list[Figure] = field(default_factory=list)
    #: CPU milliseconds of one payment, by process.
    cpu_ms: dict[str, float] = field(default_factory=dict)
    #: What this machine lacks to measure, in words.
    left_out: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def tell(self, figure: Figure) -> None:
        self.figures.append(figure)
        print(line(figure), flush=True)

    def leave_out(self, words: str) -> None:
        self.left_out.append(words)
        print(f"left out: {words}", flush=True)

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """What fails in the block is told and noted; the other parts go on without it."""
        try:
            yield
        except Exception as error:
            traceback.print_exc()
            cause = " ".join(str(error).split())[:MAX_CAUSE]
            self.failed.append(f"{name}: {type(error).__name__}: {cause}")
            print(f"FAILED {self.failed[-1]}", flush=True)

    @property
    def missed(self) -> list[str]:
        return [figure.name for figure in self.figures if figure.held is False]


def write(run: Run, *, root: Path = ROOT) -> None:
    """Write what was measured, each file by itself; one that cannot be written is a failure."""
    (root / ".run").mkdir(exist_ok=True)
    with _writing(run, REPORT):
        write_json(root / REPORT, run.figures)
    with _writing(run, CPU_REPORT):
        (root / CPU_REPORT).unlink(missing_ok=True)  # an older one is not of these figures
        if run.cpu_ms:
            (root / CPU_REPORT).write_text(json.dumps(run.cpu_ms, indent=1) + "\n")
    with _writing(run, GROWTH):
        write_scale(root / ".run", page=root / GROWTH)
    with _writing(run, PAGE):  # the last, so that it tells of every failure
        page.replace_measured(root / PAGE, _measured(run))


@contextmanager
def _writing(run: Run, name: str) -> Iterator[None]:
    with run.part(name):
        yield
        print(f"written: {name}")


def _measured(run: Run) -> str:
    """The part of the page between the markers, as Markdown."""
    parts = [_machine(), page.table(run.figures)]
    lacking = [*run.left_out, *(f"{words} (failed)" for words in run.failed)]
    if lacking:
        parts.append("\n".join(("Not measured:", "", *(f"- {words}" for words in lacking))))
    if run.cpu_ms:
        parts.append("Where the time of a payment goes, at 16 connections:")
        parts.append(page.cpu_table(run.cpu_ms))
    return "\n\n".join(parts)


def _machine() -> str:
    memory = psutil.virtual_memory().total / 2**30
    today = datetime.now(UTC).date()
    return (
        f"Measured on {today} by `make bench`: {psutil.cpu_count()} cores, {memory:.0f} GiB,"
        f" Python {platform.python_version()}, load generator and database on the same machine."
    )
