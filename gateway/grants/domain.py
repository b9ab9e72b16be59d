"""Grants: what a customer allowed a client, by which consent, over which accounts, until when."""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final, Literal
from uuid import UUID

from gateway.tokens.jose import encode_base64url
from shared.kit.problems import BankError

GrantState = Literal["active", "revoked", "expired"]

#: FAPI 2.0, 5.3.2.1: a code lives 60 s at the most.
CODE_LIFETIME: Final = timedelta(seconds=60)
#: PSD2's access consents last 90 days; nothing here lasts longer.
MAX_LIFETIME: Final = timedelta(days=90)
#: A grant's last use is written at most so often: many calls cost one write.
TOUCH_EVERY: Final = timedelta(minutes=1)
#: How long a used code is remembered, so that a second use is told from a wrong code.
KEEP_CODES: Final = timedelta(days=1)


class GrantNotFound(BankError):
    status, code, title = 404, "grant_not_found", "There is no such grant"


@dataclass(frozen=True, slots=True)
class CustomerGrant:
    """`accounts` are those that the customer chose; `consent_id` names what they agreed to."""

    grant_id: UUID
    client_id: str
    customer_id: str
    scopes: Sequence[str]
    consent_kind: str | None
    consent_id: str | None
    accounts: Sequence[str]
    #: How the customer was authenticated, and when.
    acr: str
    authenticated_at: datetime
    stored_state: Literal["active", "revoked"]
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None = None

    def state(self, *, now: datetime) -> GrantState:
        if self.stored_state == "active" and now >= self.expires_at:
            return "expired"
        return self.stored_state

    def is_live(self, *, now: datetime) -> bool:
        return self.state(now=now) == "active"


@dataclass(frozen=True, slots=True)
class Code:
    """A code as it was given: for which client, address, verifier and key."""

    grant_id: UUID
    client_id: str
    redirect_uri: str
    code_challenge: str
    #: The key that the code is bound to; None where the client named none (RFC 9449, 10).
    dpop_jkt: str | None
    nonce: str | None
    intent_id: str | None
    expires_at: datetime
    used_at: datetime | None = None


def secret_hash(secret: str) -> bytes:
    """What is stored of a code or token: 256 random bits need no salt and no slow hash."""
    return sha256(secret.encode(errors="surrogatepass")).digest()


def challenge_of(verifier: str) -> str:
    """RFC 7636, 4.2: the S256 challenge of a verifier."""
    return encode_base64url(sha256(verifier.encode(errors="surrogatepass")).digest())


def code_trouble(
    code: Code, *, redirect_uri: str | None, verifier: str, thumbprint: str, now: datetime
) -> str | None:
    """Why the code cannot be exchanged so; None where it can. A used one is told elsewhere."""
    if now >= code.expires_at:
        return "the code has expired"
    if redirect_uri != code.redirect_uri:
        return "redirect_uri is not the one of the request"
    if not hmac.compare_digest(challenge_of(verifier), code.code_challenge):
        return "code_verifier does not belong to the code"
    if code.dpop_jkt is not None and not hmac.compare_digest(code.dpop_jkt, thumbprint):
        return "the code is bound to another key than the proof's"
    return None


def subject_of(customer_id: str, *, partner_id: str, secret: bytes) -> str:
    """The customer as this partner knows them: stable, and another one for each partner.

    A pairwise identifier (OpenID Connect Core, 8.1): partners cannot compare customers.
    """
    told = b"\x00".join((b"subject", partner_id.encode(), customer_id.encode()))
    return encode_base64url(hmac.digest(secret, told, sha256))
