"""Templates and responses of the pages."""

from pathlib import Path
from typing import Final as Constant

from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from gateway.pages.domain import Browser, Final, Outcome, Page, Redirect, page_headers
from gateway.pages.texts import Lang, texts

_FOLDER: Constant = Path(__file__).parent
STYLE: Constant = (_FOLDER / "static" / "bank.css").read_bytes()
SCRIPT: Constant = (_FOLDER / "static" / "passkey.js").read_bytes()

_templates = Environment(
    loader=FileSystemLoader(_FOLDER / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def respond(outcome: Outcome, *, browser: Browser, secure: bool) -> Response:
    """What the browser gets; a new cookie goes with it where the outcome has one."""
    response: Response
    match outcome:
        case Redirect():
            response = RedirectResponse(
                outcome.url, status_code=303, headers=page_headers(redirect_uri=None)
            )
        case Final():
            response = render_final(outcome, lang=browser.lang)
        case Page():
            response = render(outcome, lang=browser.lang)
    cookie = None if isinstance(outcome, Final) else outcome.cookie
    if cookie is not None:
        # Bound to this consent by its path; no script reads it, no other site sends it.
        response.set_cookie(
            cookie_name(secure=secure),
            cookie,
            path=browser.path,
            secure=secure,
            httponly=True,
            samesite="strict",
        )
    return response


def render(page: Page, *, lang: Lang) -> HTMLResponse:
    html = _templates.get_template(page.template).render(
        t=texts(lang), lang=lang, other_lang="en" if lang == "zh" else "zh", **page.values
    )
    return HTMLResponse(
        html,
        status_code=page.status,
        headers=page_headers(redirect_uri=page.redirect_uri, script=page.script),
    )


def render_final(outcome: Final, *, lang: Lang) -> HTMLResponse:
    words = texts(lang)
    values = {
        "title": words[f"{outcome.name}_title"],
        "text": words[f"{outcome.name}_text"],
        "tone": "good" if outcome.name == "authorized" else "bad",
        "back_url": outcome.back_url,
    }
    return render(Page("final.html", values, outcome.status), lang=lang)


def cookie_name(*, secure: bool) -> str:
    return "__Secure-consent" if secure else "consent"
