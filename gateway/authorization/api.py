"""Routes of authorization requests: clients push them, customers' browsers open their pages."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from gateway import resources
from gateway.authorization import flows, service
from gateway.authorization.domain import (
    AUTHORIZATION_PATH,
    PUSHED_PATH,
    REQUEST_LIFETIME,
    request_hash,
)
from gateway.authorization.flows import Visitor
from gateway.authorization.service import Pushing
from gateway.forms import NotAForm, read_form
from gateway.oauth.callers import public_url
from gateway.oauth.domain import TokenRequestRefused, read_credentials, read_fields
from gateway.oauth.problems import OAUTH_ANSWERS
from gateway.pages import rendering
from gateway.pages.domain import Final, Outcome, Page, Redirect, page_headers
from gateway.pages.texts import Lang, language
from shared.contracts.values import Reply
from shared.kit.app import Context, Ctx

router = APIRouter(tags=["tokens"])
pages = APIRouter(include_in_schema=False)

Word = Annotated[str | None, Query(max_length=20)]
#: A customer has at most fifty accounts to choose from, beside the form's own fields.
MAX_FIELDS = 80


class PushedRequest(Reply):
    """RFC 9126, 2.2. Send the customer's browser on with `client_id` and `request_uri`."""

    request_uri: str
    expires_in: int


@router.post(PUSHED_PATH, status_code=201, response_model=PushedRequest, responses=OAUTH_ANSWERS)
async def push(request: Request, context: Ctx) -> Response:
    """Push an authorization request (RFC 9126), signed or not; the only way to begin one."""
    own = resources.of(context)
    now = context.clock()
    try:
        given = read_fields(await read_form(request, max_fields=MAX_FIELDS))
    except NotAForm as error:
        raise TokenRequestRefused(str(error)) from error
    pushing = Pushing(
        given=given,
        credentials=read_credentials(given),
        proofs=request.headers.getlist("dpop"),
        url=public_url(request, own.settings.public_url),
        issuer=own.settings.public_url,
        nonces=await own.nonces(context),
    )
    async with context.database.transaction() as session:
        request_uri = await service.push(session, pushing=pushing, now=now)
    reply = PushedRequest(request_uri=request_uri, expires_in=int(REQUEST_LIFETIME.total_seconds()))
    return JSONResponse(reply.model_dump(), status_code=201)


@pages.get(AUTHORIZATION_PATH)
async def authorize(
    request: Request, context: Ctx, lang: Word = None, note: Word = None
) -> Response:
    """Where a client sends the customer's browser. Only what was pushed counts."""
    query = request.query_params
    if "request" in query or len(query.getlist("request_uri")) != 1:
        return rendering.render_final(Final("authorize_error", 400), lang=language(lang))
    visitor = Visitor(
        client_id=query.get("client_id", ""),
        request_uri=query["request_uri"],
        cookie=_cookie(request, context, query["request_uri"]),
        lang=_lang(lang),
        note=note,
    )
    return _respond(await flows.open_page(context, visitor=visitor), visitor, context)


@pages.post(AUTHORIZATION_PATH)
async def authorize_by_form(request: Request, context: Ctx, lang: Word = None) -> Response:
    """The same from a client that sends a form (OpenID Connect Core, 3.1.2.1)."""
    visitor = await _posted(request, context, lang)
    if "request" in (visitor.form or {}):
        return rendering.render_final(Final("authorize_error", 400), lang=language(lang))
    return _respond(await flows.open_page(context, visitor=visitor), visitor, context)


@pages.post(f"{AUTHORIZATION_PATH}/sign-in")
async def sign_in(request: Request, context: Ctx, lang: Word = None) -> Response:
    visitor = await _posted(request, context, lang)
    return _respond(await flows.sign_in(context, visitor=visitor), visitor, context)


@pages.post(f"{AUTHORIZATION_PATH}/decision")
async def decide(request: Request, context: Ctx, lang: Word = None) -> Response:
    visitor = await _posted(request, context, lang)
    return _respond(await flows.decide(context, visitor=visitor), visitor, context)


async def _posted(request: Request, context: Context, lang: str | None) -> Visitor:
    try:
        form = await read_form(request, max_fields=MAX_FIELDS)
    except NotAForm:
        form = {}
    request_uri = form.get("request_uri", [""])[0]
    return Visitor(
        client_id=form.get("client_id", [""])[0],
        request_uri=request_uri,
        cookie=_cookie(request, context, request_uri),
        lang=_lang(lang),
        form=form,
    )


def _respond(outcome: Outcome, visitor: Visitor, context: Context) -> Response:
    """What the browser gets; a new cookie goes with it where the outcome has one."""
    response: Response
    lang = language(visitor.lang)
    match outcome:
        case Redirect():
            # 303: the browser asks with GET and sends password and code to no other place.
            response = RedirectResponse(
                outcome.url, status_code=303, headers=page_headers(redirect_uri=None)
            )
        case Final():
            response = rendering.render_final(outcome, lang=lang)
        case Page():
            shown: Lang = "en" if outcome.values["lang"] == "en" else "zh"
            values = {name: it for name, it in outcome.values.items() if name != "lang"}
            page = Page(
                outcome.template,
                values,
                outcome.status,
                outcome.redirect_uri,
                script=outcome.script,
            )
            response = rendering.render(page, lang=shown)
    cookie = None if isinstance(outcome, Final) else outcome.cookie
    if cookie is not None:
        secure = _is_secure(context)
        response.set_cookie(
            _cookie_name(visitor.request_uri, secure=secure),
            cookie,
            path="/",
            secure=secure,
            httponly=True,
            samesite="strict",
        )
    return response


def _is_secure(context: Context) -> bool:
    return resources.of(context).settings.is_secure


def _cookie_name(request_uri: str, *, secure: bool) -> str:
    """One for each request, so that two of them can be decided side by side."""
    tag = request_hash(request_uri).hex()[:12]
    return f"__Host-authorize-{tag}" if secure else f"authorize-{tag}"


def _cookie(request: Request, context: Context, request_uri: str) -> str | None:
    return request.cookies.get(_cookie_name(request_uri, secure=_is_secure(context)))


def _lang(wanted: str | None) -> Lang | None:
    return language(wanted) if wanted else None
