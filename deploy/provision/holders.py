"""The secrets of a bank, one folder for each holder, so that each is mounted where it belongs.

    postgres/username, password      the superuser's, for the server itself
    provision/passwords.json, keys/  every role's password and every service's keys
    ledger/database_url              how the service signs in …
    ledger/ledger.json, public.json  … its own private keys, and everybody's public ones
    ledger-owner/database_url        how its migrations sign in
    staff/password                   the first admin's
    bureau/bureau_keys, …_admin_key  of the simulated sources of a demo …
    risk/source_keys                 … and risk's key at each of them; a real source gives its own

What is there is never changed: the command may be repeated, and completes what is missing.
"""

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

from deploy.provision.roles import SUPERUSER, ServicePasswords, new_password
from shared.contracts.http.risk_sources import Source
from shared.contracts.topics import SERVICES
from shared.kit.auth import write_keys

#: `operator` is nobody's process: the operator's programs call with it.
KEY_HOLDERS = (*SERVICES, "operator")
#: The outside sources that risk asks.
SOURCES: tuple[str, ...] = get_args(Source)
PRIVATE = 0o400
#: A server's entry script drops its rights before it reads the password; the mount guards it.
READABLE = 0o444


@dataclass(frozen=True)
class Passwords:
    """Every role's password; a `deploy.provision.roles.RolePasswords`."""

    auditor: str = field(repr=False)
    services: dict[str, ServicePasswords] = field(repr=False)


def make_missing(folder: Path, *, server: str, serial: str) -> None:
    """Make every secret that is not there. `server` is the database server's `host:port`."""
    superuser = folder / "postgres/password"
    if not superuser.exists():
        _write(superuser, new_password(), mode=READABLE)
    _write(folder / "postgres/username", SUPERUSER, mode=READABLE)
    passwords = _passwords(folder / "provision/passwords.json")
    for service, pair in passwords.services.items():
        address = f"@{server}/{service}"
        runtime = f"postgresql+asyncpg://{service}:{pair.runtime}{address}"
        owner = f"postgresql+asyncpg://{service}_owner:{pair.owner}{address}"
        _write(folder / service / "database_url", runtime)
        _write(folder / f"{service}-owner" / "database_url", owner)
    staff = folder / "staff/password"
    if not staff.exists():
        _write(staff, new_password())
    _open_sources(folder)
    if not (_keys(folder) / "public.json").exists():
        publish_keys(folder, serial=serial)
    else:
        _hand_out(folder, private=False)
    sign_with_keys(folder)


def publish_keys(folder: Path, *, serial: str) -> None:
    """Make new keys and tell everybody their public halves; nobody signs with them yet."""
    write_keys(_keys(folder), KEY_HOLDERS, serial=serial)
    _hand_out(folder, private=False)


def sign_with_keys(folder: Path) -> None:
    """Hand out the private halves, once every service has seen the public ones."""
    _hand_out(folder, private=True)


def passwords_of(folder: Path) -> Passwords:
    """The roles' passwords in `folder`, as `make_missing` left them there."""
    raw = json.loads((folder / "passwords.json").read_text())
    return Passwords(
        auditor=str(raw["auditor"]),
        services={
            str(name): ServicePasswords(owner=str(pair["owner"]), runtime=str(pair["runtime"]))
            for name, pair in raw["services"].items()
        },
    )


def give(folder: Path, *, uid: int) -> None:
    """Make `uid` the owner of all but the server's password; for root in a container."""
    for path in folder.rglob("*"):
        if path.parent.name != "postgres":
            os.chown(path, uid, uid)


def files_of(folder: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Each holder and its files; what only provisioning needs beside its passwords stays out."""
    for holder in sorted(path for path in folder.iterdir() if path.is_dir()):
        yield (
            holder.name,
            {file.name: file.read_text() for file in sorted(holder.iterdir()) if file.is_file()},
        )


def _keys(folder: Path) -> Path:
    return folder / "provision/keys"


def _passwords(file: Path) -> Passwords:
    known = passwords_of(file.parent) if file.exists() else Passwords(new_password(), {})
    made = {name: ServicePasswords(new_password(), new_password()) for name in SERVICES}
    found = Passwords(known.auditor, made | known.services)
    if found != known or not file.exists():
        pairs = {
            name: {"owner": pair.owner, "runtime": pair.runtime}
            for name, pair in found.services.items()
        }
        _write(file, json.dumps({"auditor": found.auditor, "services": pairs}, indent=1))
    return found


def _open_sources(folder: Path) -> None:
    """Keys of the simulated sources; a key that is there stays, whoever gave it."""
    keys, admin = folder / "bureau/bureau_keys", folder / "bureau/bureau_admin_key"
    if not keys.exists():
        _write(keys, json.dumps({"tongbao": new_password()}))
    if not admin.exists():
        _write(admin, new_password())
    own = folder / "risk/source_keys"
    if not own.exists():
        key = json.loads(keys.read_text())["tongbao"]
        _write(own, json.dumps(dict.fromkeys(SOURCES, key)))


def _hand_out(folder: Path, *, private: bool) -> None:
    for holder in KEY_HOLDERS:
        name = f"{holder}.json" if private else "public.json"
        _write(folder / holder / name, (_keys(folder) / name).read_text())


def _write(file: Path, text: str, *, mode: int = PRIVATE) -> None:
    """Replace a file as a whole; with the same content, and owner, it is left alone."""
    file.parent.mkdir(mode=0o755 if mode == READABLE else 0o700, parents=True, exist_ok=True)
    if file.exists() and file.read_text() == text:
        return
    draft = file.with_name(f".{file.name}.new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
    if file.exists():
        shutil.copymode(file, draft)
    draft.replace(file)
