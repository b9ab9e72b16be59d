"""What the sources cost and how they do, for staff."""

import time
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from services.risk.sources import repository, views
from services.risk.sources.consents import meanings
from services.risk.sources.domain import CURRENCY, TERMS
from services.risk.sources.service import Sources
from shared.contracts.values import Localized
from shared.kit.database import Session
from shared.kit.problems import InvalidRequest

#: China keeps one time zone and no summer time.
CHINA = timezone(timedelta(hours=8))
MOST_MONTHS = 36
USUAL_MONTHS = 12
DAY = timedelta(days=1)
_NONE: Mapping[str, int] = dict.fromkeys(views.Counts.model_fields, 0)


async def states(
    session: Session, *, sources: Sources, process: str, now: datetime
) -> views.SourceStates:
    """Each source with its terms, its breaker here, and its last day."""
    kept = await repository.count_answers(session, now=now)
    counts = await repository.counts_since(session, since=now - DAY)
    at = time.monotonic()
    return views.SourceStates(
        process=process,
        at=now,
        items=[
            views.SourceState(
                source=source,
                title=Localized(zh=terms.title[0], en=terms.title[1]),
                answers=meanings(terms.answers),
                purposes=list(terms.purposes),
                needs_consent=terms.needs_consent,
                price_minor=terms.price_minor,
                currency=CURRENCY,
                timeout_ms=sources.timeout_ms(source),
                valid_for_s=int(terms.valid_for.total_seconds()),
                usable_for_s=int(terms.usable_for.total_seconds()),
                is_configured=source in sources.connectors,
                breaker=sources.breakers[source].state(at),
                failures_in_a_row=sources.breakers[source].failures,
                kept_answers=kept.get(source, 0),
                last_day=_counts(counts.get(source, _NONE)),
            )
            for source, terms in TERMS.items()
        ],
    )


async def costs(
    session: Session, *, since: str | None, until: str | None, now: datetime
) -> views.SourceCosts:
    """By month and source, both months counted in; the last twelve where none are named.

    Raises InvalidRequest: no month, the wrong order, or more than three years.
    """
    last = month_of(until, field="until") if until else now.astimezone(CHINA).replace(day=1)
    first = month_of(since, field="since") if since else _months(last, 1 - USUAL_MONTHS)
    begin, end = _midnight(first), _months(_midnight(last), 1)
    if not begin < end <= _months(begin, MOST_MONTHS):
        raise InvalidRequest(field="since", expected=f"at most {MOST_MONTHS} months up to `until`")
    found = await repository.counts_by_month(session, since=begin, until=end)
    items = [
        views.MonthCost(month=row["month"], source=row["source"], currency=CURRENCY, **_known(row))
        for row in found
    ]
    return views.SourceCosts(
        items=items, total_minor=sum(item.cost_minor for item in items), currency=CURRENCY
    )


def month_of(text: str, *, field: str) -> datetime:
    """The first day of a month such as 2026-11. Raises InvalidRequest."""
    try:
        return datetime.strptime(text, "%Y-%m").replace(tzinfo=CHINA)
    except ValueError as error:
        raise InvalidRequest(field=field, expected="a month such as 2026-11") from error


def _midnight(day: datetime) -> datetime:
    return day.replace(hour=0, minute=0, second=0, microsecond=0)


def _months(day: datetime, count: int) -> datetime:
    """The first day of the month `count` months later."""
    months = day.year * 12 + day.month - 1 + count
    return day.replace(year=months // 12, month=months % 12 + 1, day=1)


def _counts(row: Mapping[str, Any]) -> views.Counts:
    return views.Counts(**_known(row))


def _known(row: Mapping[str, Any]) -> dict[str, int]:
    return {name: int(row[name]) for name in views.Counts.model_fields}
