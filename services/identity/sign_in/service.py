"""Use cases of sign-in: each is one transaction's work. Passwords are hashed outside of them."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from services.identity import service as registers
from services.identity.sign_in import repository
from services.identity.sign_in.domain import (
    FAILURE_MEMORY,
    SESSION_LIFETIME,
    LockedOut,
    LoginNameTaken,
    SessionOver,
    SignInSession,
    StaffExists,
    charge_attempt,
    hash_token,
    is_live,
    lock_wait_s,
    use_session,
)
from services.identity.sign_in.repository import Realm
from shared.contracts.http import identity as http
from shared.contracts.http import identity_passkeys as passkeys_http
from shared.kit.auth import Caller
from shared.kit.database import Session

#: Sessions of one customer that are shown.
MAX_SESSIONS = 50


@dataclass(frozen=True, slots=True)
class Known:
    """Who has a login name, and the hash to verify the password against."""

    who: str
    password_hash: str
    roles: tuple[http.Role, ...] = ()


def _name_hash(login_name: str) -> bytes:
    return hashlib.sha256(login_name.encode()).digest()


async def set_credentials(
    session: Session,
    *,
    customer_id: str,
    login_name: str,
    password_hash: str,
    caller: Caller,
    now: datetime,
) -> None:
    """Give a customer a login name and a password; sessions under the old ones end.

    Raises:
        CustomerNotFound
        LoginNameTaken: another customer signs in under this name.
    """
    await registers.customer(session, customer_id=customer_id)
    taken = LoginNameTaken(field="login_name", expected="a name that nobody has")
    if await repository.login_name_owner(session, login_name) not in {None, customer_id}:
        raise taken
    try:
        await repository.set_credentials(
            session,
            customer_id=customer_id,
            login_name=login_name,
            password_hash=password_hash,
            now=now,
        )
    except IntegrityError as error:  # somebody took the name since it was looked up
        raise taken from error
    await repository.end_sessions_of(session, customer_id=customer_id, now=now)
    await repository.forget_attempts(session, realm="customer", name_hash=_name_hash(login_name))
    await registers.tell(
        session, action="credentials.set", subject=customer_id, caller=caller, now=now
    )


async def charge(session: Session, *, realm: Realm, login_name: str, now: datetime) -> Known | None:
    """Count one try to sign in under this name, and look up who has it.

    Raises:
        LockedOut: too many failures; nothing is counted while the name is locked.
    """
    name_hash = _name_hash(login_name)
    attempts = await repository.attempts_locked(session, realm=realm, name_hash=name_hash)
    wait_s = lock_wait_s(attempts, now=now)
    if wait_s is not None:
        raise LockedOut(headers={"Retry-After": str(wait_s)})
    await repository.keep_attempts(
        session, realm=realm, name_hash=name_hash, attempts=charge_attempt(attempts, now=now)
    )
    if realm == "customer":
        row = await repository.customer_by_login(session, login_name)
        return Known(row.customer_id, row.password_hash) if row else None
    row = await repository.staff_by_login(session, login_name)
    return Known(row.staff_id, row.password_hash, tuple(row.roles)) if row else None


async def open_session(
    session: Session,
    *,
    customer_id: str,
    login_name: str,
    token: str,
    device: str | None,
    now: datetime,
) -> SignInSession:
    """The password was right: failures are forgotten and a session begins."""
    await repository.forget_attempts(session, realm="customer", name_hash=_name_hash(login_name))
    opened = SignInSession(customer_id=customer_id, started_at=now, last_used_at=now, device=device)
    await repository.insert_session(session, token_hash=hash_token(token), opened=opened)
    return opened


async def staff_signed_in(
    session: Session, *, staff_id: str, login_name: str, now: datetime
) -> None:
    """The password was right: failures are forgotten and the audit log hears of it."""
    await repository.forget_attempts(session, realm="staff", name_hash=_name_hash(login_name))
    caller = Caller(service="staff", staff_id=staff_id)
    await registers.tell(session, action="staff.sign_in", subject=staff_id, caller=caller, now=now)


async def verify_session(session: Session, *, token: str, now: datetime) -> http.SessionOwner:
    """Whose session this is; its idle time starts anew.

    Raises:
        SessionOver: there is no such session, or it has ended.
    """
    token_hash = hash_token(token)
    found = await repository.session_by_token(session, token_hash)
    if found is None or not is_live(found, now=now):
        raise SessionOver
    used = use_session(found, now=now)
    if used != found:
        await repository.keep_last_use(session, token_hash=token_hash, at=used.last_used_at)
    return http.SessionOwner(customer_id=used.customer_id, expires_at=used.expires_at)


async def end_session(session: Session, *, token: str, now: datetime) -> None:
    """End the session, where there is one."""
    await repository.end_session(session, token_hash=hash_token(token), now=now)


async def sessions_of(
    session: Session, *, customer_id: str, now: datetime
) -> passkeys_http.SessionList:
    """The sessions of a customer that live now, the youngest first, a bounded number."""
    found = await repository.sessions_of(
        session, customer_id=customer_id, since=now - SESSION_LIFETIME, limit=MAX_SESSIONS
    )
    return passkeys_http.SessionList(
        items=[
            passkeys_http.OpenSession.model_validate(one, from_attributes=True)
            for one in found
            if is_live(one, now=now)
        ]
    )


async def end_session_of(
    session: Session, *, customer_id: str, session_id: UUID, now: datetime
) -> None:
    """End one of the customer's own sessions, where there is one."""
    await repository.end_session_of(
        session, customer_id=customer_id, session_id=session_id, now=now
    )


async def known_staff(session: Session, *, staff_id: str) -> tuple[http.StaffMember, str] | None:
    """A member of staff with the password's hash, or None."""
    row = await repository.staff_member(session, staff_id)
    if row is None:
        return None
    return http.StaffMember.model_validate(row, from_attributes=True), row.password_hash


async def register_staff(
    session: Session, *, member: http.StaffMember, password_hash: str, caller: Caller, now: datetime
) -> None:
    """Store a member of staff.

    Raises:
        StaffExists: the id or the login name is taken.
    """
    stored = await repository.insert_staff(
        session,
        staff_id=member.staff_id,
        login_name=member.login_name,
        password_hash=password_hash,
        roles=member.roles,
        now=now,
    )
    if not stored:
        raise StaffExists("Another member of staff has this id or this login name")
    await registers.tell(
        session,
        action="staff.register",
        subject=member.staff_id,
        caller=caller,
        now=now,
        reason=" ".join(member.roles),
    )


async def forget_old(session: Session, *, now: datetime) -> int:
    """Delete a bounded number of attempts and sessions that no longer count; how many."""
    gone = await repository.forget_old_attempts(session, before=now - FAILURE_MEMORY)
    return gone + await repository.forget_old_sessions(session, before=now - 3 * SESSION_LIFETIME)
