"""The life of one server, from outside: processes, files, and what a client sees."""

import asyncio
import json
import os
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import psutil
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from deploy import postgres
from deploy.postgres import PostgresError, Server, processes

Query = Callable[..., list[tuple[object, ...]]]
FAST = {"fsync": "off", "shared_buffers": "16MB"}


def kill(server: Server) -> None:
    """End a server as a power cut would, and return when it is gone."""
    os.kill(server.pid, signal.SIGKILL)
    deadline = time.monotonic() + 30
    while processes.postmaster(server.data_dir) is not None:
        assert time.monotonic() < deadline
        time.sleep(0.01)


@contextmanager
def process_of_the_servers_user(server: Server) -> Iterator[int]:
    """Some other program of the user that the server runs under; its process number."""
    owner = server.data_dir.stat()
    switch = {"user": owner.st_uid, "extra_groups": []} if os.geteuid() == 0 else {}
    sleeper = subprocess.Popen(["sleep", "120"], cwd="/", **switch)
    try:
        yield sleeper.pid
    finally:
        sleeper.kill()
        sleeper.wait()


class TestStart:
    def test_opens_no_network_port(self, server: Server, query: Query) -> None:
        assert query(postgres.superuser_dsn(server), "SHOW listen_addresses") == [("",)]
        assert psutil.Process(server.pid).net_connections("inet") == []

    def test_asks_every_role_for_its_password(self, server: Server, query: Query) -> None:
        with pytest.raises(asyncpg.InvalidPasswordError):
            query(server.dsn("postgres", "postgres", "a guess"), "SELECT 1")
        methods = query(
            postgres.superuser_dsn(server), "SELECT DISTINCT auth_method FROM pg_hba_file_rules"
        )
        assert methods == [("scram-sha-256",)]

    def test_promises_durability_unless_told_otherwise(self, run_dir: Path, query: Query) -> None:
        dsn = postgres.superuser_dsn(postgres.start(run_dir))
        for name in ("fsync", "synchronous_commit", "full_page_writes", "data_checksums"):
            assert query(dsn, f"SHOW {name}") == [("on",)], name
        assert query(dsn, "SHOW server_encoding") == [("UTF8",)]
        assert query(dsn, "SELECT datcollate FROM pg_database LIMIT 1") == [("C",)]

    def test_takes_other_settings(self, server: Server, query: Query) -> None:
        assert query(postgres.superuser_dsn(server), "SHOW shared_buffers") == [("16MB",)]

    def test_refuses_settings_that_would_open_it(self, run_dir: Path) -> None:
        with pytest.raises(PostgresError, match="listen_addresses"):
            postgres.start(run_dir, settings={"listen_addresses": "*"})
        assert not run_dir.exists()

    def test_gives_the_cause_when_postgresql_refuses(self, run_dir: Path) -> None:
        with pytest.raises(PostgresError) as caught:
            postgres.start(run_dir, settings={"shared_buffers": "lots"})
        assert 'invalid value for parameter "shared_buffers": "lots"' in str(caught.value)
        assert "\n" not in str(caught.value)

    def test_keeps_the_data_over_a_restart(self, server: Server, query: Query) -> None:
        dsn = postgres.superuser_dsn(server)
        query(dsn, "CREATE TABLE kept (n int)", "INSERT INTO kept VALUES (7)")
        postgres.stop(server)
        again = postgres.start(server.run_dir, settings=FAST)
        assert again.pid != server.pid
        assert query(dsn, "SELECT n FROM kept") == [(7,)]

    def test_returns_the_server_that_runs_already(self, server: Server) -> None:
        assert postgres.start(server.run_dir) == server
        assert postgres.running(server.run_dir) == server

    def test_gives_two_starters_at_once_one_server(self, run_dir: Path) -> None:
        with ThreadPoolExecutor(max_workers=2) as threads:
            futures = [threads.submit(postgres.start, run_dir, settings=FAST) for _ in range(2)]
        first, second = (future.result() for future in futures)
        assert first == second

    def test_is_out_of_reach_of_the_terminals_signals(self, server: Server) -> None:
        assert os.getsid(server.pid) != os.getsid(0)
        assert os.getpgid(server.pid) != os.getpgid(0)

    def test_starts_anew_when_the_socket_was_cleaned_away(
        self, server: Server, query: Query
    ) -> None:
        shutil.rmtree(server.socket_dir)
        again = postgres.start(server.run_dir, settings=FAST)
        assert again.pid != server.pid
        assert query(postgres.superuser_dsn(again), "SELECT 1") == [(1,)]

    def test_writes_no_values_to_the_log(self, server: Server, query: Query) -> None:
        dsn = postgres.superuser_dsn(server)
        query(dsn, "CREATE TABLE people (name text PRIMARY KEY)")
        query(dsn, "INSERT INTO people VALUES ('Zhang Wei')")
        with pytest.raises(asyncpg.UniqueViolationError):
            query(dsn, "INSERT INTO people VALUES ('Zhang Wei')")
        log = server.log_file.read_text()
        assert "people_pkey" in log
        assert "Zhang" not in log


