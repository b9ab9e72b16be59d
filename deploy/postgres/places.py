"""Where one bank's PostgreSQL keeps its data and its socket.

Everything belongs to the run folder (`.run`). The data lies in it, unless root started the bank
and the dropped user cannot get there: then it lies below `/var/lib/tongbao`, under a name that
is made from the run folder's path, and `<run_dir>/postgres.json` tells where.
"""

import fcntl
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from deploy.postgres.accounts import Account, account_of, default_account, may, private_folder
from deploy.postgres.errors import PostgresError

SYSTEM_FOLDER = Path("/var/lib/tongbao")
PORT = 5432
"""Only a part of the socket's file name; each bank has a socket folder of its own."""

SOCKET_PATH_BYTES = 103
"""The shortest limit of the systems we run on: macOS keeps 104 bytes with the closing zero."""

LOCK_WAIT_S = 120


@dataclass(frozen=True)
class Place:
    """A run folder, the folder that holds its data, and the user that the server runs under."""

    run_dir: Path
    home: Path
    account: Account

    @property
    def data_dir(self) -> Path:
        return self.home / "data"

    @property
    def cluster_name(self) -> str:
        """Stands in the title of every server process, so that leftovers can be told apart."""
        return f"tongbao-{_digest(self.run_dir)}"

    @property
    def initialised(self) -> bool:
        return (self.data_dir / "PG_VERSION").is_file()


def _digest(run_dir: Path) -> str:
    return hashlib.sha256(os.fsencode(run_dir)).hexdigest()[:12]


def homes(run_dir: Path) -> tuple[Path, Path]:
    """The two folders that may hold the data of `run_dir`: inside, and outside of it."""
    return run_dir / "postgres", SYSTEM_FOLDER / _digest(run_dir)


def record_file(run_dir: Path) -> Path:
    return run_dir / "postgres.json"


