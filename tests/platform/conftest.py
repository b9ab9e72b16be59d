"""The secrets of a bank, as `python -m deploy.provision secrets` makes them."""

from pathlib import Path

import pytest

from deploy.provision.__main__ import main


@pytest.fixture(scope="session")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("secrets")
    assert main(["secrets", str(folder), "--server", "postgres:5432"]) == 0
    return folder
