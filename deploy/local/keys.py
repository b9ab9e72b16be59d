"""The keys of internal calls: every process gets a folder with its own private keys alone."""

import json
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path

from deploy.local.files import private_folder
from deploy.local.programs import SERVICES
from shared.kit.auth import write_keys

#: `operator` is nobody's process: the operator's programs call with it.
HOLDERS = (*(service.name for service in SERVICES), "operator")
ROTATE_AFTER_S = 7 * 24 * 3600
#: A service looks at the public keys once a second at the most (`shared.kit.auth.KeyRing`).
PUBLISH_WAIT_S = 1.5


def prepare_keys(run_dir: Path) -> None:
    """Keys for every process: made at the first start, rotated when they are older than a week."""
    folder = private_folder(run_dir / "keys")
    public = folder / "public.json"
    known = _holders(public)
    if not set(HOLDERS) <= known or time.time() - public.stat().st_mtime > ROTATE_AFTER_S:
        write_keys(folder, HOLDERS, serial=_serial())
    _publish(folder)
    _hand_out(folder)


def rotate_keys(run_dir: Path) -> str:
    """Give every process a new key while the bank runs; return the new keys' serial.

    The older keys stay valid until the next rotation. First everybody knows the new public
    halves, then somebody signs.
    """
    folder = private_folder(run_dir / "keys")
    serial = _serial()
    write_keys(folder, HOLDERS, serial=serial)
    _publish(folder)
    time.sleep(PUBLISH_WAIT_S)
    _hand_out(folder)
    return serial


def _serial() -> str:
    return datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")


def _holders(public: Path) -> set[str]:
    try:
        keys = json.loads(public.read_text())["keys"]
    except (OSError, ValueError, KeyError):
        return set()
    return {str(key["kid"]).partition(".")[0] for key in keys}


def _publish(folder: Path) -> None:
    for holder in HOLDERS:
        _copy(folder / "public.json", private_folder(folder / holder))


def _hand_out(folder: Path) -> None:
    for holder in HOLDERS:
        _copy(folder / f"{holder}.json", private_folder(folder / holder))


def _copy(file: Path, folder: Path) -> None:
    target = folder / file.name
    if target.exists() and target.read_bytes() == file.read_bytes():
        return
    draft = folder / f".{file.name}.new"
    draft.touch(mode=0o600)
    shutil.copyfile(file, draft)
    draft.replace(target)
