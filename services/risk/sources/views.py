"""What staff sees of the sources. Money is in fen of CNY."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from shared.contracts.http.risk_sources import Purpose, Source, SourceAnswer
from shared.contracts.values import Currency, Localized, Reply


class Counts(Reply):
    """Uses by decisions, and what became of them.

    `unsure` are calls without a known end: the source's bill may have them or not.
    """

    calls: int = Field(description="Calls that went out")
    answered: int
    cached: int
    stale: int
    failed: int
    refused_consent: int
    charged: int
    unsure: int
    cost_minor: int


class SourceState(Reply):
    """A source as this process sees it, and what all processes did with it for a day."""

    source: Source
    title: Localized
    answers: list[SourceAnswer]
    purposes: list[Purpose]
    needs_consent: bool
    price_minor: int
    currency: Currency
    timeout_ms: int
    valid_for_s: int
    usable_for_s: int
    is_configured: bool
    breaker: Literal["closed", "open", "half_open"]
    failures_in_a_row: int
    kept_answers: int
    last_day: Counts


class SourceStates(Reply):
    """Each process has breakers of its own: another replica may see a source otherwise."""

    process: str
    at: datetime
    items: list[SourceState]


class MonthCost(Counts):
    """`month` is of the bank's own time, as 2026-11."""

    month: str
    source: str
    currency: Currency


class SourceCosts(Reply):
    items: list[MonthCost]
    total_minor: int
    currency: Currency
