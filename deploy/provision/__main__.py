"""`python -m deploy.provision`: the secrets of a bank, and the databases that they open.

    secrets FOLDER        make what is missing: passwords, addresses, keys
    publish-keys FOLDER   new keys: tell their public halves …
    sign-keys FOLDER      … then sign with them, once every service has seen those
    manifests FOLDER      print the folder as Secrets for `kubectl apply -f -`
    databases             one database and two roles for each service

See `deploy.provision.holders` for the folder.
"""

import argparse
import asyncio
import base64
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import asyncpg

from deploy.provision import holders, roles
from shared.contracts.topics import SERVICES

#: How long the server may take to start and to accept the superuser.
TRIES = 60
TRY_EVERY_S = 1.0


def main(arguments: list[str] | None = None) -> int:
    """The exit code: 0 done, 1 not done (with one line that says why), 2 not understood."""
    given = _parser().parse_args(arguments)
    try:
        if given.command == "databases":
            asyncio.run(make_databases(given))
        elif given.command == "manifests":
            print(manifests(given.folder, namespace=given.namespace))
        else:
            _write(given)
    except (OSError, ValueError, KeyError, asyncpg.PostgresError) as error:
        print(f"provision: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


def _write(given: argparse.Namespace) -> None:
    serial = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    if given.command == "secrets":
        holders.make_missing(given.folder, server=given.server, serial=serial)
    elif given.command == "publish-keys":
        holders.publish_keys(given.folder, serial=serial)
    else:
        holders.sign_with_keys(given.folder)
    if given.owner is not None:
        holders.give(given.folder, uid=given.owner)


async def make_databases(given: argparse.Namespace) -> None:
    """Apply the roles to the server; waits for it to start. Raises what it refuses."""
    host, _, port = given.server.partition(":")
    superuser = given.superuser_password_file.read_text().strip()
    passwords = holders.passwords_of(given.passwords)

    async def connect(database: str) -> roles.Connection:
        return await asyncpg.connect(
            host=host,
            port=int(port or 5432),
            user=roles.SUPERUSER,
            password=superuser,
            database=database,
            timeout=roles.CONNECT_TIMEOUT_S,
        )

    await _wait_for(connect)
    await roles.apply(connect, passwords, sorted(SERVICES))


async def _wait_for(connect: roles.Connect) -> None:
    for attempt in range(1, TRIES + 1):
        try:
            connection = await connect(roles.SUPERUSER)
            await connection.close()
            return
        except (OSError, TimeoutError, asyncpg.CannotConnectNowError):
            if attempt == TRIES:
                raise
            await asyncio.sleep(TRY_EVERY_S)


def manifests(folder: Path, *, namespace: str) -> str:
    """One Secret for each holder, named `<holder>-secrets`, as a JSON list."""
    items = [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            # The operator for PostgreSQL takes the superuser's from a secret of this type alone.
            "type": "kubernetes.io/basic-auth" if holder == "postgres" else "Opaque",
            "metadata": {
                "name": f"{holder}-secrets",
                "namespace": namespace,
                "labels": {"app.kubernetes.io/part-of": "tongbao"},
            },
            "data": {
                name: base64.b64encode(text.encode()).decode() for name, text in files.items()
            },
        }
        for holder, files in holders.files_of(folder)
    ]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items}, indent=1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m deploy.provision",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, dest="command", metavar="command")
    for name in ("secrets", "publish-keys", "sign-keys"):
        writing = commands.add_parser(name)
        writing.add_argument("folder", type=Path)
        writing.add_argument("--owner", type=int, help="the user who gets the files (for root)")
        if name == "secrets":
            writing.add_argument("--server", required=True, metavar="HOST:PORT")
    printing = commands.add_parser("manifests")
    printing.add_argument("folder", type=Path)
    printing.add_argument("--namespace", required=True)
    making = commands.add_parser("databases")
    making.add_argument("--server", required=True, metavar="HOST:PORT")
    making.add_argument("--superuser-password-file", required=True, type=Path)
    making.add_argument("--passwords", required=True, type=Path, help="folder of passwords.json")
    return parser


if __name__ == "__main__":
    sys.exit(main())
