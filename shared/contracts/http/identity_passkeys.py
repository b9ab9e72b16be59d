"""HTTP models of identity: passkeys, and the sessions of a customer.

What browser and authenticator exchange (`options`, `credential`) is the JSON of Web Authentication
Level 3, handed through as text.
"""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from shared.contracts.values import Contract, CustomerId, Name, Reply

Origin = Annotated[str, StringConstraints(pattern=r"^https?://[a-z0-9.:-]{1,255}$")]
"""Where the browser is: what an authenticator signs names it."""

Credential = Annotated[str, StringConstraints(min_length=2, max_length=20_000)]
Subject = Annotated[str, StringConstraints(max_length=64)]
Words = Annotated[str, StringConstraints(max_length=300)]
Told = Literal["sign_in", "confirm"]


class AskRegistration(Contract):
    """What a customer's authenticator needs to make a passkey."""

    customer_id: CustomerId
    origin: Origin


class RegisterPasskey(Contract):
    customer_id: CustomerId
    origin: Origin
    challenge_id: UUID
    credential: Credential
    name: Name


class AskAssertion(Contract):
    """A challenge to sign in, or to confirm: then of one customer, for one subject and message.

    The authenticator signs over subject and message, so that what it confirms, payee and amount,
    is part of the signature.
    """

    purpose: Told
    origin: Origin
    customer_id: CustomerId | None = None
    subject: Subject = ""
    message: Words = ""


class VerifyAssertion(AskAssertion):
    """The same again, with what the authenticator answered."""

    challenge_id: UUID
    credential: Credential


class PasskeyChallenge(Reply):
    challenge_id: UUID
    options: str
    expires_at: datetime


class PasskeyVerified(Reply):
    customer_id: CustomerId
    verified_at: datetime


class Passkey(Reply):
    passkey_id: str = Field(description="Its credential id, in base64url")
    name: str
    created_at: datetime
    last_used_at: datetime | None


class PasskeyList(Reply):
    items: list[Passkey]


class OpenSession(Reply):
    """A session that lives; `device` is what the browser or app said of itself."""

    session_id: UUID
    device: str | None
    started_at: datetime
    last_used_at: datetime
    expires_at: datetime


class SessionList(Reply):
    items: list[OpenSession]
