"""One bank, started as `make demo` starts it, for all journeys."""

from collections.abc import Iterator

import pytest

from tests.journeys.demo import Demo, free_ports, reset, start


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A bank that runs and has played its main job."""
    running = start(tmp_path_factory.mktemp("demo") / "run", port=free_ports())
    try:
        running.wait_for_play()
        yield running
    finally:
        if running.process.poll() is None:
            running.stop()
        reset(running.run_dir)
