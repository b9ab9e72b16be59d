"""What the consent page asks of identity and the ledger, in the page's own terms."""

import logging
from contextlib import suppress
from uuid import UUID

from pydantic import SecretStr, ValidationError

from gateway import clients
from gateway.consents.domain import PaymentConsent
from gateway.pages.domain import Choice, Message, PageSession, code_messages, grouped
from gateway.pages.texts import Lang, texts
from shared.contracts.http.identity import SendOneTimeCode, SignIn, VerifyOneTimeCode
from shared.kit.app import Context
from shared.kit.money import format_minor
from shared.kit.peers import PeerRefused, PeerUnavailable

log = logging.getLogger(__name__)

PURPOSE = "payment_consent"


async def customer_of(context: Context, *, login_name: str, password: str) -> str | Message:
    """The customer's id. The session at identity ends at once: the page has one of its own."""
    try:
        body = SignIn(login_name=login_name.strip().lower(), password=SecretStr(password))
        opened = await clients.sign_in(context, body=body)
    except ValidationError:
        return Message("wrong_password", 401)
    except PeerRefused as refusal:
        locked = refusal.status == 429
        return Message("sign_in_locked", 429) if locked else Message("wrong_password", 401)
    with suppress(PeerRefused, PeerUnavailable):
        await clients.sign_out(context, session_token=opened.session_token)
    return opened.customer_id


async def send_code(
    context: Context, *, consent: PaymentConsent, partner_name: str, customer_id: str
) -> UUID | Message:
    """The challenge of a code whose message names payee and limit."""
    zh, en = code_messages(
        partner_name=partner_name,
        payee_name=consent.payee_name,
        limit_minor=consent.limit_minor,
        currency=consent.currency,
    )
    body = SendOneTimeCode(
        customer_id=customer_id,
        purpose=PURPOSE,
        subject=str(consent.consent_id),
        message_zh=zh,
        message_en=en,
    )
    try:
        return (await clients.send_code(context, body=body)).challenge_id
    except PeerRefused as refusal:
        log.info("page.code_refused", extra={"code": refusal.code})
        return Message("code_wait", 429)
    except PeerUnavailable:
        return Message("code_unsent", 503)


async def try_code(context: Context, *, page: PageSession, code: str) -> Message | None:
    """None for the right code."""
    if not code:
        return Message("code_missing", 422)
    if page.challenge_id is None:
        return Message("code_ended", 422)
    try:
        body = VerifyOneTimeCode(
            customer_id=page.customer_id,
            purpose=PURPOSE,
            subject=str(page.consent_id),
            code=SecretStr(code),
        )
        await clients.verify_code(context, challenge_id=page.challenge_id, body=body)
    except ValidationError:
        return Message("wrong_code", 422)
    except PeerRefused as refusal:
        return Message("wrong_code" if refusal.code == "code_wrong" else "code_ended", 422)
    return None


async def choices(
    context: Context, *, consent: PaymentConsent, customer_id: str, lang: Lang
) -> list[Choice]:
    """The customer's accounts that this consent can use: the currency fits, nothing is frozen."""
    words = texts(lang)
    rights = await clients.account_rights(context, customer_id=customer_id)
    if consent.debtor_named:
        rights = [right for right in rights if right.account_id == consent.debtor_account]
    accounts = await clients.accounts(context, rights=rights)
    found = []
    for right, account in zip(rights, accounts, strict=True):
        if account is None or account.currency != consent.currency or account.frozen:
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
