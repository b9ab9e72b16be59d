"""`make bench` loses nothing that it has measured, and says what it could not measure."""

import json
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deploy.bench.__main__ import postings_per_second
from deploy.bench.events import PARTITIONS, messages
from deploy.bench.figures import Figure
from deploy.bench.run import Run, write
from deploy.book.importer import Imported
from deploy.book.ordering import Step
from deploy.book.reconciliation import Posted, Tally
from deploy.book.report import write_reports
from deploy.book.synthetic import synthetic_book
from shared.kit.bus.port import partition_of
from tests.bank import ROOT, free_port

PLACE = "before\n<!-- bench:begin -->\nold\n<!-- bench:end -->\nafter\n"


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    """A checkout with nothing but the pages that a run writes."""
    (tmp_path / "docs").mkdir()
    for name in ("performance", "scale"):
        (tmp_path / f"docs/{name}.md").write_text(PLACE)
    return tmp_path


class TestRun:
    def test_goes_on_where_a_part_fails(self):
        run = Run()
        with run.part("first"):
            run.tell(Figure("a", 1.0, "ms"))
            raise KeyError("postings_per_second")
        with run.part("second"):
            run.tell(Figure("b", 2.0, "ms"))
        assert [figure.name for figure in run.figures] == ["a", "b"]
        assert run.failed == ["first: KeyError: 'postings_per_second'"]

    def test_is_written_with_what_it_has_and_what_it_lacks(self, pages: Path):
        run = Run(cpu_ms={"gateway": 2.5, "postgres": 1.0})
        run.tell(Figure("payment.end_to_end.16", 100.0, "payments/s"))
        run.tell(Figure("events.profiles.postgres", 6_000.0, "events/s"))
        run.leave_out("events.profiles.kafka: no Java")
        with run.part("import"):
            raise RuntimeError("the import\nwas not clean")
        write(run, root=pages)
        figures = json.loads((pages / ".run/bench.json").read_text())
        assert [figure["value"] for figure in figures] == [100.0, 6_000.0]
        text = (pages / "docs/performance.md").read_text()
        assert "`payment.end_to_end.16` | 100.0 payments/s" in text
        assert "- events.profiles.kafka: no Java\n" in text
        assert "- import: RuntimeError: the import was not clean (failed)" in text
        assert "| gateway | 2.50 | 71% |" in text
        assert "| 1 times | 100 |" in (pages / "docs/scale.md").read_text()
        assert len(run.failed) == 1

    def test_is_written_where_a_page_cannot_be(self, pages: Path):
        (pages / ".run").mkdir()
        (pages / ".run/bench_cpu.json").write_text('{"gateway": 99}')
        run = Run()
        run.tell(Figure("payment.end_to_end.16", 100.0, "payments/s"))
        write(run, root=pages)
        assert (pages / "docs/scale.md").read_text() == PLACE, "no CPU was measured"
        assert "`payment.end_to_end.16` | 100.0" in (pages / "docs/performance.md").read_text()
        assert [words.partition(":")[0] for words in run.failed] == ["docs/scale.md"]


class TestBench:
    def test_ends_non_zero_and_says_which_part_failed(self, tmp_path: Path):
        (tmp_path / "lock").mkdir()  # no bank can be here
        command = [sys.executable, "-m", "deploy.bench", "--only", "risk"]
        command += ["--run", str(tmp_path), "--port", str(min(free_port(), 60_000))]
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 1, done.stdout + done.stderr
        assert "bench: not everything was measured\nthe bank: IsADirectoryError" in done.stderr


class TestImport:
    def test_tells_its_rate_where_the_bench_looks_for_it(self, tmp_path: Path):
        assert postings_per_second(_imported(tmp_path, off_by=0)) > 0

    def test_that_is_not_clean_has_no_rate(self, tmp_path: Path):
        with pytest.raises(RuntimeError, match="not clean"):
            postings_per_second(_imported(tmp_path, off_by=50))
        with pytest.raises(RuntimeError, match="not clean"):
            postings_per_second(tmp_path / "nowhere")


def _imported(run_dir: Path, *, off_by: int) -> Path:
    """The folder of a bank with what an import of one row leaves in it."""
    book = synthetic_book(seed=1, customers=3, days=2)
    tally = Tally(book)
    balance = book.entries[0].balance_after_minor or 0
    reason = "a row is missing" if off_by else ""
    tally.add(Step(book.entries[0], 0, balance, reason), Posted(balance - off_by, 2, new=True))
    tally.seconds = 0.5
    write_reports(Imported(tally, []), run_dir, now=datetime(2026, 6, 1, tzinfo=UTC))
    return run_dir


class TestEvents:
    def test_go_to_every_partition_alike(self):
        found = Counter(partition_of(one.key, PARTITIONS) for one in messages(40))
        assert found == dict.fromkeys(range(PARTITIONS), 10)
        assert {partition_of(one.key, PARTITIONS) for one in messages(40)[-PARTITIONS:]} == set(
            range(PARTITIONS)
        )
