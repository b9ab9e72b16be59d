"""The authorization page step by step: sign in, look, choose accounts, confirm, decide.

Every function returns what the browser is shown or where it is sent; no transaction is open
while identity or the ledger is asked.
"""

import hmac
import secrets
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass

from gateway import resources
from gateway.authorization import clients, service
from gateway.authorization.clients import Answered
from gateway.authorization.domain import (
    AUTHORIZATION_PATH,
    PageSession,
    answer_url,
    csrf_token,
    request_hash,
)
from gateway.authorization.service import NoSuchRequest, Visit
from gateway.grants.kinds import ConsentRefused
from gateway.pages.clients import customer_of
from gateway.pages.domain import Final, Message, Outcome, Page, Redirect, shown_time
from gateway.pages.texts import Lang, texts
from gateway.partners.service import get_partner
from gateway.tokens.signed import authorization_response
from shared.contracts.http.identity_passkeys import PasskeyChallenge
from shared.kit.app import Context
from shared.kit.clock import new_id
from shared.kit.peers import PeerRefused
from shared.kit.problems import Unavailable

COOKIE_BYTES = 32
#: Messages that a redirect may name; nothing else out of an address is ever shown.
NOTES = frozenset({"session_ended", "code_wait", "code_unsent", "code_renewed"})


@dataclass(frozen=True, slots=True)
class Visitor:
    """What came with one request of a browser: `form` is None where the body was none."""

    client_id: str
    request_uri: str
    cookie: str | None
    lang: Lang | None
    note: str | None = None
    form: Mapping[str, Sequence[str]] | None = None

    def field(self, name: str) -> str:
        values = (self.form or {}).get(name, ())
        return values[0] if values else ""

    @property
    def subject(self) -> str:
        """What a code or a passkey's confirmation is bound to: this very request."""
        return request_hash(self.request_uri).hex()

    def has_own_form(self) -> bool:
        """Whether the form is one that this page gave to this browser."""
        if self.form is None or not self.cookie:
            return False
        expected = csrf_token(self.cookie, request_uri=self.request_uri)
        return hmac.compare_digest(self.field("csrf").encode(), expected.encode())


async def open_page(context: Context, *, visitor: Visitor) -> Outcome:
    """Sign-in, or the decision."""

    async def step() -> Outcome:
        visit = await _visit(context, visitor)
        note = Message(visitor.note) if visitor.note in NOTES and visitor.note else None
        return await _show(context, visitor, visit, note)

    return await _guarded(step())


async def sign_in(context: Context, *, visitor: Visitor) -> Outcome:
    """A session for this request alone; what confirms a payment goes on its way."""

    async def step() -> Outcome:
        visit = await _visit(context, visitor)
        if not visitor.has_own_form():
            return Final("forged", 403)
        if visitor.field("decision") == "deny":
            return await _deny(context, visitor, visit, None)
        by_passkey = visitor.field("decision") == "passkey"
        customer_id = await _who(context, visitor, by_passkey=by_passkey)
        if isinstance(customer_id, Message):
            return await _show(context, visitor, visit, customer_id)
        # What the browser held before signing in is worth nothing afterwards.
        cookie = secrets.token_urlsafe(COOKIE_BYTES)
        page = service.new_session(customer_id, by_passkey=by_passkey, now=context.clock())
        async with context.database.transaction() as session:
            await service.begin_session(
                session, request_uri=visitor.request_uri, page=page, cookie=cookie
            )
        trouble = None
        if not by_passkey:  # who has one confirms with it, and may still ask for a code
            trouble = await _send_code(context, visitor, visit, customer_id, cookie)
        return _again(visitor, trouble.name if trouble else None, cookie=cookie)

    return await _guarded(step())


async def _who(context: Context, visitor: Visitor, *, by_passkey: bool) -> str | Message:
    if not by_passkey:
        return await customer_of(
            context, login_name=visitor.field("login_name"), password=visitor.field("password")
        )
    return await clients.try_passkey(
        context,
        origin=resources.of(context).settings.public_url,
        customer_id=None,
        subject=visitor.subject,
        message=None,
        answer=_answer(visitor),
    )


def _answer(visitor: Visitor) -> Answered:
    return Answered(visitor.field("challenge_id"), visitor.field("credential"))


