"""`make demo BUS=kafka`: the same main job, on a real Apache Kafka that the bank looks after."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy import kafka
from deploy.kafka.jars import install
from tests.broker import JARS
from tests.journeys.demo import Demo, free_ports, gone, reset, run_module, start

pytestmark = pytest.mark.kafka
MENDED_WITHIN_S = 120.0


@pytest.fixture(scope="module")
def on_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A bank that runs on a broker of its own and has played its main job."""
    lacking = kafka.missing()
    if lacking is not None:
        pytest.skip(f"{lacking}, so there is no Kafka to test with")
    run_dir = tmp_path_factory.mktemp("demo-kafka") / "run"
    jars = install(JARS, say=print)
    (run_dir / "kafka").mkdir(parents=True)
    (run_dir / "kafka" / jars.name).symlink_to(jars)
    running = start(run_dir, port=free_ports(), BUS="kafka")
    try:
        running.wait_for_play()
        yield running
    finally:
        if running.process.poll() is None:
            running.stop()
        reset(run_dir)


def pid_of_broker(run_dir: Path) -> int:
    found = kafka.alive(run_dir)
    return found.pid if found else 0


def wait(until: Callable[[], bool]) -> None:
    end = time.monotonic() + MENDED_WITHIN_S
    while not until():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.1)


class TestDemoOnKafka:
    """One bank through its life, so the steps are one test: each needs the one before."""

    def test_plays_survives_its_broker_and_keeps_its_books(self, on_kafka: Demo) -> None:
        run_dir = on_kafka.run_dir
        assert [one for one in on_kafka.report()["journey"] if one["status"] != "ok"] == []
        rebuilt = on_kafka.bank("rebuild-profiles")
        assert rebuilt.returncode == 0, rebuilt.stderr
        assert "rebuilt from 0 events" not in rebuilt.stdout

        first = pid_of_broker(run_dir)
        os.kill(first, signal.SIGKILL)
        wait(lambda: pid_of_broker(run_dir) not in {0, first} and bool(kafka.running(run_dir)))
        assert "Apache Kafka died; it is started again" in on_kafka.words()
        sound = run_module("deploy.verify", "--run", str(run_dir))
        assert sound.returncode == 0, sound.stdout + sound.stderr

        everything = [*on_kafka.pids(), pid_of_broker(run_dir)]
        on_kafka.process.kill()
        on_kafka.process.wait()
        assert gone(everything)

        # It starts its database and its broker for the time of the look, and stops them again.
        again = run_module("deploy.verify", "--run", str(run_dir))
        assert again.returncode == 0, again.stdout + again.stderr
        assert kafka.alive(run_dir) is None
        port = str(on_kafka.port)
        other = run_module("deploy.local", RUN_DIR=str(run_dir), PORT=port, BUS="postgres")
        assert other.returncode == 1
        assert "lie on its own Kafka" in other.stderr
        assert other.stderr.count("\n") == 1


class TestBroker:
    def test_of_a_port_in_use_is_refused_in_one_line(self, tmp_path: Path, demo: Demo) -> None:
        done = run_module("deploy.kafka", "start", RUN_DIR=str(tmp_path), KAFKA_PORT=str(demo.port))
        assert done.returncode == 1
        assert f"port {demo.port} is in use" in done.stderr

    def test_that_does_not_run_is_told(self, tmp_path: Path) -> None:
        done = run_module("deploy.kafka", "status", RUN_DIR=str(tmp_path))
        assert (done.returncode, done.stdout) == (1, "no broker runs\n")
        assert run_module("deploy.kafka", "stop", RUN_DIR=str(tmp_path)).returncode == 0

    @pytest.mark.parametrize("port", ["80", "65535", "many"])
    def test_at_no_port_is_refused(self, tmp_path: Path, port: str) -> None:
        done = run_module("deploy.kafka", "start", RUN_DIR=str(tmp_path), KAFKA_PORT=port)
        assert done.returncode == 1
        assert "KAFKA_PORT" in done.stderr
