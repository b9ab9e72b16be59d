"""The simulated sources, one process a session, healthy before each test."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.bank import Bank
from tests.risk.sources.support import Asker, Outside, asking


@pytest.fixture(scope="session")
def outside_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    outside = Outside(tmp_path_factory.mktemp("bureau"))
    try:
        outside.start()
        yield outside
    finally:
        outside.kill()


@pytest.fixture
def outside(outside_process: Outside) -> Outside:
    outside_process.admin("DELETE", "faults")
    return outside_process


@pytest.fixture
async def asker(bank: Bank, outside: Outside, unique: str) -> AsyncIterator[Asker]:
    async with asking(bank, outside, unique) as found:
        yield found
