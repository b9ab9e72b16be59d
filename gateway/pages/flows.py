"""The consent page step by step: sign in, look, choose an account, enter the code, decide.

Every function returns what the browser is shown or where it is sent; no transaction is open
while identity or the ledger is asked.
"""

import secrets
from collections.abc import Awaitable
from typing import Final as Constant

from gateway.consents.domain import (
    MAX_CODE_TRIES,
    AccountNotUsable,
    ConsentNotAwaiting,
    ConsentNotFound,
    PaymentConsent,
)
from gateway.pages import clients, service
from gateway.pages.domain import (
    Browser,
    Final,
    Message,
    Outcome,
    Page,
    PageSession,
    Redirect,
    csrf_token,
    preselected,
    result_url,
    shown_time,
)
from gateway.pages.service import Visit
from gateway.pages.texts import texts
from shared.kit.app import Context
from shared.kit.money import format_minor
from shared.kit.peers import PeerRefused
from shared.kit.problems import Unavailable

COOKIE_BYTES: Constant = 32
#: Messages that a redirect may name; nothing else out of an address is ever shown.
NOTES: Constant = frozenset({"session_ended", "code_wait", "code_unsent", "code_renewed"})


async def open_page(context: Context, *, browser: Browser) -> Outcome:
    """Sign-in, the decision, or what became of the consent."""

    async def step() -> Outcome:
        visit = await _visit(context, browser)
        note = Message(browser.note) if browser.note in NOTES and browser.note else None
        return await _show(context, browser, visit, note)

    return await _guarded(browser, step())


async def sign_in(context: Context, *, browser: Browser) -> Outcome:
    """A session for this consent alone, and a code on its way to the customer."""

    async def step() -> Outcome:
        visit = await _visit(context, browser)
        if not browser.has_own_form():
            return Final("forged", 403)
        if not _is_awaiting(context, visit.consent):
            return _again(browser)
        customer_id = await clients.customer_of(
            context, login_name=browser.field("login_name"), password=browser.field("password")
        )
        if isinstance(customer_id, Message):
            signed_out = Visit(visit.consent, visit.partner_name, None)
            return await _show(context, browser, signed_out, customer_id)
        # What the browser held before signing in is worth nothing afterwards.
        cookie = secrets.token_urlsafe(COOKIE_BYTES)
        async with context.database.transaction() as session:
            await service.begin_session(
                session,
                consent_id=visit.consent.consent_id,
                customer_id=customer_id,
                cookie=cookie,
                now=context.clock(),
            )
        trouble = await _send_code(context, visit, customer_id, cookie)
        return _again(browser, trouble.name if trouble else None, cookie=cookie)

    return await _guarded(browser, step())


async def decide(context: Context, *, browser: Browser) -> Outcome:
    """Agrees, denies or sends the code again."""

    async def step() -> Outcome:
        visit = await _visit(context, browser)
        if not browser.has_own_form():
            return Final("forged", 403)
        if not _is_awaiting(context, visit.consent):
            return _again(browser)
        if visit.session is None or browser.cookie is None:
            return _again(browser, "session_ended")
        return await _decide(context, browser, visit, visit.session, browser.cookie)

    return await _guarded(browser, step())


async def _guarded(browser: Browser, step: Awaitable[Outcome]) -> Outcome:
    """A page for whatever a step raises: a browser is shown no problem document."""
    try:
        return await step
    except ConsentNotFound:
        return Final("unknown", 404)
    except ConsentNotAwaiting:
        return _again(browser)  # somebody decided meanwhile: the page says what
    except (Unavailable, PeerRefused):
        return Final("trouble", 503)


async def _visit(context: Context, browser: Browser) -> Visit:
    if browser.consent_id is None:
        raise ConsentNotFound
    async with context.database.transaction() as session:
        return await service.visit(
            session,
            consent_id=browser.consent_id,
            cookie=browser.cookie,
            now=context.clock(),
        )


async def _send_code(
    context: Context, visit: Visit, customer_id: str, cookie: str
) -> Message | None:
    challenge = await clients.send_code(
        context,
        consent=visit.consent,
        partner_name=visit.partner_name,
        customer_id=customer_id,
    )
    if isinstance(challenge, Message):
        return challenge
    async with context.database.transaction() as session:
        await service.note_code(session, cookie=cookie, challenge_id=challenge)
    return None


async def _decide(
    context: Context, browser: Browser, visit: Visit, page: PageSession, cookie: str
) -> Outcome:
    match browser.field("decision"):
        case "send_again":
            trouble = await _send_code(context, visit, page.customer_id, cookie)
            return _again(browser, trouble.name if trouble else "code_renewed")
        case "deny":
            return await _deny(context, browser, page, cookie)
        case "agree":
            return await _agree(context, browser, visit, page, cookie)
    return _again(browser)


