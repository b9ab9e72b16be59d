"""What the authorization page asks of identity and the ledger, in the page's own terms."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import SecretStr, ValidationError

from gateway import clients
from gateway.customers import passkeys
from gateway.grants.kinds import Described, Words
from gateway.pages.domain import Choice, Message, grouped
from gateway.pages.texts import Lang, texts
from shared.contracts.http.identity import SendOneTimeCode, VerifyOneTimeCode
from shared.contracts.http.identity_passkeys import (
    AskAssertion,
    PasskeyChallenge,
    VerifyAssertion,
)
from shared.kit.app import Context
from shared.kit.money import format_minor
from shared.kit.peers import PeerRefused, PeerUnavailable

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answered:
    """What the page's form brings back from an authenticator."""

    challenge_id: str
    credential: str


#: What a one-time code or a passkey's confirmation of this page is for.
PURPOSE = "authorization"


async def send_code(
    context: Context, *, customer_id: str, subject: str, message: Words
) -> UUID | Message:
    """The challenge of a code whose message names payee and amount."""
    body = SendOneTimeCode(
        customer_id=customer_id,
        purpose=PURPOSE,
        subject=subject,
        message_zh=message[0],
        message_en=message[1],
    )
    try:
        return (await clients.send_code(context, body=body)).challenge_id
    except PeerRefused as refusal:
        log.info("page.code_refused", extra={"code": refusal.code})
        return Message("code_wait", 429)
    except PeerUnavailable:
        return Message("code_unsent", 503)


async def try_code(
    context: Context, *, customer_id: str, subject: str, challenge_id: UUID | None, code: str
) -> Message | None:
    """None for the right code."""
    if not code:
        return Message("code_missing", 422)
    if challenge_id is None:
        return Message("code_ended", 422)
    try:
        body = VerifyOneTimeCode(
            customer_id=customer_id, purpose=PURPOSE, subject=subject, code=SecretStr(code)
        )
        await clients.verify_code(context, challenge_id=challenge_id, body=body)
    except ValidationError:
        return Message("code_not_right", 422)
    except PeerRefused as refusal:
        wrong = refusal.code == "code_wrong"
        return Message("code_not_right" if wrong else "code_ended", 422)
    return None


async def ask_passkey(
    context: Context, *, origin: str, customer_id: str | None, subject: str, message: Words | None
) -> PasskeyChallenge | None:
    """A challenge for the page's passkey; None where there can be none: the page does without.

    With a customer it is to confirm `message`, and there is none unless they have a passkey.
    """
    if (urlsplit(origin).hostname or "").replace(".", "").isdigit():
        return None  # passkeys belong to a host with a name
    try:
        asked = AskAssertion(
            purpose="confirm" if customer_id else "sign_in",
            origin=origin,
            customer_id=customer_id,
            subject=subject,
            message=spoken(message),
        )
        return await passkeys.ask_assertion(context, asked=asked)
    except (ValidationError, PeerRefused, PeerUnavailable):
        return None


async def try_passkey(
    context: Context,
    *,
    origin: str,
    customer_id: str | None,
    subject: str,
    message: Words | None,
    answer: Answered,
) -> str | Message:
    """The customer whose passkey signed the challenge, over this very subject and message."""
    try:
        answered = VerifyAssertion(
            purpose="confirm" if customer_id else "sign_in",
            origin=origin,
            customer_id=customer_id,
            subject=subject,
            message=spoken(message),
            challenge_id=UUID(answer.challenge_id),
            credential=answer.credential,
        )
        return (await passkeys.verify_assertion(context, answered=answered)).customer_id
    except (ValueError, PeerRefused):
        return Message("passkey_refused", 401)


def spoken(message: Words | None) -> str:
    """What a passkey's signature covers: the same words whichever language the page has."""
    return message[1] if message else ""


async def choices(
    context: Context, *, described: Described, customer_id: str, lang: Lang
) -> Sequence[Choice]:
    """The customer's accounts that the request can be about."""
    if described.choose == "none":
        return ()
    words = texts(lang)
    rights = await clients.account_rights(context, customer_id=customer_id)
    if described.account_id is not None:
        rights = [right for right in rights if right.account_id == described.account_id]
    accounts = await clients.accounts(context, rights=rights)
    found = []
    for right, account in zip(rights, accounts, strict=True):
        if account is None or described.currency not in {None, account.currency}:
            continue
        if account.frozen and described.choose == "one":  # nothing leaves a frozen account
            continue
        available = account.balance.available_minor
        found.append(
            Choice(
                account_id=account.account_id,
                shown=grouped(account.account_id),
                right=words[right.right],
                available=None if available is None else format_minor(available, account.currency),
            )
        )
    return found
