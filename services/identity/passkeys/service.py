"""Use cases of passkeys, each inside one transaction."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from services.identity import service as registers
from services.identity.passkeys import repository, verifying
from services.identity.passkeys.domain import (
    CHALLENGE_LIFETIME,
    MAX_PASSKEYS,
    Challenge,
    PasskeyExists,
    PasskeyNotFound,
    PasskeyRefused,
    Purpose,
    StoredPasskey,
    TooManyPasskeys,
    signed_challenge,
)
from shared.contracts.http import identity_passkeys as http
from shared.kit.database import Session

KEEP_CHALLENGES = timedelta(hours=1)


async def ask_registration(
    session: Session,
    *,
    asked: http.AskRegistration,
    challenge_id: UUID,
    nonce: bytes,
    now: datetime,
) -> http.PasskeyChallenge:
    """Raises `CustomerNotFound`, `TooManyPasskeys`, `NoPlaceForPasskeys`."""
    customer = await registers.customer(session, customer_id=asked.customer_id)
    known = await repository.passkeys_of(session, customer_id=asked.customer_id)
    if len(known) >= MAX_PASSKEYS:
        raise TooManyPasskeys(expected=f"at most {MAX_PASSKEYS}")
    made = await _challenge(
        session,
        purpose="register",
        customer_id=asked.customer_id,
        challenge_id=challenge_id,
        nonce=nonce,
        now=now,
    )
    options = verifying.registration_options(
        origin=asked.origin,
        customer_id=asked.customer_id,
        user_name=customer.full_name,
        challenge=signed_challenge(nonce, purpose="register", subject="", message=""),
        known=[one.credential_id for one in known],
    )
    return _reply(made, options)


async def register(
    session: Session, *, wanted: http.RegisterPasskey, now: datetime
) -> StoredPasskey:
    """Raises `PasskeyRefused`, `PasskeyExists`, `TooManyPasskeys`."""
    challenge = await _answered(
        session,
        challenge_id=wanted.challenge_id,
        purpose="register",
        customer_id=wanted.customer_id,
        now=now,
    )
    new = verifying.verified_registration(
        wanted.credential,
        origin=wanted.origin,
        challenge=signed_challenge(challenge.nonce, purpose="register", subject="", message=""),
    )
    if await repository.count_passkeys(session, customer_id=wanted.customer_id) >= MAX_PASSKEYS:
        raise TooManyPasskeys(expected=f"at most {MAX_PASSKEYS}")
    passkey = StoredPasskey(
        credential_id=new.credential_id,
        customer_id=wanted.customer_id,
        public_key=new.public_key,
        sign_count=new.sign_count,
        name=wanted.name,
        created_at=now,
        last_used_at=None,
    )
    if not await repository.insert_passkey(session, passkey=passkey):
        raise PasskeyExists
    return passkey


async def ask_assertion(
    session: Session, *, asked: http.AskAssertion, challenge_id: UUID, nonce: bytes, now: datetime
) -> http.PasskeyChallenge:
    """A challenge to sign in or to confirm.

    Raises `PasskeyNotFound` where a customer who shall confirm has none, `NoPlaceForPasskeys`.
    """
    known: list[StoredPasskey] = []
    if asked.purpose == "confirm":
        known = await repository.passkeys_of(session, customer_id=asked.customer_id or "")
        if not known:
            raise PasskeyNotFound
    made = await _challenge(
        session,
        purpose=asked.purpose,
        customer_id=_who(asked),
        challenge_id=challenge_id,
        nonce=nonce,
        now=now,
    )
    options = verifying.assertion_options(
        origin=asked.origin,
        challenge=_signed(made, asked),
        known=[one.credential_id for one in known],
    )
    return _reply(made, options)


async def verify_assertion(
    session: Session, *, answered: http.VerifyAssertion, now: datetime
) -> http.PasskeyVerified:
    """Who signed, over this purpose, subject and message. Raises `PasskeyRefused`."""
    challenge = await _answered(
        session,
        challenge_id=answered.challenge_id,
        purpose=answered.purpose,
        customer_id=_who(answered),
        now=now,
    )
    credential_id = verifying.claimed_credential(answered.credential)
    passkey = await repository.find_passkey(session, credential_id=credential_id)
    if passkey is None or challenge.customer_id not in {None, passkey.customer_id}:
        raise PasskeyRefused
    count = verifying.verified_assertion(
        answered.credential,
        origin=answered.origin,
        challenge=_signed(challenge, answered),
        passkey=passkey,
    )
    await repository.note_use(session, credential_id=credential_id, sign_count=count, at=now)
    return http.PasskeyVerified(customer_id=passkey.customer_id, verified_at=now)


async def passkeys_of(session: Session, *, customer_id: str) -> list[StoredPasskey]:
    return await repository.passkeys_of(session, customer_id=customer_id)


async def remove(session: Session, *, customer_id: str, credential_id: bytes) -> None:
    """Raises `PasskeyNotFound`."""
    if not await repository.delete_passkey(
        session, credential_id=credential_id, customer_id=customer_id
    ):
        raise PasskeyNotFound


async def forget_old(session: Session, *, now: datetime) -> int:
    """Delete a bounded number of old challenges; how many."""
    return await repository.forget_challenges(session, before=now - KEEP_CHALLENGES)


def _who(asked: http.AskAssertion) -> str | None:
    return asked.customer_id if asked.purpose == "confirm" else None


def _signed(challenge: Challenge, asked: http.AskAssertion) -> bytes:
    return signed_challenge(
        challenge.nonce,
        purpose=challenge.purpose,
        subject=asked.subject,
        message=asked.message,
    )


async def _challenge(session: Session, *, now: datetime, **values: Any) -> Challenge:
    challenge = Challenge(**values, expires_at=now + CHALLENGE_LIFETIME)
    await repository.insert_challenge(session, challenge=challenge)
    return challenge


async def _answered(
    session: Session,
    *,
    challenge_id: UUID,
    purpose: Purpose,
    customer_id: str | None,
    now: datetime,
) -> Challenge:
    """The open challenge, which a right answer uses up."""
    found = await repository.challenge_locked(session, challenge_id=challenge_id)
    if found is None or not found.is_open(purpose=purpose, customer_id=customer_id, now=now):
        raise PasskeyRefused
    await repository.use_challenge(session, challenge_id=challenge_id, at=now)
    return found


def _reply(challenge: Challenge, options: str) -> http.PasskeyChallenge:
    return http.PasskeyChallenge(
        challenge_id=challenge.challenge_id, options=options, expires_at=challenge.expires_at
    )