async def _deny(context: Context, browser: Browser, page: PageSession, cookie: str) -> Outcome:
    async with context.database.transaction() as session:
        consent = await service.deny(
            session,
            consent_id=page.consent_id,
            customer_id=page.customer_id,
            cookie=cookie,
            now=context.clock(),
        )
    return _ended(browser, consent)


async def _agree(
    context: Context, browser: Browser, visit: Visit, page: PageSession, cookie: str
) -> Outcome:
    account_id = browser.field("account_id")
    usable = await clients.choices(
        context, consent=visit.consent, customer_id=page.customer_id, lang=browser.lang
    )
    if account_id not in {choice.account_id for choice in usable}:
        name = "account_refused" if account_id else "account_missing"
        return await _show(context, browser, visit, Message(name, 422))
    refused = await clients.try_code(
        context, page=page, code="".join(browser.field("code").split())
    )
    if refused is not None:
        return await _refuse_code(context, browser, visit, page, refused)
    try:
        async with context.database.transaction() as session:
            consent = await service.agree(
                session,
                consent_id=page.consent_id,
                customer_id=page.customer_id,
                account_id=account_id,
                cookie=cookie,
                now=context.clock(),
            )
    except AccountNotUsable:
        return await _show(context, browser, visit, Message("account_refused", 422))
    return _ended(browser, consent)


async def _refuse_code(
    context: Context, browser: Browser, visit: Visit, page: PageSession, refused: Message
) -> Outcome:
    """Says what was wrong with a code; the last wrong one allowed rejects the consent."""
    if refused.name != "wrong_code":
        return await _show(context, browser, visit, refused)
    async with context.database.transaction() as session:
        consent = await service.count_wrong_code(
            session,
            consent_id=page.consent_id,
            customer_id=page.customer_id,
            now=context.clock(),
        )
    if consent.stored_state == "rejected":
        return _ended(browser, consent)
    left = MAX_CODE_TRIES - consent.code_failures
    return await _show(context, browser, visit, Message("wrong_code", refused.status, left))


def _ended(browser: Browser, consent: PaymentConsent) -> Outcome:
    """Back to the partner's registered address, or to the page that says what became of it."""
    if consent.redirect_uri is None:
        return _again(browser)
    return Redirect(
        result_url(consent.redirect_uri, consent_id=consent.consent_id, state=consent.stored_state)
    )


def _again(browser: Browser, note: str | None = None, *, cookie: str | None = None) -> Redirect:
    """The page anew, by GET: reloading it sends nothing twice."""
    suffix = f"&note={note}" if note else ""
    return Redirect(f"{browser.path}?lang={browser.lang}{suffix}", cookie=cookie)


def _is_awaiting(context: Context, consent: PaymentConsent) -> bool:
    return consent.state(now=context.clock()) == "awaiting_authorization"


async def _show(
    context: Context, browser: Browser, visit: Visit, message: Message | None
) -> Outcome:
    consent = visit.consent
    state = consent.state(now=context.clock())
    if state != "awaiting_authorization":
        back = consent.redirect_uri and result_url(
            consent.redirect_uri, consent_id=consent.consent_id, state=state
        )
        return Final(state, back_url=back)
    cookie = browser.cookie or secrets.token_urlsafe(COOKIE_BYTES)
    values: dict[str, object] = {
        "message": texts(browser.lang)[message.name].format(left=message.left) if message else None,
        "tone": "good" if message and message.name == "code_renewed" else "bad",
        "partner_name": visit.partner_name,
        "path": browser.path,
        "csrf": csrf_token(cookie, consent_id=consent.consent_id),
    }
    if visit.session is None:
        values |= {"login_name": browser.field("login_name")}
    else:
        values |= await _facts(context, browser, consent, visit.session)
    return Page(
        template="sign_in.html" if visit.session is None else "decide.html",
        values=values,
        status=message.status if message else 200,
        redirect_uri=consent.redirect_uri,
        cookie=None if browser.cookie else cookie,
    )


async def _facts(
    context: Context, browser: Browser, consent: PaymentConsent, page: PageSession
) -> dict[str, object]:
    """Everything that the customer agrees to, and the accounts to choose from."""
    usable = await clients.choices(
        context, consent=consent, customer_id=page.customer_id, lang=browser.lang
    )
    return {
        "payee_name": consent.payee_name,
        "payee_account": consent.payee_account,
        "limit": format_minor(consent.limit_minor, consent.currency),
        "expires": shown_time(consent.expires_at, lang=browser.lang),
        "accounts": usable,
        "chosen": preselected(usable, browser.field("account_id") or consent.debtor_account),
    }
