"""The page of the outside sources: how they do, and what they cost."""

from datetime import timedelta
from typing import Final

from services.risk.desk.domain import Outcome, Page, Visit, shown_span
from services.risk.desk.texts import word
from services.risk.sources import books
from services.risk.sources.service import sources_of
from shared.kit.app import Context

HOME: Final = "/desk/sources"
#: The look of a breaker's state: those of other states that are good, in between, and bad.
_LOOKS: Final = {"closed": "active", "half_open": "proposed", "open": "rejected"}


async def show(context: Context, found: Visit) -> Outcome:
    """Every source; what they cost by month is for operators."""
    lang, staff = found.browser.lang, found.staff
    async with context.database.transaction() as session:
        states = await books.states(
            session, sources=sources_of(context), process=context.member, now=found.now
        )
        costs = None
        if staff.has("operator"):
            costs = await books.costs(session, since=None, until=None, now=found.now)
    titles = {item.source: getattr(item.title, lang) for item in states.items}
    values = {
        "staff": staff,
        "states": states,
        "rows": [
            (
                item,
                titles[item.source],
                word("breaker", item.breaker, lang),
                _LOOKS[item.breaker],
                [getattr(answer.meaning, lang) for answer in item.answers],
                [
                    shown_span(timedelta(seconds=seconds), lang)
                    for seconds in (item.valid_for_s, item.usable_for_s)
                ],
            )
            for item in states.items
        ],
        "costs": costs,
        "titles": titles,
    }
    return Page("sources.html", values, message=found.message)
