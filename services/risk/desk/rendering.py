"""Templates and responses of the desk."""

from pathlib import Path
from typing import Final
from urllib.parse import urlencode

from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from services.risk.desk.domain import HEADERS, Browser, Outcome, Page, Redirect, csrf_token
from services.risk.desk.texts import texts
from shared.kit.money import format_minor

_FOLDER: Final = Path(__file__).parent
STYLE: Final = b"".join(
    (_FOLDER / "static" / name).read_bytes() for name in ("desk.css", "watch.css", "models.css")
)
#: The parts of the desk by the beginning of their addresses; what is none of them is cases.
SECTIONS: Final = ("policies", "models", "sources", "watch")
LANGUAGE_COOKIE: Final = "desk_language"
YEAR_S: Final = 365 * 24 * 3600


def said(answer: object) -> str:
    """An answer of a policy as people read it: what is none or empty is a dash."""
    if isinstance(answer, list):
        return ", ".join(map(str, answer)) or "–"
    return "–" if answer is None else str(answer)


_templates = Environment(
    loader=FileSystemLoader(_FOLDER / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters["money"] = format_minor
_templates.filters["said"] = said


def respond(outcome: Outcome, *, browser: Browser, secure: bool) -> Response:
    """What the browser gets; a cookie goes with it where the outcome has one."""
    response: Response
    match outcome:
        case Redirect():
            response = RedirectResponse(outcome.url, status_code=303, headers=dict(HEADERS))
        case Page():
            response = _render(outcome, browser)
    name = cookie_name(secure=secure)
    if outcome.cookie == "":
        response.delete_cookie(name, path="/desk", secure=secure, httponly=True, samesite="strict")
    elif outcome.cookie is not None:
        # No script reads it, no other site sends it, and it ends with the browser.
        _keep(response, name, outcome.cookie, secure=secure)
    if browser.asked("lang") in {"zh", "en"}:
        _keep(response, LANGUAGE_COOKIE, browser.lang, secure=secure, max_age_s=YEAR_S)
    return response


def _keep(
    response: Response, name: str, value: str, *, secure: bool, max_age_s: int | None = None
) -> None:
    response.set_cookie(
        name,
        value,
        max_age=max_age_s,
        path="/desk",
        secure=secure,
        httponly=True,
        samesite="strict",
    )


def _render(page: Page, browser: Browser) -> HTMLResponse:
    words = texts(browser.lang)
    cookie = page.cookie or browser.cookie or ""
    message = page.message
    html = _templates.get_template(page.template).render(
        {
            "t": words,
            "lang": browser.lang,
            "other_lang": "en" if browser.lang == "zh" else "zh",
            "lang_url": _in_the_other_language(browser),
            "csrf": csrf_token(cookie),
            "section": _section(browser.path),
            "message": f"{words[message.name]} {message.detail}".strip() if message else None,
            "tone": message.tone if message else "bad",
            **page.values,
        }
    )
    return HTMLResponse(html, status_code=page.status, headers=dict(HEADERS))


def _section(path: str) -> str:
    if path.startswith(("/desk/back-tests", "/desk/decisions")):
        return ""
    return next((one for one in SECTIONS if path.startswith(f"/desk/{one}")), "cases")


def _in_the_other_language(browser: Browser) -> str:
    """The page again, with what it was asked for; after a form, the page that it came from."""
    path = browser.path
    if browser.form is not None and path.count("/") > 3:
        path = path.rpartition("/")[0]
    kept = {name: value for name, value in browser.query.items() if name not in {"lang", "note"}}
    return f"{path}?{urlencode(kept | {'lang': 'en' if browser.lang == 'zh' else 'zh'})}"


def cookie_name(*, secure: bool) -> str:
    return "__Secure-desk" if secure else "desk"
