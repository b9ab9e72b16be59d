"""Secrets and databases of a bank without the local runner, on a real PostgreSQL."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from deploy import postgres
from deploy.provision.__main__ import main
from deploy.provision.holders import KEY_HOLDERS
from shared.contracts.topics import SERVICES
from shared.kit.auth import Authenticator, KeyRing
from shared.kit.migrate import migrate
from shared.kit.problems import Unauthenticated
from tests.platform.tools import ROOT

FAST = {"fsync": "off", "shared_buffers": "16MB"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[postgres.Server]:
    run_dir = tmp_path_factory.mktemp("server") / ".run"
    yield postgres.start(run_dir, settings=FAST)
    postgres.destroy(run_dir)


@pytest.fixture(scope="module")
def folder(server: postgres.Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Secrets of a bank whose databases were made twice on `server`."""
    folder = tmp_path_factory.mktemp("secrets")
    assert main(["secrets", str(folder), "--server", "database:5432"]) == 0
    password = tmp_path_factory.mktemp("superuser") / "password"
    password.write_text(urlsplit(postgres.superuser_dsn(server)).password or "")
    command = ["databases", f"--server={server.socket_dir}:{server.port}"]
    command += [f"--superuser-password-file={password}", f"--passwords={folder / 'provision'}"]
    assert main(command) == 0
    assert main(command) == 0
    return folder


def address(folder: Path, holder: str, server: postgres.Server) -> str:
    """The holder's own address, with the test's server in it instead of `database:5432`."""
    found = urlsplit((folder / holder / "database_url").read_text())
    name = found.path.removeprefix("/")
    return server.dsn(name, found.username or "", found.password or "")


async def execute(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url.replace("postgresql+asyncpg://", "postgresql://"))
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


class TestDatabases:
    @pytest.mark.parametrize("service", SERVICES)
    async def test_open_to_the_services_own_role(
        self, folder: Path, server: postgres.Server, service: str
    ):
        own = address(folder, service, server)
        await execute(own, "SELECT 1")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await execute(own, "CREATE TABLE mine (n int)")

    async def test_are_closed_to_the_role_of_another(self, folder: Path, server: postgres.Server):
        other = address(folder, "risk", server).replace("/risk?", "/ledger?")
        assert "/ledger?" in other
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await execute(other, "SELECT 1")

    async def test_are_migrated_by_their_owners(self, folder: Path, server: postgres.Server):
        await migrate(name="ledger", url=address(folder, "ledger-owner", server))
        own = address(folder, "ledger", server)
        await execute(own, "SELECT count(*) FROM outbox", "SELECT count(*) FROM accounts")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await execute(own, "DELETE FROM accounts")

    def test_end_with_one_line_where_the_server_refuses(
        self,
        folder: Path,
        server: postgres.Server,
        tmp_path: Path,
        capfd: pytest.CaptureFixture[str],
    ):
        (tmp_path / "password").write_text("not this one")
        command = ["databases", f"--server={server.socket_dir}:{server.port}"]
        command += [f"--superuser-password-file={tmp_path / 'password'}"]
        assert main([*command, f"--passwords={folder / 'provision'}"]) == 1
        said = capfd.readouterr().err.splitlines()
        assert len(said) == 1
        assert "password" in said[0]


class TestSecrets:
    def test_are_for_their_owner_alone(self, secrets: Path):
        for file in secrets.rglob("*"):
            if file.is_file() and file.parent.name != "postgres":
                assert file.stat().st_mode & 0o077 == 0, file

    def test_are_all_different(self, secrets: Path):
        found = [file.read_text() for file in secrets.rglob("password")]
        for file in secrets.rglob("database_url"):
            found.append(urlsplit(file.read_text()).password or "")
        assert len(found) == 2 + 2 * len(SERVICES)
        assert len(set(found)) == len(found)
        assert min(map(len, found)) >= 43, "256 bits"

    def test_stay_as_they_are_when_the_command_is_repeated(self, tmp_path: Path):
        def everything() -> dict[str, str]:
            return {str(p): p.read_text() for p in tmp_path.rglob("*") if p.is_file()}

        assert main(["secrets", str(tmp_path), "--server", "db:5432"]) == 0
        before = everything()
        (tmp_path / "risk/database_url").unlink()
        assert main(["secrets", str(tmp_path), "--server", "db:5432"]) == 0
        assert everything() == before

    def test_follow_the_server_to_another_address(self, tmp_path: Path):
        assert main(["secrets", str(tmp_path), "--server", "old:5432"]) == 0
        before = urlsplit((tmp_path / "risk/database_url").read_text())
        assert main(["secrets", str(tmp_path), "--server", "new:5433"]) == 0
        after = urlsplit((tmp_path / "risk/database_url").read_text())
        assert (after.hostname, after.port) == ("new", 5433)
        assert after.password == before.password

    def test_let_services_know_each_other(self, secrets: Path):
        def of(service: str) -> Authenticator:
            return Authenticator(KeyRing(service=service, keys_dir=secrets / service))

        token = of("gateway").token(audience="payments")
        assert of("payments").verify(token).service == "gateway"
        with pytest.raises(Unauthenticated):
            of("ledger").verify(token)

    def test_hold_no_other_services_keys(self, secrets: Path):
        for holder in KEY_HOLDERS:
            keys = {file.name for file in (secrets / holder).glob("*.json")}
            assert keys == {f"{holder}.json", "public.json"}

    def test_rotate_in_two_steps_without_a_refused_call(self, tmp_path: Path):
        assert main(["secrets", str(tmp_path), "--server", "db:5432"]) == 0
        old = KeyRing(service="gateway", keys_dir=tmp_path / "gateway").signing_key().kid
        for step in ("publish-keys", "sign-keys"):
            assert main([step, str(tmp_path)]) == 0
            ring = KeyRing(service="gateway", keys_dir=tmp_path / "gateway")
            token = Authenticator(ring).token(audience="payments")
            receiver = KeyRing(service="payments", keys_dir=tmp_path / "payments")
            assert Authenticator(receiver).verify(token).service == "gateway"
            assert (ring.signing_key().kid == old) == (step == "publish-keys")

    def test_are_printed_as_one_secret_for_each_holder(
        self, secrets: Path, capsys: pytest.CaptureFixture[str]
    ):
        assert main(["manifests", str(secrets), "--namespace", "bank"]) == 0
        items = {i["metadata"]["name"]: i for i in json.loads(capsys.readouterr().out)["items"]}
        assert set(items) == {f"{path.name}-secrets" for path in secrets.iterdir()}
        assert set(items["ledger-secrets"]["data"]) == {
            "database_url",
            "ledger.json",
            "public.json",
        }
        assert set(items["provision-secrets"]["data"]) == {"passwords.json"}
        assert items["postgres-secrets"]["type"] == "kubernetes.io/basic-auth"
        shown = base64.b64decode(items["ledger-secrets"]["data"]["database_url"]).decode()
        assert shown == (secrets / "ledger/database_url").read_text()


class TestSecretsDir:
    async def test_is_where_a_migration_finds_its_owner(
        self, folder: Path, server: postgres.Server, tmp_path: Path
    ):
        (tmp_path / "database_url").write_text(address(folder, "risk-owner", server) + "\n")

        done = subprocess.run(  # noqa: ASYNC221 - nothing else runs beside it
            [sys.executable, "-m", "shared.kit.migrate", "risk"],
            env={"PATH": os.defpath, "SECRETS_DIR": str(tmp_path)},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        await execute(address(folder, "risk", server), "SELECT count(*) FROM decisions")