async def decide(context: Context, *, visitor: Visitor) -> Outcome:
    """Approves, denies or sends the code again."""

    async def step() -> Outcome:
        visit = await _visit(context, visitor)
        if not visitor.has_own_form():
            return Final("forged", 403)
        if visit.session is None or visitor.cookie is None:
            return _again(visitor, "session_ended")
        match visitor.field("decision"):
            case "send_again":
                trouble = await _send_code(
                    context, visitor, visit, visit.session.customer_id, visitor.cookie
                )
                return _again(visitor, trouble.name if trouble else "code_renewed")
            case "deny":
                return await _deny(context, visitor, visit, visit.session)
            case "approve" | "passkey":
                return await _approve(context, visitor, visit, visit.session)
        return _again(visitor)

    return await _guarded(step())


async def _guarded(step: Awaitable[Outcome]) -> Outcome:
    """A page for whatever a step raises: a browser is shown no problem document."""
    try:
        return await step
    except (NoSuchRequest, ConsentRefused):
        return Final("authorize_error", 400)
    except (Unavailable, PeerRefused):
        return Final("trouble", 503)


async def _visit(context: Context, visitor: Visitor) -> Visit:
    async with context.database.transaction() as session:
        return await service.visit(
            session,
            request_uri=visitor.request_uri,
            client_id=visitor.client_id,
            cookie=visitor.cookie,
            now=context.clock(),
        )


async def _send_code(
    context: Context, visitor: Visitor, visit: Visit, customer_id: str, cookie: str
) -> Message | None:
    if visit.described.step_up is None:
        return None
    challenge = await clients.send_code(
        context,
        customer_id=customer_id,
        subject=visitor.subject,
        message=visit.described.step_up,
    )
    if isinstance(challenge, Message):
        return challenge
    async with context.database.transaction() as session:
        await service.note_challenge(session, cookie=cookie, challenge_id=challenge)
    return None


async def _deny(
    context: Context, visitor: Visitor, visit: Visit, page: PageSession | None
) -> Outcome:
    async with context.database.transaction() as session:
        await service.deny(
            session,
            visit=visit,
            page=page,
            request_uri=visitor.request_uri,
            now=context.clock(),
        )
    words = "The customer did not agree"
    return await _answered(context, visit, {"error": "access_denied", "error_description": words})


async def _approve(context: Context, visitor: Visitor, visit: Visit, page: PageSession) -> Outcome:
    accounts = list(dict.fromkeys((visitor.form or {}).get("account_id", ())))
    refused = await _check_accounts(context, visit, page, accounts)
    if refused is None and visit.described.step_up is not None:
        refused = await _confirm(context, visitor, visit, page)
    if refused is not None:
        return await _show(context, visitor, visit, refused)
    async with context.database.transaction() as session:
        code = await service.approve(
            session,
            visit=visit,
            page=page,
            request_uri=visitor.request_uri,
            accounts=accounts,
            grant_id=new_id(),
            now=context.clock(),
        )
    return await _answered(context, visit, {"code": code})


async def _confirm(
    context: Context, visitor: Visitor, visit: Visit, page: PageSession
) -> Message | None:
    """A code or a passkey's signature, for the payee and the amount of this request alone."""
    if visitor.field("decision") == "passkey":
        who = await clients.try_passkey(
            context,
            origin=resources.of(context).settings.public_url,
            customer_id=page.customer_id,
            subject=visitor.subject,
            message=visit.described.step_up,
            answer=_answer(visitor),
        )
        return who if isinstance(who, Message) else None
    return await clients.try_code(
        context,
        customer_id=page.customer_id,
        subject=visitor.subject,
        challenge_id=page.challenge_id,
        code="".join(visitor.field("code").split()),
    )


async def _check_accounts(
    context: Context, visit: Visit, page: PageSession, accounts: Sequence[str]
) -> Message | None:
    usable = await clients.choices(
        context, described=visit.described, customer_id=page.customer_id, lang="zh"
    )
    if not set(accounts) <= {choice.account_id for choice in usable}:
        return Message("account_refused", 422)
    if visit.described.choose == "many" and not accounts:
        return Message("accounts_missing", 422)
    if visit.described.choose == "one" and len(accounts) != 1:
        return Message("account_missing", 422)
    return None


