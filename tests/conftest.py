"""Fixtures of every test: one running bank a session, and no skip where none is allowed."""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from deploy import kafka
from tests.bank import Bank, running_bank
from tests.broker import Broker, running_broker

#: Fewer examples than Hypothesis' own 100: each run looks at others, and CI's time is bounded.
settings.register_profile(
    "tongbao",
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=False,
)
settings.load_profile("tongbao")


@pytest.fixture(scope="session")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bank]:
    """A bank with real databases; ask `bank.client("ledger", caller="payments")` for a service."""
    with running_bank(tmp_path_factory.mktemp("bank")) as running:
        yield running


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A real Apache Kafka, one a session, which a test may kill and start again."""
    lacking = kafka.missing()
    if lacking is not None:
        pytest.skip(f"{lacking}, so there is no Kafka to test with")
    with running_broker(tmp_path_factory.mktemp("broker")) as running:
        yield running


#: What starts whole banks or a broker: by one process, one after the other, since two at once
#: starve each other and members of a consumer group lose their time.
WHOLE = (
    "tests/chaos/",
    "tests/journeys/",
    "tests/kit/kafka/",
    "tests/kit/test_bus",
    "tests/verify/",
)


class ByFile(LoadFileScheduling):
    """Two processes share the suite, a file each; what is whole stays with one of them."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return "whole" if file.startswith(WHOLE) else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFile:
    return ByFile(config, log)


@pytest.fixture
def unique() -> str:
    """A short word of this test alone, for ids: tests share one bank and run in any order."""
    return uuid.uuid4().hex[:12]


@pytest.fixture(scope="session")
def repository_root() -> Path:
    return Path(__file__).resolve().parents[1]


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Where NO_SKIPS is set, as in CI, a skipped test is a failed run."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("NO_SKIPS") == "1" and reporter is not None:
        skipped = reporter.stats.get("skipped", [])
        if skipped and exitstatus == 0:
            reporter.write_line(f"NO_SKIPS: {len(skipped)} tests were skipped", red=True)
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
