"""The simulated outside world of a local bank: its keys, and where risk asks it.

`secrets/bureau.json` holds `{"bank_key": …, "admin_key": …}`: with the one the bank asks, with the
other a person makes the sources fail.
"""

import json
import secrets
from pathlib import Path

from deploy.bureau.people import SAYS
from deploy.local.files import private_folder, read_json, write_json
from deploy.local.programs import BUREAU_OFFSET

#: The name under which the sources know this bank.
BANK = "tongbao"
NAMES = ("bank_key", "admin_key")


def secrets_file(run_dir: Path) -> Path:
    return run_dir / "secrets" / "bureau.json"


def prepare_outside(run_dir: Path) -> None:
    """Make the keys at the first start, and those that a damaged file has lost."""
    file = secrets_file(run_dir)
    known = read_json(file) or {}
    if not all(isinstance(known.get(name), str) for name in NAMES):
        private_folder(file.parent)
        write_json(file, {name: secrets.token_urlsafe(32) for name in NAMES} | known)


def outside_environment(run_dir: Path) -> dict[str, str]:
    """What the simulated sources are told."""
    keys = _keys(run_dir)
    return {
        "BUREAU_KEYS": json.dumps({BANK: keys["bank_key"]}),
        "BUREAU_ADMIN_KEY": keys["admin_key"],
    }


def asks_at(port: int) -> dict[str, str]:
    """Where risk asks each source, by the bank's port."""
    return {source: f"http://127.0.0.1:{port + BUREAU_OFFSET}/{source}" for source in SAYS}


def asked_with(run_dir: Path) -> dict[str, str]:
    """The bank's key at each source."""
    return dict.fromkeys(SAYS, _keys(run_dir)["bank_key"])


def _keys(run_dir: Path) -> dict[str, str]:
    found = read_json(secrets_file(run_dir)) or {}
    return {name: str(found[name]) for name in NAMES}
