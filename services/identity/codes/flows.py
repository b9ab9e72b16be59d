"""Sending a code and trying it: stored first, then sent; counted first, then told."""

import hmac
import secrets
from uuid import UUID

from services.identity.codes import service
from services.identity.codes.clients import Message, Messenger
from services.identity.codes.domain import (
    CODE_DIGITS,
    REFUSALS,
    CodeTry,
    NoMessenger,
    OneTimeCode,
    format_code,
)
from services.identity.settings import IdentitySettings
from shared.contracts.http import identity as http
from shared.kit.app import Context
from shared.kit.clock import new_id


def _key(context: Context) -> bytes:
    """The key under which codes are hashed, drawn from the service's own signing key.

    After a rotation the codes under way, five minutes' worth, are wrong and asked for again.
    """
    secret = context.authenticator.ring.signing_key().as_dict(private=True)["d"]
    return hmac.digest(str(secret).encode(), b"tongbao one-time codes", "sha256")


async def send_code(context: Context, *, wanted: http.SendOneTimeCode) -> http.OneTimeCodeSent:
    """Send a new code over the customer's own channel.

    Raises:
        NoMessenger: there is no channel, or it failed.
        CustomerNotFound
        TooManyCodes: the customer was sent as many as may be.
    """
    messenger: Messenger | None = context.resources["messenger"]
    if messenger is None:
        raise NoMessenger
    if not isinstance(context.settings, IdentitySettings):
        raise TypeError("identity runs with its own settings")
    code = format_code(secrets.randbelow(10**CODE_DIGITS))
    async with context.database.transaction() as session:
        made = await service.make_code(
            session,
            wanted=wanted,
            challenge_id=new_id(),
            code=code,
            key=_key(context),
            allowed=context.settings.codes_per_window,
            now=context.clock(),
        )
    await messenger.send(_message(made, code=code, wanted=wanted))
    return http.OneTimeCodeSent(challenge_id=made.challenge_id, expires_at=made.expires_at)


def _message(made: OneTimeCode, *, code: str, wanted: http.SendOneTimeCode) -> Message:
    return Message(
        challenge_id=str(made.challenge_id),
        customer_id=made.customer_id,
        sent_at=made.sent_at.isoformat(),
        code=code,
        zh=f"{wanted.message_zh} 验证码 {code}，5 分钟内有效，请勿告诉任何人。",
        en=f"{wanted.message_en} Your code is {code}, good for 5 minutes. Tell it to nobody.",
    )


async def verify_code(
    context: Context, *, challenge_id: UUID, tried: http.VerifyOneTimeCode
) -> http.OneTimeCodeVerified:
    """The code was right: once, in time, for its customer, purpose and subject.

    Raises:
        ChallengeNotFound
        CodeWrong: also for another customer, purpose or subject.
        CodeExpired
        CodeSpent: it was verified already, or five wrong ones were tried.
    """
    now = context.clock()
    async with context.database.transaction() as session:
        verdict = await service.try_once(
            session,
            challenge_id=challenge_id,
            tried=CodeTry(
                customer_id=tried.customer_id,
                purpose=tried.purpose,
                subject=tried.subject,
                code=tried.code.get_secret_value(),
            ),
            key=_key(context),
            now=now,
        )
    if verdict in REFUSALS:
        raise REFUSALS[verdict]
    return http.OneTimeCodeVerified(challenge_id=challenge_id, verified_at=now)
