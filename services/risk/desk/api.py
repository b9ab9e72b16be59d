"""Routes of the desk: pages for staff in a browser."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from fastapi import APIRouter, Request, Response

from services.risk.desk import cases, flows, policies, registry, rendering, reports, sources, watch
from services.risk.desk.domain import HEADERS, HOME, Browser, Outcome
from services.risk.desk.flows import Step, visit
from services.risk.desk.forms import read_form
from services.risk.desk.texts import language
from services.risk.settings import RiskSettings
from shared.kit.app import Context, Ctx

router = APIRouter(include_in_schema=False)

#: What a member of staff does with a case, by the last part of the form's address; `note` is
#: open to whoever may read the case.
ACTIONS: dict[str, tuple[Callable[..., Awaitable[Outcome]], str]] = {
    "take": (cases.take, "reviewer"),
    "give-back": (cases.give_back, "reviewer"),
    "verdict": (cases.judge, "reviewer"),
    "second": (cases.second, "reviewer"),
    "note": (cases.note, ""),
}


@router.get("/desk")
@router.get("/desk/")
async def home(request: Request, context: Ctx) -> Response:
    return await _shown(request, context, cases.queue)


@router.get("/desk/desk.css")
async def style() -> Response:
    return Response(
        rendering.STYLE,
        media_type="text/css",
        headers=dict(HEADERS) | {"Cache-Control": "public, max-age=3600"},
    )


@router.get("/desk/sign-in")
async def show_sign_in(request: Request, context: Ctx) -> Response:
    browser = _browser(request, context)
    return _answer(await flows.show_sign_in(context, browser), browser, context)


@router.post("/desk/sign-in")
async def sign_in(request: Request, context: Ctx) -> Response:
    browser = _browser(request, context, form=await read_form(request) or {})
    return _answer(await flows.sign_in(context, browser), browser, context)


@router.post("/desk/sign-out")
async def sign_out(request: Request, context: Ctx) -> Response:
    return await _done(request, context, flows.sign_out)


@router.get(HOME)
async def queue(request: Request, context: Ctx) -> Response:
    return await _shown(request, context, cases.queue)


@router.get(HOME + "/{case_id}")
async def show_case(case_id: str, request: Request, context: Ctx) -> Response:
    return await _shown(request, context, partial(cases.show, case_id=case_id))


@router.post(HOME + "/{case_id}/{action}")
async def act(case_id: str, action: str, request: Request, context: Ctx) -> Response:
    if action not in ACTIONS:
        return await _done(request, context, flows.nothing_there)
    step, role = ACTIONS[action]
    return await _done(request, context, partial(step, case_id=case_id), role=role)


#: What is done with a version, by the last part of the form's address. Who may do what is as on
#: the routes of policies: operators write, another one or a reviewer approves.
VERSION_ACTIONS: dict[str, tuple[Callable[..., Awaitable[Outcome]], str]] = {
    "tests": (policies.run_tests, ""),
    "draft": (policies.draft, "operator"),
    "proposal": (policies.propose, "operator"),
    "approval": (policies.approve, ""),
    "rejection": (policies.reject, ""),
    "activation": (policies.activate, "operator"),
    "back-test": (policies.back_test, "operator"),
    "roll-back": (policies.roll_back, "operator"),
}


@router.get("/desk/policies")
async def list_policies(request: Request, context: Ctx) -> Response:
    return await _shown(request, context, policies.overview)


@router.get("/desk/policies/{product}/{version}")
async def show_version(product: str, version: str, request: Request, context: Ctx) -> Response:
    return await _shown(request, context, partial(policies.show, product=product, version=version))


@router.post("/desk/policies/{product}/{version}/{action}")
async def act_on_version(
    product: str, version: str, action: str, request: Request, context: Ctx
) -> Response:
    if action not in VERSION_ACTIONS:
        return await _done(request, context, flows.nothing_there)
    step, role = VERSION_ACTIONS[action]
    step_of = partial(step, product=product, version=version)
    return await _done(request, context, step_of, role=role)


@router.get(registry.HOME)
async def list_models(request: Request, context: Ctx) -> Response:
    return await _shown(request, context, registry.overview)


@router.get(registry.HOME + "/{product}/{label}")
async def show_model(product: str, label: str, request: Request, context: Ctx) -> Response:
    return await _shown(request, context, partial(registry.show, product=product, label=label))


@router.post(registry.HOME + "/{product}/{label}/{action}")
async def act_on_model(
    product: str, label: str, action: str, request: Request, context: Ctx
) -> Response:
    if action not in registry.ACTIONS:
        return await _done(request, context, flows.nothing_there)
    step, role = registry.ACTIONS[action]
    step_of = partial(step, product=product, label=label)
    return await _done(request, context, step_of, role=role)


@router.get(reports.HOME + "/{back_test_id}")
async def show_back_test(back_test_id: str, request: Request, context: Ctx) -> Response:
    return await _shown(request, context, partial(reports.show, back_test_id=back_test_id))


@router.get("/desk/decisions/{decision_id}")
async def show_decision(decision_id: str, request: Request, context: Ctx) -> Response:
    return await _shown(request, context, partial(reports.show_decision, decision_id=decision_id))


@router.get(watch.HOME)
@router.get(watch.HOME + "/{alarm_id}")
async def show_watch(request: Request, context: Ctx) -> Response:
    """An alarm has no page of its own: whoever signs in again after its form sees them all."""
    return await _shown(request, context, watch.show)


@router.get(sources.HOME)
async def show_sources(request: Request, context: Ctx) -> Response:
    return await _shown(request, context, sources.show)


@router.post(watch.HOME + "/{alarm_id}/acknowledgement")
async def acknowledge_alarm(alarm_id: str, request: Request, context: Ctx) -> Response:
    return await _done(request, context, partial(watch.acknowledge, alarm_id=alarm_id))


async def _shown(request: Request, context: Context, step: Step, **options: Any) -> Response:
    browser = _browser(request, context)
    return _answer(await visit(context, browser, step, **options), browser, context)


async def _done(request: Request, context: Context, step: Step, **options: Any) -> Response:
    """A form was sent; one that cannot be read is one that is not ours."""
    browser = _browser(request, context, form=await read_form(request) or {})
    return _answer(await visit(context, browser, step, **options), browser, context)


def _answer(outcome: Outcome, browser: Browser, context: Context) -> Response:
    return rendering.respond(outcome, browser=browser, secure=is_secure(context))


def is_secure(context: Context) -> bool:
    """Whether staff comes over TLS, which a proxy in front ends."""
    settings = context.settings
    return isinstance(settings, RiskSettings) and settings.desk_url.startswith("https://")


def _browser(request: Request, context: Context, *, form: dict[str, str] | None = None) -> Browser:
    kept = request.cookies.get(rendering.LANGUAGE_COOKIE)
    query = {name: value[:200] for name, value in request.query_params.items()}
    lang = language(query.get("lang"), kept, request.headers.get("accept-language"))
    return Browser(
        path=request.url.path,
        query=query,
        cookie=request.cookies.get(rendering.cookie_name(secure=is_secure(context))),
        lang=lang,
        form=form,
    )
