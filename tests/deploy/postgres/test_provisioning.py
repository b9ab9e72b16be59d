"""What every role may do, tried as that role with plain SQL."""

import json
from collections.abc import Callable, Iterator

import asyncpg
import pytest

from deploy import postgres
from deploy.postgres import PostgresError, Server, ServiceCredentials

Query = Callable[..., list[tuple[object, ...]]]
Services = dict[str, ServiceCredentials]
FAST = {"fsync": "off", "shared_buffers": "16MB"}

WRITTEN_BY = (
    "SELECT datname::text, xmin::text::bigint FROM pg_database"
    " UNION ALL SELECT rolname::text, xmin::text::bigint FROM pg_authid ORDER BY 1, 2"
)
"""Every database and role, with the transaction that wrote it last."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    run_dir = tmp_path_factory.mktemp("bank") / ".run"
    yield postgres.start(run_dir, settings=FAST)
    postgres.destroy(run_dir)


@pytest.fixture(scope="module")
def services(cluster: Server, query: Query) -> Services:
    """Two services; the first has a table with one row, of which it may read and add rows."""
    found = postgres.provision(cluster, ["ledger", "bus"])
    query(
        found["ledger"].owner_dsn,
        "CREATE TABLE accounts (id bigint GENERATED ALWAYS AS IDENTITY, name text)",
        "CREATE TABLE internal (n int)",
        "INSERT INTO accounts (name) VALUES ('cash')",
        "GRANT SELECT, INSERT ON accounts TO ledger",
    )
    return found


class TestServiceRole:
    def test_has_what_a_migration_granted(self, services: Services, query: Query) -> None:
        dsn = services["ledger"].dsn
        query(dsn, "INSERT INTO accounts (name) VALUES ('granted')")
        assert query(dsn, "SELECT count(*) FROM accounts WHERE name = 'granted'") == [(1,)]

    @pytest.mark.parametrize(
        "statement",
        [
            "CREATE TABLE mine (n int)",
            "CREATE TEMP TABLE mine (n int)",
            "CREATE SCHEMA mine",
            "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "CREATE ROLE mine",
            "CREATE DATABASE mine",
            "ALTER TABLE accounts DISABLE TRIGGER ALL",
            "DROP TABLE accounts",
            "TRUNCATE accounts",
            "UPDATE accounts SET name = 'x'",
            "DELETE FROM accounts",
            "SELECT * FROM internal",
            "SET ROLE ledger_owner",
            "SET ROLE postgres",
            "SELECT rolpassword FROM pg_authid",
            "COPY accounts TO '/tmp/x'",
        ],
    )
    def test_may_do_nothing_else(self, services: Services, query: Query, statement: str) -> None:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            query(services["ledger"].dsn, statement)

    @pytest.mark.parametrize("database", ["bus", "postgres", "template1"])
    @pytest.mark.parametrize("role", ["ledger", "ledger_owner"])
    def test_cannot_connect_elsewhere(
        self, cluster: Server, services: Services, query: Query, database: str, role: str
    ) -> None:
        own = services["ledger"]
        password = own.password if role == "ledger" else own.owner_password
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="CONNECT"):
            query(cluster.dsn(database, role, password), "SELECT 1")

    def test_does_not_open_with_the_owners_password(
        self, cluster: Server, services: Services, query: Query
    ) -> None:
        with pytest.raises(asyncpg.InvalidPasswordError):
            query(cluster.dsn("ledger", "ledger", services["ledger"].owner_password), "SELECT 1")


class TestOwnerRole:
    def test_owns_its_database_and_is_no_superuser(
        self, cluster: Server, services: Services, query: Query
    ) -> None:
        assert services.keys() == {"ledger", "bus"}
        rows = query(
            postgres.superuser_dsn(cluster),
            "SELECT d.datname, r.rolname, r.rolsuper, r.rolcreaterole, r.rolcreatedb"
            " FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba"
            " WHERE d.datname IN ('ledger', 'bus') ORDER BY 1",
        )
        assert rows == [
            ("bus", "bus_owner", False, False, False),
            ("ledger", "ledger_owner", False, False, False),
        ]


class TestAuditor:
    def test_reads_every_database_and_tables_made_later(
        self, cluster: Server, services: Services, query: Query
    ) -> None:
        query(services["bus"].owner_dsn, "CREATE TABLE later (n serial)", "CREATE SCHEMA more")
        query(services["bus"].owner_dsn, "CREATE TABLE more.later (n int)")
        dsn = postgres.auditor_dsn(cluster, "bus")
        assert query(dsn, "SELECT count(*) FROM later") == [(0,)]
        assert query(dsn, "SELECT count(*) FROM more.later") == [(0,)]
        assert query(dsn, "SELECT last_value FROM later_n_seq") == [(1,)]
        names = query(postgres.auditor_dsn(cluster, "ledger"), "SELECT name FROM accounts")
        assert ("cash",) in names

    @pytest.mark.parametrize(
        "statement",
        [
            "INSERT INTO accounts (name) VALUES ('x')",
            "UPDATE accounts SET name = 'x'",
            "DELETE FROM accounts",
            "TRUNCATE accounts",
            "CREATE TABLE mine (n int)",
            "CREATE TEMP TABLE mine (n int)",
        ],
    )
    def test_cannot_write_even_if_it_lifts_its_own_guard(
        self, cluster: Server, services: Services, query: Query, statement: str
    ) -> None:
        assert "ledger" in services
        dsn = postgres.auditor_dsn(cluster, "ledger")
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            query(dsn, statement)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            query(dsn, "SET default_transaction_read_only = off", statement)

    def test_stays_out_of_the_servers_own_database(self, cluster: Server, query: Query) -> None:
        postgres.provision(cluster, [])
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            query(postgres.auditor_dsn(cluster, "postgres"), "SELECT 1")


class TestProvision:
    def test_gives_the_same_passwords_after_a_restart(self, server: Server, query: Query) -> None:
        first = postgres.provision(server, ["risk"])
        query(first["risk"].owner_dsn, "CREATE TABLE kept (n int)")
        postgres.stop(server)
        again = postgres.start(server.run_dir, settings=FAST)
        assert postgres.provision(again, ["risk"]) == first
        assert query(first["risk"].owner_dsn, "SELECT count(*) FROM kept") == [(0,)]

    def test_changes_nothing_where_all_is_done(
        self, cluster: Server, services: Services, query: Query
    ) -> None:
        file = cluster.run_dir / "secrets" / "postgres.json"
        before = file.stat().st_ino
        written = query(postgres.superuser_dsn(cluster), WRITTEN_BY)
        assert postgres.provision(cluster, ["ledger", "bus"]) == services
        assert file.stat().st_ino == before
        assert query(postgres.superuser_dsn(cluster), WRITTEN_BY) == written

    def test_adds_a_service_to_a_bank_that_has_others(self, server: Server, query: Query) -> None:
        first = postgres.provision(server, ["first_service"])
        both = postgres.provision(server, ["first_service", "second_service"])
        assert both["first_service"] == first["first_service"]
        assert query(both["second_service"].dsn, "SELECT current_database()") == [
            ("second_service",)
        ]

    def test_repairs_what_an_interrupted_run_left(self, server: Server, query: Query) -> None:
        query(
            postgres.superuser_dsn(server),
            "CREATE ROLE repaired_owner LOGIN SUPERUSER PASSWORD 'x'",
            "CREATE DATABASE repaired",
        )
        found = postgres.provision(server, ["repaired"])["repaired"]
        query(found.owner_dsn, "CREATE TABLE made (n int)")
        rows = query(
            postgres.superuser_dsn(server),
            "SELECT rolsuper FROM pg_roles WHERE rolname = 'repaired_owner'",
        )
        assert rows == [(False,)]
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            query(found.dsn, "CREATE TABLE made_too (n int)")

    def test_sets_passwords_again_that_were_lost(self, server: Server, query: Query) -> None:
        former = postgres.provision(server, ["lost"])["lost"]
        file = server.run_dir / "secrets" / "postgres.json"
        raw = json.loads(file.read_text())
        del raw["services"]["lost"]
        file.write_text(json.dumps(raw))
        found = postgres.provision(server, ["lost"])["lost"]
        assert found.password != former.password
        assert query(found.dsn, "SELECT current_user") == [("lost",)]
        with pytest.raises(asyncpg.InvalidPasswordError):
            query(former.dsn, "SELECT 1")

    def test_shows_no_password_when_printed(self, services: Services) -> None:
        own = services["ledger"]
        assert own.password not in repr(own)
        assert own.owner_password not in repr(own)

    @pytest.mark.parametrize(
        "name",
        ["", "Ledger", 'x"; DROP ROLE y', "postgres", "auditor", "pg_x", "a_owner", "template1"],
    )
    def test_refuses_a_name_that_cannot_be_a_service(self, cluster: Server, name: str) -> None:
        with pytest.raises(PostgresError, match="name"):
            postgres.provision(cluster, [name])

    def test_says_in_one_line_that_the_server_is_not_there(self, server: Server) -> None:
        postgres.stop(server)
        with pytest.raises(PostgresError, match="cannot prepare the databases") as caught:
            postgres.provision(server, ["risk"])
        assert "\n" not in str(caught.value)
