"""Run folders and servers for the tests of the embedded PostgreSQL; all of it goes away again."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import asyncpg
import pytest

from deploy import postgres
from deploy.postgres import places

Rows = list[tuple[object, ...]]
Query = Callable[..., Rows]

collect_ignore = [] if os.geteuid() == 0 else ["test_as_root.py"]
"""Only root can show what root does; elsewhere these tests have no subject, so none is skipped."""

FAST = {"fsync": "off", "shared_buffers": "16MB"}


@pytest.fixture(scope="module", autouse=True)
def system_folder() -> Iterator[Path]:
    """Stands for /var/lib/tongbao, so that a test run as root leaves no trace on the machine."""
    base = Path(tempfile.mkdtemp(prefix="tongbao-test-"))
    base.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(places, "SYSTEM_FOLDER", base / "system")
        yield base / "system"
    shutil.rmtree(base)


@pytest.fixture
def run_dir(tmp_path: Path) -> Iterator[Path]:
    """A run folder below a closed one: pytest's own is open to its owner alone."""
    folder = tmp_path / ".run"
    yield folder
    postgres.destroy(folder)


@pytest.fixture
def open_run_dir() -> Iterator[Path]:
    """A run folder that every user of the machine can go to."""
    base = Path(tempfile.mkdtemp(prefix="tongbao-open-"))
    base.chmod(0o755)
    yield base / ".run"
    postgres.destroy(base / ".run")
    shutil.rmtree(base)


@pytest.fixture(scope="module")
def lasting_run_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("lasting") / ".run"
    yield folder
    postgres.destroy(folder)


@pytest.fixture
def server(lasting_run_dir: Path) -> postgres.Server:
    """A server that may be stopped and killed: for the next test it is started again."""
    return postgres.start(lasting_run_dir, settings=FAST)


@pytest.fixture
def fresh(run_dir: Path) -> postgres.Server:
    """A server of its own for a test that damages its data or its passwords."""
    return postgres.start(run_dir, settings=FAST)


@pytest.fixture(scope="module")
def query() -> Iterator[Query]:
    """Run statements on one connection, as one transaction each; the rows of the last one.

    In a thread of its own: these tests have no event loop, and others in the session do.
    """
    with ThreadPoolExecutor(max_workers=1) as threads:

        async def run(dsn: str, statements: tuple[str, ...]) -> Rows:
            connection = await asyncpg.connect(dsn.replace("+asyncpg", ""), timeout=10)
            try:
                rows: Rows = []
                for statement in statements:
                    rows = [tuple(row) for row in await connection.fetch(statement)]
                return rows
            finally:
                await connection.close()

        def in_thread(dsn: str, *statements: str) -> Rows:
            return threads.submit(lambda: asyncio.run(run(dsn, statements))).result()

        yield in_thread


@pytest.fixture(scope="module")
def parents_rights() -> Callable[[Path], dict[str, tuple[int, int, int]]]:
    """Mode and owners of every folder above a path."""

    def look(path: Path) -> dict[str, tuple[int, int, int]]:
        found = {str(parent): os.lstat(parent) for parent in path.parents}
        return {name: (stat.st_mode, stat.st_uid, stat.st_gid) for name, stat in found.items()}

    return look