async def _answered(context: Context, visit: Visit, answer: Mapping[str, str]) -> Redirect:
    """Back to the client's registered address, with state and issuer, signed where it asked so."""
    own = resources.of(context)
    request, now = visit.request, context.clock()
    parameters = dict(answer)
    if request.state is not None:
        parameters["state"] = request.state
    if not request.is_signed_response:
        parameters["iss"] = own.settings.public_url
        return Redirect(answer_url(request.redirect_uri, parameters))
    key = await own.token_keys.signing(
        context.database, now=now, algorithm=visit.client.options.response_alg
    )
    signed = authorization_response(
        parameters,
        key=key,
        issuer=own.settings.public_url,
        client_id=request.client_id,
        now=now,
    )
    return Redirect(answer_url(request.redirect_uri, {"response": signed}))


def _again(visitor: Visitor, note: str | None = None, *, cookie: str | None = None) -> Redirect:
    """The page anew, by GET: reloading it sends nothing twice."""
    return Redirect(page_url(visitor, lang=visitor.lang, note=note), cookie=cookie)


def page_url(visitor: Visitor, *, lang: Lang | None, note: str | None = None) -> str:
    given = {"client_id": visitor.client_id, "request_uri": visitor.request_uri}
    more = {"lang": lang, "note": note}
    return answer_url(AUTHORIZATION_PATH, given | {k: v for k, v in more.items() if v})


async def _show(
    context: Context, visitor: Visitor, visit: Visit, message: Message | None
) -> Outcome:
    lang: Lang = visitor.lang or visit.request.lang or "zh"
    cookie = visitor.cookie or secrets.token_urlsafe(COOKIE_BYTES)
    values: dict[str, object] = {
        "message": texts(lang)[message.name].format(left=message.left) if message else None,
        "tone": "good" if message and message.name == "code_renewed" else "bad",
        "client_name": visit.client.name,
        "client_id": visitor.client_id,
        "request_uri": visitor.request_uri,
        "csrf": csrf_token(cookie, request_uri=visitor.request_uri),
        "other_url": page_url(visitor, lang="en" if lang == "zh" else "zh"),
        "lang": lang,
    }
    passkey = await _passkey(context, visitor, visit)
    values |= {
        "passkey_options": passkey.options if passkey else None,
        "passkey_challenge": passkey.challenge_id if passkey else None,
    }
    if visit.session is None:
        values |= {"login_name": visitor.field("login_name")}
    else:
        values |= await _facts(context, visitor, visit, visit.session, lang)
    return Page(
        template="authorize_sign_in.html" if visit.session is None else "authorize_decide.html",
        values=values,
        status=message.status if message else 200,
        redirect_uri=visit.request.redirect_uri,
        cookie=None if visitor.cookie else cookie,
        script=passkey is not None,
    )


async def _passkey(context: Context, visitor: Visitor, visit: Visit) -> PasskeyChallenge | None:
    """What a passkey may be asked on this page: to sign in, then to confirm a payment."""
    if visit.session is not None and visit.described.step_up is None:
        return None
    return await clients.ask_passkey(
        context,
        origin=resources.of(context).settings.public_url,
        customer_id=visit.session.customer_id if visit.session else None,
        subject=visitor.subject,
        message=visit.described.step_up if visit.session else None,
    )


async def _facts(
    context: Context, visitor: Visitor, visit: Visit, page: PageSession, lang: Lang
) -> dict[str, object]:
    """Everything that the customer agrees to, and the accounts to choose from."""
    described, words, column = visit.described, texts(lang), 0 if lang == "zh" else 1
    usable = await clients.choices(
        context, described=described, customer_id=page.customer_id, lang=lang
    )
    async with context.database.transaction() as session:
        partner = await get_partner(session, partner_id=visit.client.partner_id)
    chosen = set((visitor.form or {}).get("account_id", ()))
    if not chosen and len(usable) == 1:
        chosen = {usable[0].account_id}
    days = max(1, round((described.expires_at - context.clock()).total_seconds() / 86_400))
    until = shown_time(described.expires_at, lang=lang)
    return {
        "organization": partner.name,
        "purpose": described.purpose[column],
        "facts": [(label[column], value[column]) for label, value in described.facts],
        "duration": words["until"].format(until=until, days=days),
        "choose": described.choose,
        "accounts": usable,
        "chosen": chosen,
        "step_up": described.step_up is not None,
        "code_sent": page.challenge_id is not None,
        "can_approve": described.choose == "none" or bool(usable),
    }
