"""Routes of the pages that a browser sees."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from gateway import resources
from gateway.forms import NotAForm, read_form
from gateway.pages import flows, rendering
from gateway.pages.domain import Browser, Page
from gateway.pages.texts import language
from shared.kit.app import Context, Ctx

router = APIRouter(include_in_schema=False)

Word = Annotated[str | None, Query(max_length=20)]


@router.get("/")
async def landing(lang: Word = None) -> Response:
    """What this is, with links to what machines read."""
    return rendering.render(Page("landing.html", {}), lang=language(lang))


@router.get("/pages/bank.css")
async def style() -> Response:
    return Response(
        rendering.STYLE,
        media_type="text/css",
        headers={"Cache-Control": "public, max-age=3600"},
    )


@router.get("/pages/passkey.js")
async def script() -> Response:
    return Response(
        rendering.SCRIPT,
        media_type="text/javascript",
        headers={"Cache-Control": "public, max-age=3600"},
    )


@router.get("/consents/{consent_id}")
async def open_page(
    consent_id: str, request: Request, context: Ctx, lang: Word = None, note: Word = None
) -> Response:
    """Where a partner sends the customer."""
    browser = _browser(request, context, consent_id, lang, note=note)
    outcome = await flows.open_page(context, browser=browser)
    return rendering.respond(outcome, browser=browser, secure=_is_secure(context))


@router.post("/consents/{consent_id}/sign-in")
async def sign_in(consent_id: str, request: Request, context: Ctx, lang: Word = None) -> Response:
    browser = _browser(request, context, consent_id, lang, form=await _form(request))
    outcome = await flows.sign_in(context, browser=browser)
    return rendering.respond(outcome, browser=browser, secure=_is_secure(context))


@router.post("/consents/{consent_id}/decision")
async def decide(consent_id: str, request: Request, context: Ctx, lang: Word = None) -> Response:
    browser = _browser(request, context, consent_id, lang, form=await _form(request))
    outcome = await flows.decide(context, browser=browser)
    return rendering.respond(outcome, browser=browser, secure=_is_secure(context))


def _is_secure(context: Context) -> bool:
    return resources.of(context).settings.is_secure


async def _form(request: Request) -> dict[str, str] | None:
    try:
        fields = await read_form(request)
    except NotAForm:
        return None
    return {name: values[0] for name, values in fields.items()}


def _browser(
    request: Request,
    context: Context,
    consent_id: str,
    lang: str | None,
    *,
    note: str | None = None,
    form: dict[str, str] | None = None,
) -> Browser:
    try:
        known = UUID(consent_id)
    except ValueError:
        known = None
    return Browser(
        consent_id=known,
        cookie=request.cookies.get(rendering.cookie_name(secure=_is_secure(context))),
        lang=language(lang),
        note=note,
        form=form,
    )
