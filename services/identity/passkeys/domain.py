"""What a passkey may do: whose challenge it answers, once, in time. No I/O.

The challenge that an authenticator signs is made of a random number, the purpose, the subject and
the message: who confirms a payment signs payee and amount with it (PSD2 RTS, article 5: dynamic
linking).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Literal
from urllib.parse import urlsplit
from uuid import UUID

from shared.kit.problems import BankError, Conflict, NotFound, Unauthenticated

Purpose = Literal["register", "sign_in", "confirm"]

CHALLENGE_LIFETIME = timedelta(minutes=15)
NONCE_BYTES = 32
MAX_PASSKEYS = 10
BANK_NAME = "通宝银行 Tongbao Bank"


class PasskeyRefused(Unauthenticated):
    """One answer for a challenge, a signature and a passkey that do not hold."""

    code, title = "passkey_refused", "The passkey does not hold"


class PasskeyNotFound(NotFound):
    code, title = "passkey_not_found", "The customer has no such passkey"


class PasskeyExists(Conflict):
    code, title = "passkey_exists", "This passkey is registered already"


class TooManyPasskeys(Conflict):
    code, title = "too_many_passkeys", "The customer has as many passkeys as there may be"


class NoPlaceForPasskeys(BankError):
    status, code = 422, "no_place_for_passkeys"
    title = "Passkeys need a name of a host, not an address"


@dataclass(frozen=True, slots=True)
class Challenge:
    """`customer_id` is None for a sign-in: who it is, the passkey tells."""

    challenge_id: UUID
    customer_id: str | None
    purpose: Purpose
    nonce: bytes
    expires_at: datetime
    used_at: datetime | None = None

    def is_open(self, *, purpose: Purpose, customer_id: str | None, now: datetime) -> bool:
        return (
            self.used_at is None
            and now < self.expires_at
            and self.purpose == purpose
            and self.customer_id == customer_id
        )


@dataclass(frozen=True, slots=True)
class StoredPasskey:
    credential_id: bytes
    customer_id: str
    public_key: bytes
    sign_count: int
    name: str
    created_at: datetime
    last_used_at: datetime | None


def signed_challenge(nonce: bytes, *, purpose: Purpose, subject: str, message: str) -> bytes:
    """What the authenticator signs: other words, another challenge."""
    digest = sha256(nonce)
    for part in (purpose, subject, message):
        encoded = part.encode()
        digest.update(len(encoded).to_bytes(4) + encoded)
    return digest.digest()


def relying_party(origin: str) -> str:
    """The host that passkeys belong to. Raises `NoPlaceForPasskeys` for an IP address."""
    host = urlsplit(origin).hostname or ""
    if not host or ":" in host or host.replace(".", "").isdigit():
        raise NoPlaceForPasskeys(field="origin", expected="a host with a name")
    return host
