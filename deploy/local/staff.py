"""The first members of staff of a local bank: made once, with passwords that nobody chose."""

import os
import secrets
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local.files import private_folder, read_json, write_json
from deploy.local.options import ROOT, LocalError

TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Member:
    """A member of staff as `.run/secrets/<login_name>.json` keeps it."""

    staff_id: str
    login_name: str
    roles: tuple[str, ...]
    password: str = field(repr=False)


#: Who reviews payments is not who opens accounts: two people, as in a real bank.
STAFF = (
    ("s-operator", "operator", ("admin", "operator")),
    ("s-reviewer", "reviewer", ("reviewer",)),
)


def secrets_file(run_dir: Path, login_name: str) -> Path:
    return run_dir / "secrets" / f"{login_name}.json"


def member_of(run_dir: Path, login_name: str) -> Member | None:
    """The stored member, or None where there is none."""
    found = read_json(secrets_file(run_dir, login_name))
    if found is None:
        return None
    return Member(
        staff_id=str(found["staff_id"]),
        login_name=str(found["login_name"]),
        roles=tuple(found["roles"]),
        password=str(found["password"]),
    )


def prepare_staff(run_dir: Path, *, identity_url: str) -> None:
    """Register the staff, where that has not been done; `identity_url` names its database.

    The password is kept before it is registered, and the command may be repeated: whatever
    ends this in the middle, the next start completes it. Raises LocalError.
    """
    for staff_id, login_name, roles in STAFF:
        file = secrets_file(run_dir, login_name)
        kept = read_json(file)
        if kept is not None and kept.get("registered"):
            continue
        content = kept or {
            "staff_id": staff_id,
            "login_name": login_name,
            "roles": list(roles),
            "password": secrets.token_urlsafe(24),
        }
        private_folder(file.parent)
        write_json(file, content)
        _register(run_dir, content["password"], staff_id, login_name, roles, identity_url)
        write_json(file, content | {"registered": True})


def _register(
    run_dir: Path,
    password: str,
    staff_id: str,
    login_name: str,
    roles: tuple[str, ...],
    identity_url: str,
) -> None:
    password_file = run_dir / "secrets" / f".{login_name}.password"
    password_file.touch(mode=0o600)
    try:
        password_file.write_text(password)
        command = [sys.executable, "-m", "services.identity.bootstrap"]
        command += ["--staff-id", staff_id, "--login-name", login_name]
        command += ["--roles", ",".join(roles), "--password-file", str(password_file)]
        result = subprocess.run(
            command,
            cwd=ROOT,
            env={"PATH": os.environ.get("PATH", ""), "DATABASE_URL": identity_url},
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    finally:
        password_file.unlink(missing_ok=True)
    if result.returncode != 0:
        cause = (result.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise LocalError(f"the staff cannot be registered: {cause}")
