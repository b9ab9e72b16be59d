"""Registers the first member of staff, by somebody who may write to identity's database.

    DATABASE_URL=… python -m services.identity.bootstrap --staff-id s-admin --login-name admin \
        --roles admin,operator --password-file FILE

It can be repeated; with other content under the same id it is refused. Further staff are
registered over HTTP by an admin.
"""

import argparse
import asyncio
import sys
from pathlib import Path

from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from services.identity.settings import BootstrapSettings
from services.identity.sign_in import flows
from services.identity.sign_in.passwords import PasswordHasher
from shared.contracts.http import identity as http
from shared.kit.auth import Caller
from shared.kit.clock import utc_now
from shared.kit.database import Database
from shared.kit.problems import BankError

MAX_PASSWORD_FILE_BYTES = 1_024


def main(arguments: list[str] | None = None) -> None:
    """Ends with one clear line and status 1 where the member of staff cannot be registered."""
    try:
        wanted = _wanted(_parsed(arguments))
        settings = BootstrapSettings()
        asyncio.run(register(wanted, url=settings.database_url.get_secret_value()))
    except ValidationError as error:
        # Not the error itself, which repeats what was given.
        fields = ", ".join(".".join(map(str, item["loc"])) for item in error.errors())
        sys.exit(f"bootstrap: not as expected: {fields}")
    except (BankError, OSError, UnicodeError) as error:
        sys.exit(f"bootstrap: {error}")
    except SQLAlchemyError as error:
        sys.exit(f"bootstrap: the database refused ({type(error).__name__})")


async def register(wanted: http.RegisterStaff, *, url: str) -> http.StaffMember:
    """Store the member of staff in the database at `url`; the audit log names the command.

    Raises:
        StaffExists: the id is stored with other content, or the login name is taken.
        Unavailable: the database cannot be reached.
    """
    database = Database(url, pool_size=1, application="identity-bootstrap")
    passwords = PasswordHasher(threads=1)
    try:
        return await flows.register_staff(
            database,
            passwords,
            wanted=wanted,
            caller=Caller(service="bootstrap"),
            clock=utc_now,
        )
    finally:
        passwords.close()
        await database.close()


def _parsed(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m services.identity.bootstrap")
    parser.add_argument("--staff-id", required=True)
    parser.add_argument("--login-name", required=True)
    parser.add_argument("--roles", required=True, help="admin, operator, reviewer; by commas")
    parser.add_argument("--password-file", required=True, type=Path)
    return parser.parse_args(arguments)


def _wanted(given: argparse.Namespace) -> http.RegisterStaff:
    with given.password_file.open("rb") as file:
        password = file.read(MAX_PASSWORD_FILE_BYTES).decode().rstrip("\r\n")
    return http.RegisterStaff(
        staff_id=given.staff_id,
        login_name=given.login_name,
        password=password,
        roles=given.roles.split(","),
    )


if __name__ == "__main__":
    main()