class TestRecovery:
    def test_follows_a_killed_server(self, run_dir: Path, query: Query) -> None:
        server = postgres.start(run_dir)
        dsn = postgres.superuser_dsn(server)
        query(dsn, "CREATE TABLE kept (n int)", "INSERT INTO kept VALUES (7)")
        kill(server)
        assert postgres.running(run_dir) is None
        postgres.start(run_dir)
        assert query(dsn, "SELECT n FROM kept") == [(7,)]

    def test_ends_a_busy_session_that_outlived_its_server(
        self, server: Server, query: Query, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(processes, "ORPHANS_WAIT_S", 0.2)
        psql = subprocess.Popen(
            [
                *(server.bin_dir / "psql", "-q", "-d", "postgres", "-U", "postgres"),
                *("-h", str(server.socket_dir), "-p", str(server.port)),
                *("-c", "DO 'BEGIN LOOP END LOOP; END'"),
            ],
            env={"PGPASSWORD": self._password(server)},
            stderr=subprocess.DEVNULL,
        )
        busy = self._busy_session(server)
        kill(server)
        assert busy.is_running()
        again = postgres.start(server.run_dir, settings=FAST)
        psql.wait(timeout=30)
        assert not busy.is_running() or busy.status() == psutil.STATUS_ZOMBIE
        assert query(postgres.superuser_dsn(again), "SELECT 1") == [(1,)]

    def test_is_not_fooled_by_a_process_number_in_use_again(
        self, server: Server, query: Query
    ) -> None:
        file = server.data_dir / "postmaster.pid"
        former = file.read_text().splitlines()
        kill(server)
        with process_of_the_servers_user(server) as pid:
            file.write_text("\n".join([str(pid), *former[1:]]))
            assert postgres.running(server.run_dir) is None
            again = postgres.start(server.run_dir, settings=FAST)
            assert again.pid != pid
            assert psutil.Process(pid).name() == "sleep"
        assert query(postgres.superuser_dsn(again), "SELECT 1") == [(1,)]

    def test_overcomes_an_empty_pid_file(self, server: Server, query: Query) -> None:
        kill(server)
        (server.data_dir / "postmaster.pid").write_text("")
        again = postgres.start(server.run_dir, settings=FAST)
        assert query(postgres.superuser_dsn(again), "SELECT 1") == [(1,)]

    def test_throws_away_an_interrupted_initialisation(self, run_dir: Path, query: Query) -> None:
        server = postgres.start(run_dir, settings=FAST)
        postgres.stop(server)
        half = server.data_dir.with_name("new") / "data"
        half.parent.mkdir()
        server.data_dir.rename(half)  # as it is before the rename that ends the initialisation
        (half / "PG_VERSION").unlink()
        (run_dir / "postgres.json").unlink()
        again = postgres.start(run_dir, settings=FAST)
        assert query(postgres.superuser_dsn(again), "SELECT 1") == [(1,)]
        assert not half.exists()

    def test_stops_at_lost_passwords(self, server: Server) -> None:
        postgres.stop(server)
        file = server.run_dir / "secrets" / "postgres.json"
        kept = file.rename(file.with_name("kept"))
        with pytest.raises(PostgresError, match=f"passwords .* gone from {file}"):
            postgres.start(server.run_dir)
        kept.rename(file)
        assert postgres.start(server.run_dir).data_dir == server.data_dir

    def test_stops_at_lost_data(self, fresh: Server) -> None:
        postgres.stop(fresh)
        shutil.rmtree(fresh.data_dir)
        with pytest.raises(PostgresError, match=f"is gone from {fresh.data_dir}"):
            postgres.start(fresh.run_dir)

    @pytest.mark.parametrize("name", ["postgres.json", "secrets/postgres.json"])
    def test_names_a_damaged_file(self, fresh: Server, name: str) -> None:
        postgres.stop(fresh)
        (fresh.run_dir / name).write_text("{")
        with pytest.raises(PostgresError, match=f"{fresh.run_dir / name} is damaged"):
            postgres.start(fresh.run_dir)

    def test_stops_at_data_of_another_version(self, server: Server) -> None:
        postgres.stop(server)
        file = server.data_dir / "PG_VERSION"
        own = file.read_text()
        file.write_text("12\n")
        with pytest.raises(PostgresError, match="was made by PostgreSQL 12"):
            postgres.start(server.run_dir)
        file.write_text(own)

    def _password(self, server: Server) -> str:
        raw = json.loads((server.run_dir / "secrets" / "postgres.json").read_text())
        return str(raw["superuser"])

    def _busy_session(self, server: Server) -> psutil.Process:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            for child in psutil.Process(server.pid).children():
                if " ".join(child.cmdline()).rstrip().endswith(" DO"):
                    return child
            time.sleep(0.02)
        pytest.fail("psql runs no statement")


class TestStop:
    def test_shuts_down_cleanly_under_open_transactions(self, server: Server, query: Query) -> None:
        dsn = postgres.superuser_dsn(server)
        start_of_log = server.log_file.stat().st_size

        async def stop_under_it() -> None:
            connection = await asyncpg.connect(dsn.replace("+asyncpg", ""))
            await connection.execute("BEGIN; CREATE TABLE never (n int)")
            await asyncio.to_thread(postgres.stop, server)
            connection.terminate()

        with ThreadPoolExecutor(max_workers=1) as threads:
            threads.submit(asyncio.run, stop_under_it()).result()
        assert "database system is shut down" in self._log(server, start_of_log)
        postgres.start(server.run_dir, settings=FAST)
        assert query(dsn, "SELECT to_regclass('never')") == [(None,)]
        assert "not properly shut down" not in self._log(server, start_of_log)

    def test_leaves_neither_process_nor_socket(self, server: Server) -> None:
        postgres.stop(server)
        assert postgres.running(server.run_dir) is None
        assert not server.socket_dir.exists()
        assert not (server.data_dir / "postmaster.pid").exists()

    def test_may_be_repeated(self, server: Server) -> None:
        postgres.stop(server)
        postgres.stop(server)
        assert postgres.running(server.run_dir) is None

    def _log(self, server: Server, start: int) -> str:
        return server.log_file.read_bytes()[start:].decode()


class TestDestroy:
    def test_ends_the_server_and_removes_data_and_passwords(self, fresh: Server) -> None:
        postgres.destroy(fresh.run_dir)
        assert processes.postmaster(fresh.data_dir) is None
        assert not fresh.data_dir.parent.exists()
        assert not fresh.socket_dir.exists()
        assert not (fresh.run_dir / "secrets" / "postgres.json").exists()
        assert postgres.running(fresh.run_dir) is None

    def test_makes_way_for_a_new_bank(self, fresh: Server, query: Query) -> None:
        former = postgres.superuser_dsn(fresh)
        query(former, "CREATE TABLE former (n int)")
        postgres.destroy(fresh.run_dir)
        dsn = postgres.superuser_dsn(postgres.start(fresh.run_dir, settings=FAST))
        assert dsn != former
        assert query(dsn, "SELECT to_regclass('former')") == [(None,)]

    def test_cleans_up_after_a_killed_server(self, fresh: Server) -> None:
        kill(fresh)
        postgres.destroy(fresh.run_dir)
        assert not fresh.data_dir.exists()
        assert not fresh.socket_dir.exists()

    def test_works_on_damaged_files(self, fresh: Server) -> None:
        (fresh.run_dir / "postgres.json").write_text("{")
        (fresh.run_dir / "secrets" / "postgres.json").write_text("{")
        postgres.destroy(fresh.run_dir)
        assert not fresh.data_dir.exists()

    def test_leaves_the_other_files_of_the_run_folder(self, fresh: Server) -> None:
        other = fresh.run_dir / "demo.json"
        other.write_text("{}")
        postgres.destroy(fresh.run_dir)
        assert other.exists()

    def test_does_nothing_where_nothing_is(self, tmp_path: Path) -> None:
        postgres.destroy(tmp_path / "nothing")
        assert list(tmp_path.iterdir()) == []


class TestRights:
    def test_close_passwords_data_and_socket_to_others(self, server: Server) -> None:
        secrets = server.run_dir / "secrets"
        for folder in (secrets, server.data_dir, server.data_dir.parent, server.socket_dir):
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700, folder
        for file in (secrets / "postgres.json", server.log_file):
            assert stat.S_IMODE(file.stat().st_mode) == 0o600, file

    def test_of_the_parent_folders_do_not_change(
        self, run_dir: Path, parents_rights: Callable[[Path], object]
    ) -> None:
        before = parents_rights(run_dir)
        postgres.stop(postgres.start(run_dir, settings=FAST))
        assert parents_rights(run_dir) == before

    def test_of_a_socket_folder_that_is_open_are_refused(self, server: Server) -> None:
        postgres.stop(server)
        server.socket_dir.mkdir()
        owner = server.data_dir.stat()
        os.chown(server.socket_dir, owner.st_uid, owner.st_gid)
        server.socket_dir.chmod(0o755)
        with pytest.raises(PostgresError, match=rf"{server.socket_dir} is open .* 0755"):
            postgres.start(server.run_dir)
        server.socket_dir.rmdir()

    def test_of_a_socket_folder_behind_a_link_are_refused(
        self, server: Server, tmp_path: Path
    ) -> None:
        postgres.stop(server)
        server.socket_dir.symlink_to(tmp_path)
        with pytest.raises(PostgresError, match=f"{server.socket_dir} is not a folder"):
            postgres.start(server.run_dir)
        server.socket_dir.unlink()


class TestServer:
    def test_quotes_whatever_a_dsn_carries(self, server: Server, query: Query) -> None:
        password = "p@ss/w:rd?&%#+ é"
        query(
            postgres.superuser_dsn(server),
            f"CREATE ROLE \"we/ird@role\" LOGIN PASSWORD '{password}'",
            'CREATE DATABASE "da/ta?base"',
        )
        dsn = server.dsn("da/ta?base", "we/ird@role", password)

        async def ask() -> tuple[str, str]:
            engine = create_async_engine(dsn)
            try:
                async with engine.connect() as connection:
                    row = (
                        await connection.execute(text("SELECT current_user, current_database()"))
                    ).one()
                    return str(row[0]), str(row[1])
            finally:
                await engine.dispose()

        with ThreadPoolExecutor(max_workers=1) as threads:
            found = threads.submit(asyncio.run, ask()).result()
        assert found == ("we/ird@role", "da/ta?base")

    @pytest.mark.parametrize("program", ["pgbench", "psql", "pg_dump"])
    def test_tells_where_the_clients_programs_are(self, server: Server, program: str) -> None:
        shown = subprocess.run(
            [server.bin_dir / program, "--version"], capture_output=True, text=True, check=True
        )
        assert "(PostgreSQL) 16." in shown.stdout
