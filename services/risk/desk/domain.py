"""How the desk protects itself, and what it shows of times and places: no I/O."""

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from typing import Final, Literal
from urllib.parse import urlencode

from services.risk.desk.texts import Lang

#: China keeps one time zone and no summer time.
_CHINA: Final = timezone(timedelta(hours=8))
#: Nothing but our own style sheet, our own forms, and drawings that are part of the page.
HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; base-uri 'none'; "
        "frame-ancestors 'none'; form-action 'self'"
    ),
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
}
#: Roles that have something to do at the desk.
ROLES: Final = frozenset({"operator", "reviewer"})
HOME: Final = "/desk/cases"
_OWN_PATH: Final = re.compile(
    r"/desk/(back-tests|cases|decisions|models|policies|sources|watch)(/[a-z0-9._-]{1,80}){0,3}"
)


@dataclass(frozen=True, slots=True)
class Staff:
    """A member of staff who has signed in, until identity's word on the roles runs out."""

    staff_id: str
    roles: tuple[str, ...]
    expires_at: datetime

    def has(self, role: str) -> bool:
        return role in self.roles


@dataclass(frozen=True, slots=True)
class Browser:
    """What came with one request: `form` is None where the body was none."""

    path: str
    query: Mapping[str, str]
    cookie: str | None
    lang: Lang
    form: Mapping[str, str] | None = None

    def field(self, name: str) -> str:
        return (self.form or {}).get(name, "").strip()

    def asked(self, name: str) -> str:
        return self.query.get(name, "").strip()

    def has_own_form(self) -> bool:
        """Whether the form is one that the desk gave to this browser."""
        if self.form is None or not self.cookie:
            return False
        given = self.form.get("csrf", "")
        return hmac.compare_digest(given.encode(), csrf_token(self.cookie).encode())


@dataclass(frozen=True, slots=True)
class Message:
    """A text by its name, and the status that goes with it."""

    name: str
    status: int = 200
    tone: Literal["good", "bad"] = "bad"
    #: What goes with the text, for example the field at fault.
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """A template with its values; `cookie` is a new one for the browser to keep."""

    template: str
    values: Mapping[str, object]
    status: int = 200
    cookie: str | None = None
    message: Message | None = None


@dataclass(frozen=True, slots=True)
class Redirect:
    """Always 303. An empty cookie tells the browser to forget its own."""

    url: str
    cookie: str | None = None


Outcome = Page | Redirect


@dataclass(frozen=True, slots=True)
class Visit:
    """A signed-in member of staff who asks for something."""

    browser: Browser
    staff: Staff
    now: datetime
    message: Message | None = field(default=None)


def csrf_token(cookie: str) -> str:
    """What a form carries: only who holds the (HttpOnly) cookie can know it."""
    return hmac.new(cookie.encode(), b"csrf:desk", sha256).hexdigest()


def session_hash(cookie: str) -> bytes:
    """What is stored of a session: the cookie itself stays with the browser."""
    return sha256(cookie.encode()).digest()


def own_path(wanted: str) -> str:
    """A place of the desk to go to; the queue where it is none."""
    return wanted if _OWN_PATH.fullmatch(wanted) else HOME


def with_note(path: str, note: str) -> str:
    return f"{path}?{urlencode({'note': note})}"


def shown_time(moment: datetime, lang: Lang) -> str:
    """Day and time in China Standard Time."""
    local = moment.astimezone(_CHINA)
    if lang == "zh":
        return f"{local.month}月{local.day}日 {local:%H:%M}"
    return f"{local.day} {local:%b %H:%M}"


def shown_span(span: timedelta, lang: Lang) -> str:
    """`1 h 20 min`; days for what is longer than two."""
    minutes = max(0, int(abs(span).total_seconds() // 60))
    hours, minutes = divmod(minutes, 60)
    if hours >= 48:
        return f"{hours // 24} 天" if lang == "zh" else f"{hours // 24} days"
    parts = [f"{hours} 小时" if lang == "zh" else f"{hours} h"] if hours else []
    if minutes or not hours:
        parts.append(f"{minutes} 分钟" if lang == "zh" else f"{minutes} min")
    return " ".join(parts)
