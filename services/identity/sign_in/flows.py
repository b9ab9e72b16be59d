"""Signing in: a try is counted, the password verified on its thread, then the session stored.

Between the two transactions no connection is held: argon2 takes longer than both together.
"""

from __future__ import annotations

import logging
import secrets
from datetime import timedelta
from typing import TYPE_CHECKING

from pydantic import SecretStr

from services.identity.sign_in import service
from services.identity.sign_in.domain import SignInRefused, StaffExists
from services.identity.sign_in.passwords import PasswordHasher
from services.identity.sign_in.repository import Realm
from services.identity.sign_in.service import Known
from shared.contracts.http import identity as http
from shared.kit.auth import STAFF_LIFETIME_S, Caller
from shared.kit.clock import Clock
from shared.kit.database import Database

if TYPE_CHECKING:  # the bootstrap command starts in half the time without the web server
    from shared.kit.app import Context

log = logging.getLogger(__name__)

TOKEN_BYTES = 32


def passwords_of(context: Context) -> PasswordHasher:
    hasher: PasswordHasher = context.resources["passwords"]
    return hasher


async def set_credentials(
    context: Context, *, customer_id: str, wanted: http.SetCredentials, caller: Caller
) -> None:
    """Give a customer a login name and a password. Raises as the service's function does."""
    password_hash = await passwords_of(context).hash(wanted.password)
    async with context.database.transaction() as session:
        await service.set_credentials(
            session,
            customer_id=customer_id,
            login_name=wanted.login_name,
            password_hash=password_hash,
            caller=caller,
            now=context.clock(),
        )
    context.published()


async def sign_in(context: Context, *, tried: http.SignIn) -> http.CustomerSession:
    """A customer's session, or one answer for all that may be wrong.

    Raises:
        SignInRefused: no such name, no such password.
        LockedOut: too many failures under this name, whether it exists or not.
        Unavailable: too many passwords are being verified at once.
    """
    known = await _verified(context, "customer", tried.login_name, tried.password)
    token = secrets.token_urlsafe(TOKEN_BYTES)
    async with context.database.transaction() as session:
        opened = await service.open_session(
            session,
            customer_id=known.who,
            login_name=tried.login_name,
            token=token,
            device=tried.device,
            now=context.clock(),
        )
    return http.CustomerSession(
        customer_id=known.who, session_token=token, expires_at=opened.expires_at
    )


async def sign_in_staff(context: Context, *, tried: http.SignIn) -> http.StaffToken:
    """A token for the services' own APIs. Raises as `sign_in` does."""
    known = await _verified(context, "staff", tried.login_name, tried.password)
    now = context.clock()
    async with context.database.transaction() as session:
        await service.staff_signed_in(
            session, staff_id=known.who, login_name=tried.login_name, now=now
        )
    context.published()
    roles = list(known.roles)
    token = context.authenticator.staff_token(staff_id=known.who, roles=[*roles])
    return http.StaffToken(
        staff_id=known.who,
        roles=roles,
        token=token,
        expires_at=now + timedelta(seconds=STAFF_LIFETIME_S),
    )


async def _verified(context: Context, realm: Realm, login_name: str, password: SecretStr) -> Known:
    async with context.database.transaction() as session:
        known = await service.charge(
            session, realm=realm, login_name=login_name, now=context.clock()
        )
    right = await passwords_of(context).verify(known.password_hash if known else None, password)
    if known is None or not right:
        # Neither the name nor whether it exists: logs are read by more people than may know.
        log.info("sign_in.refused", extra={"realm": realm})
        raise SignInRefused
    return known


async def register_staff(
    database: Database,
    passwords: PasswordHasher,
    *,
    wanted: http.RegisterStaff,
    caller: Caller,
    clock: Clock,
) -> http.StaffMember:
    """Store a member of staff; the same again, password included, changes nothing.

    Raises:
        StaffExists: the id is stored with other content, or the login name is taken.
    """
    member = http.StaffMember(
        staff_id=wanted.staff_id, login_name=wanted.login_name, roles=sorted(set(wanted.roles))
    )
    async with database.transaction() as session:
        known = await service.known_staff(session, staff_id=wanted.staff_id)
    if known is not None:
        same = await passwords.verify(known[1], wanted.password)
        if known[0] != member or not same:
            raise StaffExists(f"Staff {wanted.staff_id} is registered with other content")
        return member
    password_hash = await passwords.hash(wanted.password)
    async with database.transaction() as session:
        await service.register_staff(
            session, member=member, password_hash=password_hash, caller=caller, now=clock()
        )
    return member
