"""The operating system's user that PostgreSQL runs under.

PostgreSQL refuses to run as root. Started by root it runs under a dropped user; started by anyone
else it runs as that person, and nothing has to be switched.
"""

import os
import pwd
import stat
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.postgres.errors import PostgresError

DROPPED_USERS = ("postgres", "nobody")
"""Tried in this order; `nobody` is there on every Unix."""


@dataclass(frozen=True)
class Account:
    name: str
    uid: int
    gid: int

    @property
    def switched(self) -> bool:
        """Whether programs have to be started as another user than the one that we are."""
        return self.uid != os.geteuid()


def default_account() -> Account:
    """The user for a new server: ourselves, or the first dropped user there is for root."""
    if os.geteuid() != 0:
        return account_of(os.geteuid(), gid=os.getegid())
    for name in DROPPED_USERS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name=name, uid=entry.pw_uid, gid=entry.pw_gid)
    raise PostgresError(
        "PostgreSQL does not run as root, and there is neither a user `postgres` nor `nobody`"
    )


def account_of(uid: int, *, gid: int | None = None) -> Account:
    """The user with this number; containers often run numbers that have no name."""
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return Account(name=str(uid), uid=uid, gid=uid if gid is None else gid)
    return Account(name=entry.pw_name, uid=uid, gid=entry.pw_gid if gid is None else gid)


def run_as(
    account: Account,
    command: Sequence[str | Path],
    *,
    cwd: Path,
    output: int,
    timeout_s: float,
    keeps: Sequence[int] = (),
) -> subprocess.CompletedProcess[str]:
    """Run a program as `account`, with both its output streams at the descriptor `output`.

    None of our environment reaches it: no variable (PGDATA, a secret) changes the server or lies
    in its memory. Of our descriptors it gets `output` and those it `keeps`.
    Raises OSError where switching is not allowed.
    """
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={"PATH": os.defpath, "LC_ALL": "C"},
        pass_fds=keeps,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout_s,
        check=False,
        umask=0o077,
        user=account.uid if account.switched else None,
        group=account.gid if account.switched else None,
        extra_groups=[] if account.switched else None,
    )


def may(account: Account, right: str, path: Path) -> bool:
    """Whether `account` has the right `r` or `x` on `path`, through every folder above it.

    Asked by a process that runs as that user, because only the kernel knows about groups, ACLs
    and mounts; by the shell, because the Python that runs this may be out of that user's reach.
    """
    if not account.switched:
        return os.access(path, {"r": os.R_OK, "x": os.X_OK}[right])
    probe = run_as(
        account,
        ["/bin/sh", "-c", f'test -{right} "$1"', "sh", path],
        cwd=Path("/"),
        output=subprocess.DEVNULL,
        timeout_s=30,
    )
    return probe.returncode == 0


def private_folder(path: Path, *, account: Account) -> Path:
    """Make `path` a folder that only `account` may use, or check that it is one.

    A folder that is there already with another owner, wider rights or behind a link is refused:
    whoever made it could replace the server's socket or read its data.
    """
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        found = path.lstat()
        if not stat.S_ISDIR(found.st_mode):
            raise PostgresError(f"{path} is not a folder; remove it and start again") from None
        if found.st_uid != account.uid:
            raise PostgresError(
                f"{path} belongs to {account_of(found.st_uid).name}, not to {account.name}; "
                "remove it and start again"
            ) from None
        if found.st_mode & 0o077:
            raise PostgresError(
                f"{path} is open to other users (mode {stat.S_IMODE(found.st_mode):04o}); "
                f"check what is in it, then `chmod 700 {path}`"
            ) from None
        return path
    if account.switched:
        os.chown(path, account.uid, account.gid, follow_symlinks=False)
    return path
