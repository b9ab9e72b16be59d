"""What `make bench` says of a figure, and how it is written down."""

import asyncio
import json
from pathlib import Path

import pytest

from deploy.bench.figures import Figure, above, at_least, below, write_json
from deploy.bench.load import BadAnswer, Load, closed_loop, open_loop
from deploy.bench.page import replace_measured, table


class TestFigure:
    def test_holds_from_its_goal_on(self):
        held = at_least("a", 60, "x/s", reference="pgbench", against=100, times=0.6)
        missed = at_least("a", 59, "x/s", reference="pgbench", against=100, times=0.6)
        assert (held.held, held.ratio) == (True, 0.6)
        assert missed.held is False

    def test_is_bounded_in_its_own_unit(self):
        assert above("a", 1_000, "x/s", floor=1_000).held
        assert not above("a", 999, "x/s", floor=1_000).held
        assert below("a", 100, "ms", ceiling=100).held
        assert not below("a", 101, "ms", ceiling=100).held

    def test_is_written_with_every_field(self, tmp_path: Path):
        write_json(tmp_path / "bench.json", [Figure("a", 1.0, "ms")])
        (found,) = json.loads((tmp_path / "bench.json").read_text())
        assert set(found) == {"name", "value", "unit", "reference", "ratio", "goal", "held"}


class TestPage:
    def test_keeps_its_words_around_the_table(self, tmp_path: Path):
        page = tmp_path / "page.md"
        page.write_text("before\n<!-- bench:begin -->\nold\n<!-- bench:end -->\nafter\n")
        replace_measured(page, table([Figure("a", 1.5, "ms")]))
        text = page.read_text()
        assert text.startswith("before\n")
        assert text.endswith("\nafter\n")
        assert "| `a` | 1.5 ms |" in text
        assert "old" not in text

    def test_without_markers_is_refused(self, tmp_path: Path):
        page = tmp_path / "page.md"
        page.write_text("nothing here\n")
        with pytest.raises(ValueError, match="no place for measurements"):
            replace_measured(page, "x")


class TestLoad:
    async def test_counts_good_and_bad_answers(self):
        answers = iter([True, False, True, True])

        async def call() -> bool:
            return next(answers, True)

        load = await open_loop(call, per_second=1_000, seconds=0.004)
        assert (len(load.latencies), load.failed) == (3, 1)

    async def test_with_a_bad_answer_gives_no_figure(self):
        answers = iter(["404 payment_not_found", "403 forbidden", ""])

        async def call() -> bool:
            if words := next(answers, ""):
                raise BadAnswer(words)
            return True

        load = await open_loop(call, per_second=1_000, seconds=0.003)
        with pytest.raises(RuntimeError, match=r"reads: 2 of 3 .* the first: 404 payment"):
            load.all_good("reads")

    async def test_without_any_answer_gives_no_figure(self):
        with pytest.raises(RuntimeError, match="reads: nothing was answered"):
            Load(seconds=1.0).all_good("reads")

    async def test_runs_so_many_callers_at_once(self):
        under_way = highest = 0

        async def call() -> bool:
            nonlocal under_way, highest
            under_way += 1
            highest = max(highest, under_way)
            await asyncio.sleep(0)
            under_way -= 1
            return True

        load = await closed_loop(call, connections=5, seconds=0.02)
        assert highest == 5
        assert load.rate > 0

    def test_gives_percentiles_in_milliseconds(self):
        load = Load(seconds=1.0, latencies=[i / 1000 for i in range(100)])
        assert load.percentile_ms(50) == 50
        assert load.percentile_ms(99) == 99
