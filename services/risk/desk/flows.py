"""The desk's sign-in and its way around every page: who asks, and whether it may."""

import logging
import secrets
from collections.abc import Awaitable, Callable
from typing import Final

from services.risk.desk import clients, service
from services.risk.desk.domain import (
    HOME,
    Browser,
    Message,
    Outcome,
    Page,
    Redirect,
    Visit,
    own_path,
    with_note,
)
from services.risk.desk.texts import texts
from shared.kit.app import Context
from shared.kit.problems import BankError, Unavailable

log = logging.getLogger(__name__)

COOKIE_BYTES: Final = 32
SIGN_IN: Final = "/desk/sign-in"
#: Messages that an address may name; nothing else out of an address is ever shown.
GOOD_NOTES: Final = frozenset(
    {
        "taken",
        "given_back",
        "noted",
        "judged",
        "needs_second",
        "second_agreed_done",
        "second_refused_done",
        "signed_out",
        "drafted",
        "proposed_done",
        "approved_done",
        "rejected_done",
        "activated",
        "rolled_back",
        "back_testing",
        "acknowledged",
        "challenging",
        "withdrawn",
        "model_proposed",
        "model_rejected",
        "model_retired",
        "promoted",
        "model_rolled_back",
        "evaluating",
    }
)

Step = Callable[[Context, Visit], Awaitable[Outcome]]


async def visit(context: Context, browser: Browser, step: Step, *, role: str = "") -> Outcome:
    """Let a member of staff do `step`; a form has to be one of ours, and `role` theirs.

    Whatever is refused becomes a page: a browser is shown no problem document.
    """
    now = context.clock()
    try:
        staff = None
        if browser.cookie:
            async with context.database.transaction() as session:
                staff = await service.staff_of(session, cookie=browser.cookie, now=now)
        if staff is None:
            return _to_sign_in(browser)
        noted = browser.asked("note")
        message = Message(noted, tone="good") if noted in GOOD_NOTES else None
        found = Visit(browser, staff, now, message)
        if browser.form is not None and not browser.has_own_form():
            return error_page(found, Message("forged", 403))
        if role and not staff.has(role):
            return error_page(found, Message("forbidden", 403))
        try:
            return await step(context, found)
        except BankError as error:
            if isinstance(error, Unavailable):
                raise
            known = error.code if error.code in texts("en") else "trouble"
            return error_page(found, Message(known, error.status))
    except Unavailable:
        return Page("error.html", {"staff": None}, 503, message=Message("trouble"))


def error_page(found: Visit, message: Message) -> Page:
    """Says what cannot be, with the way back."""
    return Page("error.html", {"staff": found.staff}, message.status, message=message)


def _to_sign_in(browser: Browser) -> Redirect:
    """To the sign-in, and from there back; after a form, to the page that it belonged to."""
    parts = browser.path.split("/")
    path = "/".join(parts[:4]) if browser.form is not None else browser.path
    note = "&note=session_ended" if browser.cookie and path != HOME else ""
    return Redirect(f"{SIGN_IN}?next={own_path(path)}{note}")


async def show_sign_in(_: Context, browser: Browser) -> Page:
    noted = browser.asked("note")
    message = None
    if noted in {"session_ended", "signed_out"}:
        message = Message(noted, tone="good" if noted == "signed_out" else "bad")
    return _sign_in_page(browser, message)


def _sign_in_page(browser: Browser, message: Message | None) -> Page:
    cookie = None if browser.cookie else secrets.token_urlsafe(COOKIE_BYTES)
    wanted = browser.field("next") or browser.asked("next")
    values = {"staff": None, "login_name": browser.field("login_name"), "next": own_path(wanted)}
    status = message.status if message else 200
    return Page("sign_in.html", values, status, cookie=cookie, message=message)


async def sign_in(context: Context, browser: Browser) -> Outcome:
    """A session for as long as identity's token would be good."""
    if not browser.has_own_form():
        return _sign_in_page(browser, Message("forged", 403))
    found = await clients.sign_in(
        context,
        login_name=browser.field("login_name"),
        password=(browser.form or {}).get("password", ""),
    )
    if isinstance(found, Message):
        return _sign_in_page(browser, found)
    cookie = secrets.token_urlsafe(COOKIE_BYTES)
    try:
        async with context.database.transaction() as session:
            await service.begin_session(session, cookie=cookie, staff=found)
    except Unavailable:
        return _sign_in_page(browser, Message("trouble", 503))
    log.info("desk.signed_in", extra={"staff_id": found.staff_id})
    return Redirect(own_path(browser.field("next")), cookie=cookie)


async def sign_out(context: Context, found: Visit) -> Outcome:
    """The session ends at once, here and in the browser."""
    async with context.database.transaction() as session:
        await service.end_session(session, cookie=found.browser.cookie or "")
    return Redirect(with_note(SIGN_IN, "signed_out"), cookie="")


async def nothing_there(_: Context, found: Visit) -> Outcome:
    """An address that the desk does not have."""
    return error_page(found, Message("not_found", 404))