def recorded(run_dir: Path) -> Place | None:
    """Where the data of this run folder was put, or None if there is none yet."""
    file = record_file(run_dir)
    try:
        home = run_dir / str(json.loads(file.read_text(encoding="utf-8"))["home"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        raise PostgresError(f"{file} is damaged; restore it, or `make reset`") from None
    if home not in homes(run_dir):
        raise PostgresError(
            f"{run_dir} was moved or copied: its data is in {home}, made for the former place; "
            "move it back, or `make reset`"
        )
    if not home.is_dir():
        raise PostgresError(f"the data of this bank is gone from {home}; `make reset` starts anew")
    return Place(run_dir=run_dir, home=home, account=_account_for(home))


def chosen(run_dir: Path) -> Place:
    """Where the data of a run folder without a record belongs."""
    inside, outside = homes(run_dir)
    account = default_account()
    home = inside if not account.switched or may(account, "x", run_dir) else outside
    return Place(run_dir=run_dir, home=home, account=_account_for(home))


def _account_for(home: Path) -> Account:
    """The owner of the data that is there; a bank of one's own may later be started with sudo."""
    try:
        found = home.stat()
    except FileNotFoundError:
        return default_account()
    if os.geteuid() not in (0, found.st_uid):
        raise PostgresError(
            f"{home} belongs to {account_of(found.st_uid).name}; start the bank as that user, "
            "or as root"
        )
    if found.st_uid == 0:
        raise PostgresError(
            f"{home} belongs to root, and PostgreSQL does not run as root; "
            "give it back to the user it had"
        )
    return account_of(found.st_uid, gid=found.st_gid)


def remember(place: Place) -> None:
    """Write the record that `recorded` reads.

    The folder inside is kept relative, so that a run folder with its data in it can be moved.
    """
    inside, _ = homes(place.run_dir)
    home = place.home.name if place.home == inside else str(place.home)
    text = json.dumps({"home": home, "user": place.account.name}, indent=2) + "\n"
    write_atomically(record_file(place.run_dir), text, mode=0o644)


def prepare(place: Place) -> None:
    """Make the folder of the data, without a change to any folder above it."""
    if place.home.parent == SYSTEM_FOLDER:
        system_folder()
    private_folder(place.home, account=place.account)


def system_folder() -> Path:
    """The root-owned folder for what cannot lie in the run folder, made on first use."""
    try:
        SYSTEM_FOLDER.mkdir(parents=True)
    except FileExistsError:
        found = SYSTEM_FOLDER.lstat()
        if found.st_uid != 0 or found.st_mode & 0o022:
            raise PostgresError(
                f"{SYSTEM_FOLDER} must belong to root and be writable by root alone"
            ) from None
    else:
        SYSTEM_FOLDER.chmod(0o755)
    return SYSTEM_FOLDER


def set_aside(place: Place, *, now: datetime) -> None:
    """Rename data outside whose run folder was deleted by hand, so that a new bank can start.

    Nobody has its passwords any more, but it may be money: it is kept until `destroy`.
    """
    stamp = now.astimezone(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    place.home.rename(place.home.with_name(f"{place.home.name}.{stamp}"))


def set_aside_homes(run_dir: Path) -> list[Path]:
    _, outside = homes(run_dir)
    return sorted(outside.parent.glob(f"{outside.name}.*")) if outside.parent.is_dir() else []


def socket_folder(place: Place) -> Path:
    """A short private path for the socket.

    A temporary folder of the person (macOS, TMPDIR) goes first if the server's user may enter it
    and the path of the socket in it is short enough; `/tmp` always is.
    """
    name = f"tongbao-{place.account.uid}-{_digest(place.run_dir)}"
    for base in (Path(tempfile.gettempdir()).resolve(), Path("/tmp").resolve()):  # noqa: S108
        socket = base / name / f".s.PGSQL.{PORT}"
        if len(os.fsencode(socket)) <= SOCKET_PATH_BYTES and may(place.account, "x", base):
            return base / name
    raise PostgresError("there is no temporary folder that can hold PostgreSQL's socket")


def make_folder(path: Path, *, mode: int) -> None:
    """Make a folder of the run folder; made by root, it belongs to the owner of the one above."""
    try:
        path.mkdir(mode=mode)
    except FileExistsError:
        if not path.is_dir() or path.is_symlink():
            raise PostgresError(f"{path} is not a folder; remove it and start again") from None
        return
    if os.geteuid() == 0:
        above = path.parent.stat()
        os.chown(path, above.st_uid, above.st_gid)


def open_private(path: Path, *, flags: int, mode: int = 0o600) -> int:
    """Open a file of the run folder, never through a link.

    A file that root makes belongs to the owner of its folder, who may start the bank next time.
    """
    descriptor = os.open(path, flags | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    if os.geteuid() == 0:
        folder = path.parent.stat()
        os.fchown(descriptor, folder.st_uid, folder.st_gid)
    return descriptor


def write_atomically(path: Path, text: str, *, mode: int) -> None:
    """Replace a small file as a whole and for good: a crash leaves the old one or the new one."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    scratch.unlink(missing_ok=True)
    descriptor = open_private(scratch, flags=os.O_WRONLY | os.O_EXCL, mode=mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    scratch.replace(path)
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Make a rename in this folder survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def locked(run_dir: Path) -> Iterator[int]:
    """One starter at a time works on a run folder; the kernel frees the lock of a killed one.

    Gives the lock's descriptor: a program that keeps it holds the lock even if we are killed.
    """
    descriptor = open_private(run_dir / "postgres.lock", flags=os.O_RDWR)
    try:
        deadline = time.monotonic() + LOCK_WAIT_S
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise PostgresError(
                        f"another program has been starting or stopping the database of {run_dir} "
                        f"for {LOCK_WAIT_S} s"
                    ) from None
                time.sleep(0.05)
        yield descriptor
    finally:
        os.close(descriptor)
