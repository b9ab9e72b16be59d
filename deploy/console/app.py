"""The landing page of a local bank. It shows, and can change nothing.

It listens on this machine alone, and names no person: whoever works on the machine may see it.
"""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import FileResponse, HTMLResponse, PlainTextResponse
from fastapi.staticfiles import StaticFiles
from fastapi.templating import Jinja2Templates
from starlette.middleware.trustedhost import TrustedHostMiddleware

from deploy.console import facts, traces
from deploy.console.health import health_of
from deploy.console.texts import language, texts
from deploy.local.files import read_json
from shared.kit.money import format_minor

FOLDER = Path(__file__).resolve().parent
#: A page of another site that makes its name point here is refused by these names.
HOSTS = ["127.0.0.1", "localhost", "[::1]"]
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


router = APIRouter()


def create(*, run_dir: Path, version: str) -> FastAPI:
    """The landing page of the bank in `run_dir`."""
    app = FastAPI(title="Tongbao console", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=HOSTS)
    app.mount("/static", StaticFiles(directory=FOLDER / "static"))
    app.include_router(router)
    app.state.run_dir = run_dir
    app.state.version = version
    app.state.templates = Jinja2Templates(directory=FOLDER / "templates")
    app.state.templates.env.filters |= {
        "money": format_minor,
        "short": short,
        "span": shown_span,
        "duration": shown_ms,
    }
    return app


@router.get("/readyz")
async def readyz() -> dict[str, str]:
    return {"status": "ready"}


@router.get("/")
async def overview(request: Request) -> HTMLResponse:
    run_dir = _run_dir(request)
    health = await health_of(run_dir)
    try:
        lines = await facts.chart(run_dir)
        payments = await facts.last_payments(run_dir)
        counts = await facts.counts(run_dir)
        queues = await facts.queues(run_dir)
    except facts.NoAnswer:
        return _page(request, "overview.html", health=health, answers=False)
    return _page(
        request,
        "overview.html",
        health=health,
        answers=True,
        lines=lines,
        sums=facts.sums(lines),
        payments=payments,
        counts=counts,
        queues=queues,
        has_report=_report(run_dir).is_file(),
        live=request.query_params.get("live") == "1",
    )


@router.get("/trace")
async def trace(request: Request, id: str = "") -> HTMLResponse:  # noqa: A002 - the field's name
    run_dir = _run_dir(request)
    trace_id = id.strip()[:64]
    if not traces.TRACE_ID.match(trace_id):
        return _page(request, "trace.html", 422, trace_id=trace_id, problem="trace_malformed")
    spans = await asyncio.to_thread(traces.spans_of, run_dir / "logs", trace_id)
    rows, total_ms = traces.rows_of(spans)
    if not rows:
        return _page(request, "trace.html", 404, trace_id=trace_id, problem="trace_unknown")
    try:
        payment = await facts.payment_of_trace(run_dir, trace_id)
    except facts.NoAnswer:
        payment = None
    return _page(
        request,
        "trace.html",
        trace_id=trace_id,
        problem=None,
        rows=rows,
        total_ms=total_ms,
        ticks=ticks(total_ms),
        payment=payment,
    )


@router.get("/reconciliation")
async def reconciliation(request: Request) -> Response:
    report = _report(_run_dir(request))
    if not report.is_file():
        return PlainTextResponse("No book was imported.", status_code=404, headers=HEADERS)
    # The report brings its own style; it is a file of this bank, and holds no script.
    policy = HEADERS["Content-Security-Policy"].replace(
        "style-src 'self'", "style-src 'unsafe-inline'"
    )
    return FileResponse(
        report, media_type="text/html", headers=HEADERS | {"Content-Security-Policy": policy}
    )


def _page(request: Request, name: str, status: int = 200, **found: Any) -> HTMLResponse:
    lang = language(request.query_params.get("lang"), request.headers.get("accept-language"))
    run_dir = _run_dir(request)
    common = {
        "t": texts(lang),
        "lang": lang,
        "other_lang": "en" if lang == "zh" else "zh",
        "bank": read_json(run_dir / "bank.json") or {},
        "version": request.app.state.version,
        "run_dir": run_dir,
    }
    templates: Jinja2Templates = request.app.state.templates
    return templates.TemplateResponse(
        request, name, common | found, status_code=status, headers=HEADERS
    )


def _run_dir(request: Request) -> Path:
    run_dir: Path = request.app.state.run_dir
    return run_dir


def _report(run_dir: Path) -> Path:
    return run_dir / "reconciliation.html"


def short(account_id: str) -> str:
    """Enough of an account's number to know it by."""
    return account_id if len(account_id) <= 12 else f"{account_id[:4]}…{account_id[-4:]}"


def shown_span(seconds: float) -> str:
    """`2:05:09` for hours, minutes and seconds."""
    return str(timedelta(seconds=int(seconds)))


def shown_ms(milliseconds: float) -> str:
    if milliseconds == 0:
        return "0"
    if milliseconds < 10:
        return f"{milliseconds:.1f} ms"
    return f"{milliseconds:.0f} ms" if milliseconds < 10_000 else f"{milliseconds / 1000:.1f} s"


def ticks(total_ms: float) -> list[tuple[float, str]]:
    """Round marks of the time axis: where, as a part of the whole, and what to write there."""
    step = next(
        (step for step in STEPS_MS if total_ms / step <= 6), STEPS_MS[-1] * -(-total_ms // 60_000)
    )
    count = int(total_ms // step)
    return [(number * step / total_ms, shown_ms(number * step)) for number in range(count + 1)]


STEPS_MS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000)
