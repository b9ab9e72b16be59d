"""Commands that keep a bank in order: dead letters, keys, rebuilds, the audit log."""

import argparse
import os
import subprocess
import sys
from typing import Any

from deploy.bank.staff import Refused, StaffClient, services_of
from deploy.local.bus import bus_environment
from deploy.local.files import keys_folder
from deploy.local.options import ROOT
from deploy.local.programs import BY_NAME

REBUILD_TIMEOUT_S = 3_600


def add_commands(commands: Any) -> None:
    replaying = commands.add_parser(
        "replay-dead-letters", help="handle again what a service could not handle"
    )
    replaying.add_argument("service", choices=sorted(BY_NAME))
    replaying.set_defaults(run=replay)

    rotating = commands.add_parser("rotate-keys", help="give every service a new signing key")
    rotating.set_defaults(run=rotate)

    rebuilding = commands.add_parser(
        "rebuild-profiles", help="build all profiles anew from the bus"
    )
    rebuilding.set_defaults(run=rebuild)

    auditing = commands.add_parser("audit", help="what staff and operators did, newest first")
    auditing.add_argument("--limit", type=int, default=30)
    auditing.set_defaults(run=audit)


def replay(options: argparse.Namespace) -> int:
    """Exit code 1 where a letter could not be handled again."""
    staff = StaffClient(options.run_dir, login_name="operator")
    try:
        result = staff.call(options.service, "POST", "/v1/dead-letters/replay")
    except Refused as refusal:
        if refusal.code == "not_found":
            raise Refused(
                f"{options.service} handles no events, so it has no dead letters"
            ) from refusal
        raise
    print(f"{options.service}: {result['replayed']} handled, {result['failed']} failed again")
    return 1 if result["failed"] else 0


def rotate(options: argparse.Namespace) -> int:
    from deploy.local.keys import rotate_keys

    services_of(options.run_dir)
    serial = rotate_keys(options.run_dir)
    print(f"new keys: {serial}; the former ones are valid until the next rotation")
    return 0


def rebuild(options: argparse.Namespace) -> int:
    from deploy import postgres

    services_of(options.run_dir)
    server = postgres.running(options.run_dir)
    if server is None:
        raise Refused("the database does not run")
    credentials = postgres.provision(server, ["profiles", "bus"])
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "DATABASE_URL": credentials["profiles"].dsn,
        **bus_environment(options.run_dir, url=credentials["bus"].dsn),
        "KEYS_DIR": str(keys_folder(options.run_dir, "profiles")),
    }
    command = [sys.executable, "-m", "services.profiles.rebuild"]
    result = subprocess.run(
        command,
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=REBUILD_TIMEOUT_S,
        check=False,
    )
    if result.returncode != 0:
        cause = (result.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise Refused(f"the profiles were not rebuilt: {cause}")
    print(result.stdout.strip())
    return 0


def audit(options: argparse.Namespace) -> int:
    staff = StaffClient(options.run_dir, login_name="operator")
    params = {"limit": str(options.limit)}
    for one in staff.call("identity", "GET", "/v1/audit-entries", params=params)["items"]:
        at, who, what = one["at"][:19], one["staff_id"], one["action"]
        print(f"{at}  {who:<12} {what:<24} {one['subject']:<38} {one['reason']}")
    return 0
