"""The model of growth against what queueing theory knows in closed form."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.scale.model import SERVER_CORES, TARGET, Measured, limits, servers, simulate
from deploy.scale.tables import read, tables

MEASURED = Measured(
    payments_per_s=100.0,
    cpu_ms={"gateway": 4.0, "payments": 5.0, "postgres": 4.0, "advisor": 0.01},
    events_per_s=4_000.0,
    window_us=10.0,
)


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


class TestServers:
    @given(rate=st.floats(0.1, 1e6), cpu_ms=st.floats(0.01, 100))
    def test_are_as_few_as_stay_within_the_target(self, rate: float, cpu_ms: float):
        number = servers(rate, cpu_ms)
        work = rate * cpu_ms / 1000
        assert work / number <= TARGET * 1.000001
        assert number == 1 or work / (number - 1) > TARGET * 0.999999


class TestSimulation:
    def test_of_one_server_takes_as_long_as_theory_says(self):
        # M/M/1: the mean time is service / (1 - load); here 10 ms at a load of 0.6.
        took = simulate([(1, 10.0)], payments_per_s=60.0, count=100_000, seed=1)
        assert mean(took) == pytest.approx(25.0, rel=0.05)

    def test_of_two_servers_takes_as_long_as_theory_says(self):
        # M/M/2 at a load of 0.5 each: Erlang C is 1/3, so the mean wait is 10 ms / 3.
        took = simulate([(2, 10.0)], payments_per_s=100.0, count=100_000, seed=2)
        assert mean(took) == pytest.approx(10.0 + 10.0 / 3, rel=0.05)

    def test_of_a_chain_takes_as_long_as_its_parts(self):
        # Burke: what leaves M/M/1 is Poisson again, so the means add up.
        took = simulate([(1, 10.0), (1, 5.0)], payments_per_s=60.0, count=100_000, seed=3)
        assert mean(took) == pytest.approx(10 / 0.4 + 5 / 0.7, rel=0.05)

    def test_of_a_wider_station_with_the_same_load_waits_less(self):
        narrow = simulate([(1, 10.0)], payments_per_s=60.0, count=20_000, seed=4)
        wide = simulate([(10, 10.0)], payments_per_s=600.0, count=20_000, seed=4)
        assert wide[len(wide) * 99 // 100] < narrow[len(narrow) * 99 // 100]


class TestLimits:
    def test_come_with_the_first_to_fill_first(self):
        found = limits(MEASURED, events=2, partitions=4)
        assert [limit.payments_per_s for limit in found] == sorted(
            limit.payments_per_s for limit in found
        )
        rates = {limit.name: limit.payments_per_s for limit in found}
        assert rates["the relay of payments"] == 2_000
        assert rates["consumers of the payment topic"] == 8_000
        assert rates["one database server"] == pytest.approx(SERVER_CORES * TARGET * 250)
        assert rates["the windows of each replica of risk"] == pytest.approx(60_000)


class TestTables:
    def test_show_each_load_with_its_servers(self):
        text = tables(MEASURED)
        assert "| 1,000 times | 100,000 | 834 | 667 | 667 |" in text
        assert "advisor" not in text, "what a payment does not use"
        assert "| the relay of payments | 2,000 | 20 |" in text

    def test_come_from_what_the_bench_left(self, tmp_path: Path):
        figures = {"payment.end_to_end.16": 150.0, "events.profiles.postgres": 6_000.0}
        listed = [{"name": name, "value": value} for name, value in figures.items()]
        (tmp_path / "bench.json").write_text(json.dumps(listed))
        (tmp_path / "bench_cpu.json").write_text(json.dumps({"gateway": 2.5}))
        found = read(tmp_path)
        assert (found.payments_per_s, found.events_per_s) == (150.0, 6_000.0)
        assert found.cpu_ms == {"gateway": 2.5}
        assert found.window_us > 0

    def test_count_with_the_slower_bus(self, tmp_path: Path):
        figures = {
            "payment.end_to_end.16": 150.0,
            "events.profiles.postgres": 6_000.0,
            "events.profiles.kafka": 3_000.0,
        }
        listed = [{"name": name, "value": value} for name, value in figures.items()]
        (tmp_path / "bench.json").write_text(json.dumps(listed))
        (tmp_path / "bench_cpu.json").write_text(json.dumps({"gateway": 2.5}))
        assert read(tmp_path).events_per_s == 3_000.0
