"""What the page of a case shows of an application, and what a reviewer may grant."""

import re
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final, cast

from services.risk.cases.credit import LimitUnfit
from services.risk.cases.domain import CREDIT, PAYMENT
from services.risk.cases.service import CaseFile
from services.risk.desk.domain import shown_span
from services.risk.desk.texts import Lang, texts, word
from services.risk.sources.domain import TERMS
from shared.contracts.http.risk import DecisionRecord, SourceUsed
from shared.contracts.http.risk_sources import Source
from shared.contracts.values import MAX_AMOUNT_MINOR
from shared.kit.money import format_minor

CURRENCY: Final = "CNY"
_YUAN: Final = re.compile(r"[0-9][0-9,]{0,18}([.][0-9]{1,2})?")
#: Facts whose names end so are amounts in fen.
_MINOR: Final = "_minor"


def shown(file: CaseFile, lang: Lang) -> dict[str, object]:
    """The values of the template beside those of any case."""
    case, record = file.case, file.decision
    is_credit = case.product in CREDIT
    values: dict[str, object] = {"is_credit": is_credit, "application": None, "granted": None}
    if case.granted_minor is not None:
        values["granted"] = _offer(case.granted_minor, case.granted_price_bps)
    if case.product == PAYMENT or record is None or record.facts is None:
        return values
    found = cast("Mapping[str, Any]", record.facts.get("application") or {})
    facts = [(word("fact", name, lang), value_of(name, it, lang)) for name, it in found.items()]
    if is_credit:
        facts.append((texts(lang)["grade"], record.grade))
        facts.append((texts(lang)["policy_limit"], _offer(record.limit_minor, record.price_bps)))
    return values | {"application": {"facts": facts, "sources": _sources(record, lang)}}


def value_of(name: str, value: object, lang: Lang) -> str | None:
    """A fact for people: an amount with its currency, yes and no in words; None for a missing."""
    if value is None:
        return None
    if isinstance(value, bool):
        return texts(lang)["yes" if value else "no"]
    if name.endswith(_MINOR) and isinstance(value, int):
        return format_minor(value, CURRENCY)
    return f"{value:,.2f}" if isinstance(value, float) else str(value)


def _sources(record: DecisionRecord, lang: Lang) -> list[dict[str, object]]:
    """Each source that was asked: how it answered, at what age and price, and what it said."""
    column = 0 if lang == "zh" else 1
    said = cast("Mapping[str, Any]", (record.facts or {}).get("sources") or {})
    lines: list[dict[str, object]] = []
    for use in record.sources or ():
        terms = TERMS.get(cast("Source", use.source))
        names = terms.answers if terms else {}
        answers = [
            (names[name][column] if name in names else name, value_of(name, it, lang))
            for name, it in (said.get(use.source) or {}).items()
        ]
        lines.append(
            {
                "title": terms.title[column] if terms else use.source,
                "state": word("use", use.state, lang),
                "age": _age(use, lang),
                "cost": format_minor(use.cost_minor, CURRENCY),
                "answers": answers,
            }
        )
    return lines


def _age(use: SourceUsed, lang: Lang) -> str | None:
    return None if use.age_ms is None else shown_span(timedelta(milliseconds=use.age_ms), lang)


def _offer(limit_minor: int | None, price_bps: int | None) -> str | None:
    if limit_minor is None:
        return None
    limit = format_minor(limit_minor, CURRENCY)
    return limit if price_bps is None else f"{limit} · {price_bps / 100:.2f}%"


def limit_of(text: str) -> int | None:
    """The fen of what a reviewer wrote in yuan; None where nothing was. Raises LimitUnfit."""
    if not text:
        return None
    if not _YUAN.fullmatch(text):
        raise LimitUnfit(field="limit", expected="yuan, such as 20,000 or 1500.50")
    minor = int(Decimal(text.replace(",", "")) * 100)
    if not 0 < minor <= MAX_AMOUNT_MINOR:
        raise LimitUnfit(field="limit", expected="a positive amount")
    return minor
