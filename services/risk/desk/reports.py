"""The page of a back-test, of a policy or of a model: who would change, and the money in it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from services.risk import service as decisions
from services.risk.cases import repository as cases
from services.risk.desk import plots, report_plots
from services.risk.desk.domain import Outcome, Page, Visit, shown_time
from services.risk.desk.texts import Lang, word
from services.risk.policies.back_tests import service as back_tests
from services.risk.policies.back_tests.service import BackTestNotFound
from services.risk.registry.evaluations import service as evaluations
from services.risk.registry.evaluations.service import EvaluationNotFound
from shared.contracts.http.risk_models import Evaluation
from shared.contracts.http.risk_policies import BackTest, SwapSet
from shared.kit.app import Context
from shared.kit.money import format_minor

HOME: Final = "/desk/back-tests"
OUTCOMES: Final = ("approve", "review", "decline")
MEASURES: Final = ("auc", "ks", "average_precision", "brier")
#: Days that are drawn; a longer history is drawn by its youngest ones.
DRAWN: Final = 60


async def show(context: Context, found: Visit, *, back_test_id: str) -> Outcome:
    """How far it is, or what it has found."""
    try:
        wanted = UUID(back_test_id)
    except ValueError:
        raise BackTestNotFound from None
    made: BackTest | Evaluation
    async with context.database.transaction() as session:
        try:
            made = await evaluations.read(session, evaluation_id=wanted, now=found.now)
        except EvaluationNotFound:
            made = await back_tests.read(session, back_test_id=wanted, now=found.now)
    lang, swap = found.browser.lang, made.swap_set
    values = {
        "staff": found.staff,
        "made": made,
        "product": word("product", made.product, lang),
        "path": f"{HOME}/{wanted}",
        **_of(made),
        "since": shown_time(made.since, lang),
        "until": shown_time(made.until, lang),
        "speed": round(made.seen * 1e6 / made.spent_us) if made.spent_us else None,
        "outcome_word": lambda code: word("decision", code, lang),
        "code_word": lambda code: word("code", code, lang),
        "swap": None if swap is None else _swap(swap, lang),
        "model": _model(made, lang) if isinstance(made, Evaluation) and made.figures else None,
    }
    return Page("back_test.html", values, message=found.message)


async def show_decision(context: Context, found: Visit, *, decision_id: str) -> Outcome:
    """A decision as it was kept, which a report has as an example."""
    try:
        wanted = UUID(decision_id)
    except ValueError:
        raise decisions.DecisionNotFound from None
    lang = found.browser.lang
    async with context.database.transaction() as session:
        record = await decisions.read_decision(session, decision_id=wanted)
        known = await cases.of_decisions(session, [wanted])
    values = {
        "staff": found.staff,
        "record": record,
        "product": word("product", record.product, lang),
        "outcome": word("decision", record.outcome, lang),
        "decided_at": shown_time(record.decided_at, lang),
        "reasons": [word("code", one.code, lang) for one in record.reasons],
        "degraded": [word("code", one, lang) for one in record.degraded],
        "cases": [one.case_id for one in known],
        "features": [
            (name, "–" if value is None else f"{value:.6g}")
            for name, value in sorted(record.features.items())
        ],
    }
    return Page("decision.html", values, message=found.message)


def _of(made: BackTest | Evaluation) -> dict[str, str]:
    """What was tried, against what, and the page of it."""
    if isinstance(made, Evaluation):
        address = f"/desk/models/{made.product}/{made.label}"
        return {"tried": made.label, "against": made.against or "–", "of": address}
    address = f"/desk/policies/{made.product}/{made.version}"
    return {"tried": made.version, "against": made.against, "of": address}


def _swap(swap: SwapSet, lang: Lang) -> dict[str, Any]:
    moved = [one for one in swap.counts if one.before != one.after]
    pairs = [
        (
            f"{word('decision', one.before, lang)} → {word('decision', one.after, lang)}",
            one.decisions,
            one.value_minor,
            format_minor(one.value_minor, "CNY"),
        )
        for one in sorted(moved, key=lambda one: -one.decisions)
    ]
    rows, height = report_plots.rows(pairs)
    changed = sum(one.decisions for one in moved)
    return {
        "changed": changed,
        "share": f"{changed / swap.decisions:.2%}" if swap.decisions else "–",
        "money": format_minor(sum(one.value_minor for one in moved), "CNY"),
        "rows": rows,
        "height": height,
        "matrix": _matrix(swap, changed),
        "days": _days(swap),
        "bands": _bands(swap),
    }


def _matrix(swap: SwapSet, changed: int) -> list[tuple[str, list[report_plots.Cell]]]:
    counts = {(one.before, one.after): one for one in swap.counts}
    lines = []
    for before in OUTCOMES:
        cells = []
        for after in OUTCOMES:
            one = counts.get((before, after))
            stays, number = before == after, one.decisions if one else 0
            tint = 0.0 if stays or not changed else round(0.15 + 0.35 * number / changed, 2)
            money = format_minor(one.value_minor if one else 0, "CNY")
            cells.append(report_plots.Cell(number, money, tint if number else 0.0, stays))
        lines.append((before, cells))
    return lines


def _days(swap: SwapSet) -> plots.Plot | None:
    days = (swap.days or [])[-DRAWN:]
    if not days:
        return None
    share = [100 * day.changed / day.decisions if day.decisions else None for day in days]
    places = sorted({0, len(days) // 2, len(days) - 1})
    feet = [(place, days[place].day.isoformat()) for place in places]
    return plots.plot([("decline", share)], [day.decisions for day in days], feet)


def _bands(swap: SwapSet) -> report_plots.Bars | None:
    bands = [one for one in swap.bands or [] if one.decisions]
    if not bands:
        return None
    names = [f"¥{one.from_minor // 100:,}+" for one in bands]
    return report_plots.bars(names, [("decline", [100 * one.changed / one.decisions
                                                  for one in bands])])  # fmt: skip


def _model(made: Evaluation, lang: Lang) -> dict[str, Any]:
    """What the evaluation of a model has beside a policy's back-test."""
    figures = made.figures or {}
    histogram = figures["histogram"]
    edges = ["0", *(f"{edge:g}" for edge in histogram["edges"])]
    series = [("candidate", report_plots.shares(histogram["candidate"]))]
    if histogram["champion"] is not None:
        series.append(("champion", report_plots.shares(histogram["champion"])))
    return {
        "gates": gates(made, lang),
        "labels": figures["labels"],
        "spread": report_plots.bars(edges, series),
        "curves": [
            (name, report_plots.curve(figures[name]["roc"]))
            for name in ("champion", "candidate")
            if figures.get(name)
        ],
        "side": report_plots.SIDE,
        "margin": report_plots.MARGIN,
        "measures": _measures(figures, lang),
    }


