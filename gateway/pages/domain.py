"""What the consent page shows and how it protects itself: no I/O."""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from typing import Final as Constant
from urllib.parse import urlencode, urlsplit, urlunsplit
from uuid import UUID

from gateway.pages.texts import Lang
from shared.kit.money import format_minor

#: How long a customer may look at the page after signing in.
SESSION_LIFETIME: Constant = timedelta(minutes=15)
#: China keeps one time zone and no summer time.
_CHINA: Constant = timezone(timedelta(hours=8))


@dataclass(frozen=True, slots=True)
class PageSession:
    """A customer who signed in to decide on this one consent."""

    consent_id: UUID
    customer_id: str
    #: The one-time code that was sent last; None where none could be sent.
    challenge_id: UUID | None
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Choice:
    """An account that the customer may choose: id, as shown, the right, what it holds."""

    account_id: str
    shown: str
    right: str
    available: str | None


def csrf_token(cookie: str, *, consent_id: UUID) -> str:
    """What a form carries: only who holds the (HttpOnly) cookie can know it."""
    return hmac.new(cookie.encode(), f"csrf:{consent_id}".encode(), sha256).hexdigest()


def is_csrf_token(token: str, *, cookie: str, consent_id: UUID) -> bool:
    expected = csrf_token(cookie, consent_id=consent_id)
    return hmac.compare_digest(token.encode(), expected.encode())


def session_hash(cookie: str) -> bytes:
    """What is stored of a session: the cookie itself stays with the browser."""
    return sha256(cookie.encode()).digest()


def content_security_policy(redirect_uri: str | None, *, script: bool = False) -> str:
    """Nothing but our own style sheet and our own forms; our own `script` where a page has one.

    Browsers hold `form-action` against the redirect that answers a form as well, so the place
    where the customer is sent back to must be named.
    """
    targets = ["'self'"]
    if redirect_uri:
        parts = urlsplit(redirect_uri)
        targets.append(f"{parts.scheme}://{parts.netloc}")
    scripts = "script-src 'self'; " if script else ""
    return (
        f"default-src 'none'; {scripts}style-src 'self'; img-src 'self'; base-uri 'none'; "
        f"frame-ancestors 'none'; form-action {' '.join(targets)}"
    )


def page_headers(redirect_uri: str | None, *, script: bool = False) -> dict[str, str]:
    """The headers of every page: not stored, not framed, no strange script, no address told."""
    return {
        "Content-Security-Policy": content_security_policy(redirect_uri, script=script),
        "X-Frame-Options": "DENY",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    }


def result_url(redirect_uri: str, *, consent_id: UUID, state: str) -> str:
    """The partner's own address, its query kept, with the consent and what became of it."""
    parts = urlsplit(redirect_uri)
    result = urlencode({"consent_id": str(consent_id), "state": state})
    query = f"{parts.query}&{result}" if parts.query else result
    return urlunsplit((parts.scheme, parts.netloc, parts.path, query, ""))


def grouped(account_id: str) -> str:
    """Digits in fours, as on a card; any other account number as it is."""
    if not account_id.isdigit():
        return account_id
    return " ".join(account_id[start : start + 4] for start in range(0, len(account_id), 4))


def shown_time(moment: datetime, *, lang: Lang) -> str:
    """A moment in China Standard Time, as the language writes it."""
    local = moment.astimezone(_CHINA)
    if lang == "zh":
        return f"{local.year}年{local.month}月{local.day}日 {local:%H:%M}（北京时间）"
    return f"{local.day} {local:%B %Y, %H:%M} (China Standard Time)"


def preselected(choices: Sequence[Choice], wanted: str | None) -> str | None:
    """The account asked for, or the only one there is; else the customer chooses."""
    ids = [choice.account_id for choice in choices]
    if wanted in ids:
        return wanted
    return ids[0] if len(ids) == 1 else None


def code_messages(
    *, partner_name: str, payee_name: str, limit_minor: int, currency: str
) -> tuple[str, str]:
    """The message that carries the code, in Chinese and English: it says what the code is for.

    Names are cut, so that they cannot push the amount out of a short message.
    """
    partner, payee = _cut(partner_name), _cut(payee_name)
    limit = format_minor(limit_minor, currency)
    return (
        f"【通宝银行】{partner}申请向{payee}付款，总限额{limit}。非本人操作请勿提供验证码。",
        f"[Tongbao Bank] {partner} asks to pay {payee}, up to {limit} in total.",
    )


def _cut(name: str) -> str:
    line = " ".join(name.split())
    return line if len(line) <= 60 else line[:59] + "…"


@dataclass(frozen=True, slots=True)
class Browser:
    """What came with one request: `form` is None where the body was none."""

    consent_id: UUID | None
    cookie: str | None
    lang: Lang
    note: str | None = None
    form: Mapping[str, str] | None = None

    def field(self, name: str) -> str:
        return (self.form or {}).get(name, "")

    @property
    def path(self) -> str:
        return page_path(self.consent_id)

    def has_own_form(self) -> bool:
        """Whether the form is one that this page gave to this browser."""
        if self.form is None or not self.cookie or self.consent_id is None:
            return False
        return is_csrf_token(self.field("csrf"), cookie=self.cookie, consent_id=self.consent_id)


@dataclass(frozen=True, slots=True)
class Page:
    """A template with its values; `cookie` is a new one for the browser to keep."""

    template: str
    values: Mapping[str, object]
    status: int = 200
    redirect_uri: str | None = None
    cookie: str | None = None
    #: Whether the page has a script of ours, without which it works too.
    script: bool = False


@dataclass(frozen=True, slots=True)
class Final:
    """The end of the way: `name` is the prefix of its texts."""

    name: str
    status: int = 200
    back_url: str | None = None


@dataclass(frozen=True, slots=True)
class Redirect:
    """Always 303: the browser asks with GET and sends the form to no other place."""

    url: str
    cookie: str | None = None


Outcome = Page | Final | Redirect


@dataclass(frozen=True, slots=True)
class Message:
    """A text by its name, the status that goes with it, and a number that it tells."""

    name: str
    status: int = 200
    left: int = 0


def page_path(consent_id: UUID | None) -> str:
    return f"/consents/{consent_id}"
