"""The page of the watch: rates, drift, latency, labels and alarms of policies and models."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from services.risk.desk import plots
from services.risk.desk.domain import Outcome, Page, Redirect, Visit, shown_time, with_note
from services.risk.desk.texts import Lang, word
from services.risk.features import FEATURES
from services.risk.policies.domain import PRODUCTS
from services.risk.watch import repository, service
from services.risk.watch.domain import (
    LATENCY_EDGES_US,
    SPANS,
    Alarm,
    Limit,
    Share,
    Shift,
    Span,
    Tally,
    limit_for,
    since,
    slot_of,
)
from services.risk.watch.reports import ModelReport, PolicyReport, Window
from services.risk.watch.service import AlarmNotFound, Overview
from shared.kit.app import Context
from shared.kit.auth import Caller

HOME: Final = "/desk/watch"
#: Steps in which a span is drawn: few enough to be seen, many enough to show a change.
STEPS: Final[Mapping[Span, timedelta]] = {
    "hour": timedelta(minutes=15),
    "day": timedelta(hours=1),
    "week": timedelta(hours=6),
}
#: What an hour shows beside itself: a change is seen against what was before.
DRAWN: Final[Mapping[Span, Span]] = {"hour": "day", "day": "day", "week": "week"}
#: Features that are shown at once, those that drift most first.
TOP: Final = 10
MAX_NOTE: Final = 140
_MEANINGS: Final = {one.name: (one.zh, one.en) for one in FEATURES}


async def show(context: Context, found: Visit) -> Outcome:
    """All measures of one product over one span, and every alarm."""
    asked, lang = found.browser.asked, found.browser.lang
    product = next((one for one in PRODUCTS if one == asked("product")), PRODUCTS[0])
    span: Span = next((one for one in SPANS if one == asked("span")), "day")
    step = STEPS[span]
    begins = slot_of(since(found.now, DRAWN[span]), step)
    async with context.database.transaction() as session:
        known = await service.overview(session, now=found.now)
        changed = await repository.limits(session)
        limits = await service.all_limits(session)
        guard = await service.guard_of(session, product)
        series = await repository.series(session, product=product, since=begins, step=step)
    policies = [one for one in known.looked.report.policies if one.product == product]
    models = [one for one in known.looked.report.models if one.product == product]
    values = {
        "staff": found.staff,
        "product": product,
        "products": [(one, word("product", one, lang)) for one in PRODUCTS],
        "span": span,
        "spans": list(SPANS),
        "last_counted": known.last_counted_at and shown_time(known.last_counted_at, lang),
        "policy": next((_policy(one, span) for one in policies if one.in_force), None),
        "others": [_other(one, span) for one in policies if not one.in_force],
        "plot": _plot(series, begins=begins, now=found.now, step=step, lang=lang),
        "models": [_model(one, span, changed, known.looked.alarms, lang) for one in models],
        **_told(known, lang),
        "limits": [(one, word("measure", one.measure, lang), _word(one, lang)) for one in limits],
        "guard": guard,
        "percent": percent,
        "percent_of": lambda value: f"{value:.1%}",
        "fact": _fact,
    }
    return Page("watch.html", values, message=found.message)


def _told(known: Overview, lang: Lang) -> dict[str, Any]:
    """Alarms and roll-backs, with their words."""

    def row(alarm: Alarm) -> dict[str, Any]:
        return {
            "alarm": alarm,
            "measure": word("measure", alarm.measure, lang),
            "severity": word("severity", alarm.severity, lang),
            "value": _fact(alarm.measure, alarm.value),
            "peak": _fact(alarm.measure, alarm.peak),
            "bound": _fact(alarm.measure, alarm.bound),
            "opened_at": shown_time(alarm.opened_at, lang),
            "closed": word("closed", alarm.closed_why or "", lang),
            "closed_at": alarm.closed_at and shown_time(alarm.closed_at, lang),
        }

    return {
        "alarms": [row(alarm) for alarm in known.looked.alarms],
        "closed_alarms": [row(alarm) for alarm in known.closed],
        "roll_backs": [
            (
                one,
                word("product", one.product, lang),
                word("measure", one.measure, lang),
                shown_time(one.made_at, lang),
            )
            for one in known.roll_backs
        ],
    }


def _word(limit: Limit, lang: Lang) -> str:
    return word("product", limit.product, lang) if limit.product else ""


def percent(share: Share) -> str:
    return f"{share.value:.1%}" if share.seen else "–"


def _fact(measure: str, value: float) -> str:
    """A measure as people read it."""
    if measure.endswith(("_rate", "_share", "_moved")):
        return f"{value:.1%}"
    if measure.endswith(("_ms", "_h")):
        return f"{value:.1f}"
    return f"{value:.3f}"


def _shares(window: Window) -> list[tuple[str, Share, str]]:
    """What a policy did: the text of each share, the share, and its name in a tally."""
    tally = window.tally
    return [
        ("approved_share", tally.share(tally.approve), "approve"),
        ("review_share", tally.share(tally.review), "review"),
        ("decline_share", tally.share(tally.decline), "decline"),
        ("degraded_share", tally.share(tally.degraded), "degraded"),
        ("failed_share", tally.share(tally.failed), "failed"),
    ]


def _policy(report: PolicyReport, span: Span) -> dict[str, Any]:
    window, before = report.windows[span], report.reference
    return {
        "label": report.policy,
        "window": window,
        "reference_of": report.reference_of,
        "tiles": [
            (text, share, None if before is None else before.share(getattr(before, name)))
            for text, share, name in _shares(window)
        ],
        "latency": _latency(window),
        "causes": sorted(window.causes.items(), key=lambda one: -one[1]),
    }


def _other(report: PolicyReport, span: Span) -> tuple[str, Window, list[tuple[str, Share]]]:
    window = report.windows[span]
    return report.policy, window, [(text, share) for text, share, _ in _shares(window)[:4]]


def _latency(window: Window) -> dict[str, Any]:
    words = ["", *(f"{edge / 1000:.3g} ms" for edge in LATENCY_EDGES_US)]
    return {
        "p50": window.latency_ms(0.5),
        "p99": window.latency_ms(0.99),
        "columns": plots.histogram(window.latency_us, words),
    }


def _model(
    report: ModelReport,
    span: Span,
    limits: Mapping[tuple[str, str], Limit],
    alarms: Sequence[Alarm],
    lang: Lang,
) -> dict[str, Any]:
    """A model with its drift, the score first and then what drifts most."""
    shifts = [one for one in report.shifts[span] if one.seen]
    score, rest = shifts[:1], sorted(shifts[1:], key=lambda one: -one.psi)
    rows = [
        _shift(one, limits, product=report.product, of_score=one in score, lang=lang)
        for one in (*score, *rest)
    ]
    tally = report.windows[span].tally
    return {
        "label": report.model,
        "in_use": report.in_use,
        "is_critical": any(
            one.subject == report.model and one.severity == "critical" for one in alarms
        ),
        "window": report.windows[span],
        "alerts": tally.share(tally.alerts),
        "first": rows[: 1 + TOP],
        "rest": rows[1 + TOP :],
    }


def _shift(
    shift: Shift,
    limits: Mapping[tuple[str, str], Limit],
    *,
    product: str,
    of_score: bool,
    lang: Lang,
) -> dict[str, Any]:
    zh, en = _MEANINGS.get(shift.name, (shift.name, shift.name))
    meaning = zh if lang == "zh" else en
    psi = limit_for(limits, "score_psi" if of_score else "feature_psi", product)
    ks = limit_for(limits, "score_ks" if of_score else "feature_ks", product)
    return {
        "name": shift.name,
        "meaning": word("feature", shift.name, lang) if of_score else meaning,
        "psi": shift.psi,
        "psi_bar": _bar(shift.psi, shift.psi_by_chance, psi),
        "ks": shift.ks,
        "ks_bar": _bar(shift.ks, shift.ks_by_chance, ks),
        "missing": shift.missing,
        "missing_before": shift.missing_before,
    }


def _bar(value: float, chance: float, limit: Limit | None) -> plots.Bar | None:
    """What chance explains is drawn, and is no drift."""
    if limit is None:
        return None
    found = plots.bar(value, limit.warning, limit.critical)
    return found if value > chance else plots.Bar(found.length, found.tick, "chance")


def _plot(
    series: Mapping[datetime, Tally],
    *,
    begins: datetime,
    now: datetime,
    step: timedelta,
    lang: Lang,
) -> plots.Plot | None:
    """None where nothing was decided."""
    if not series:
        return None
    count = int((now - begins) / step) + 1
    tallies = [series.get(begins + step * place, Tally()) for place in range(count)]
    shares = [
        (name, [100 * getattr(one, name) / one.decisions if one.decisions else None
                for one in tallies])
        for name in ("review", "decline")
    ]  # fmt: skip
    places = sorted({0, count // 3, 2 * count // 3, count - 1})
    feet = [(place, shown_time(begins + step * place, lang)) for place in places]
    return plots.plot(shares, [one.decisions for one in tallies], feet)


async def acknowledge(context: Context, found: Visit, *, alarm_id: str) -> Outcome:
    """A member of staff has seen an alarm."""
    try:
        wanted = UUID(alarm_id)
    except ValueError:
        raise AlarmNotFound from None
    staff = found.staff
    async with context.database.transaction() as session:
        await service.acknowledge(
            session,
            alarm_id=wanted,
            note=found.browser.field("note")[:MAX_NOTE],
            caller=Caller(service="staff", staff_id=staff.staff_id, roles=staff.roles),
            now=found.now,
        )
    context.published()
    return Redirect(with_note(HOME, "acknowledged"))