def _measures(figures: Mapping[str, Any], lang: Lang) -> list[tuple[str, list[str]]]:
    """Each measure of both models, and their difference where it is known."""
    if not figures.get("candidate"):
        return []
    differences = figures.get("differences") or {}
    return [
        (
            word("measure", name, lang),
            [
                interval((figures.get(of) or {}).get(name)) for of in ("candidate", "champion")
            ] + [interval(differences.get(name))],
        )
        for name in MEASURES
    ]  # fmt: skip


def interval(value: Sequence[float] | None) -> str:
    return "–" if value is None else f"{value[0]:.3f} ({value[1]:.3f} – {value[2]:.3f})"


def gates(made: Evaluation | None, lang: Lang) -> list[dict[str, Any]]:
    """The gates of an evaluation in words."""
    found = []
    for gate in (made.gates if made else None) or []:
        between = None
        if gate.low is not None and gate.high is not None:
            between = f"{gate.low:.3f} – {gate.high:.3f}"
        found.append(
            {
                "gate": gate,
                "name": word("gate", gate.name, lang),
                "state": word("gatestate", gate.state, lang),
                "value": "–" if gate.value is None else f"{gate.value:.4g}",
                "between": between,
                "bound": "–" if gate.bound is None else f"{gate.bound:.4g}",
                "cause": word("cause", gate.cause, lang) if gate.cause else "",
            }
        )
    return found


def when(at: datetime | None, lang: Lang) -> str:
    return "–" if at is None else shown_time(at, lang)
