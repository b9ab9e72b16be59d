"""The passwords of the embedded PostgreSQL: made here, kept in one file that only its owner reads.

`<run_dir>/secrets/postgres.json` holds
`{"superuser": …, "auditor": …, "services": {"ledger": {"owner": …, "runtime": …}, …}}`.
"""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path

from deploy.postgres.errors import PostgresError
from deploy.postgres.places import make_folder, write_atomically
from deploy.provision.roles import ServicePasswords, new_password


@dataclass(frozen=True)
class Passwords:
    superuser: str = field(repr=False)
    auditor: str = field(repr=False)
    services: dict[str, ServicePasswords] = field(default_factory=dict)

    def completed(self, services: list[str]) -> "Passwords":
        """The same passwords, and new ones for the services that have none."""
        made = {
            name: ServicePasswords(owner=new_password(), runtime=new_password())
            for name in services
            if name not in self.services
        }
        return replace(self, services={**self.services, **made})


def secrets_file(run_dir: Path) -> Path:
    return run_dir / "secrets" / "postgres.json"


def load(run_dir: Path) -> Passwords | None:
    """The stored passwords, or None if there are none yet."""
    file = secrets_file(run_dir)
    try:
        raw = json.loads(file.read_text(encoding="utf-8"))
        return Passwords(
            superuser=str(raw["superuser"]),
            auditor=str(raw["auditor"]),
            services={
                str(name): ServicePasswords(owner=str(pair["owner"]), runtime=str(pair["runtime"]))
                for name, pair in raw["services"].items()
            },
        )
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise PostgresError(f"{file} is damaged; restore it, or `make reset`") from None


def required(run_dir: Path) -> Passwords:
    """The stored passwords; without them a bank's data cannot be opened."""
    found = load(run_dir)
    if found is None:
        raise PostgresError(
            f"the passwords of this bank's database are gone from {secrets_file(run_dir)}; "
            "restore the file, or `make reset`"
        )
    return found


def created(run_dir: Path) -> Passwords:
    """The stored passwords, or new ones, stored before anything depends on them."""
    found = load(run_dir)
    if found is None:
        found = Passwords(superuser=new_password(), auditor=new_password())
        store(run_dir, found)
    return found


def store(run_dir: Path, passwords: Passwords) -> None:
    file = secrets_file(run_dir)
    make_folder(file.parent, mode=0o700)
    if file.parent.stat().st_mode & 0o077:
        file.parent.chmod(0o700)
    raw = {
        "superuser": passwords.superuser,
        "auditor": passwords.auditor,
        "services": {
            name: {"owner": pair.owner, "runtime": pair.runtime}
            for name, pair in passwords.services.items()
        },
    }
    write_atomically(file, json.dumps(raw, indent=2) + "\n", mode=0o600)
