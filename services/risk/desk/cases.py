"""The pages of case work: the queue, a case, and what a member of staff does with it."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from services.risk.cases import domain, service
from services.risk.cases.api import WAITING, place_of, read_place
from services.risk.cases.domain import VERDICT_CODES, Case, CaseNotFound
from services.risk.cases.repository import Filter
from services.risk.cases.service import CaseFile
from services.risk.desk import applications
from services.risk.desk.domain import (
    HOME,
    Message,
    Outcome,
    Page,
    Redirect,
    Visit,
    shown_span,
    shown_time,
    with_note,
)
from services.risk.desk.drawing import Neighbourhood, drawn, neighbourhood
from services.risk.desk.texts import Lang, word
from services.risk.features import FEATURES
from services.risk.rings.domain import Rings
from services.risk.windows import in_ms
from shared.kit.app import Context
from shared.kit.problems import BankError, InvalidRequest, Unavailable

SHOWN: Final = ("waiting", "mine", "second", "overdue", "closed")
PRODUCTS: Final = tuple(domain.WITHIN)
PAGE: Final = 50
#: Counting stops here; a queue that long shows `99+`.
MAX_COUNT: Final = 100
MAX_NOTE: Final = 1_000
MAX_FILTER: Final = 40

#: Does one thing to a case as a member of staff; the name of what to say of it.
Act = Callable[[UUID, str, datetime], Awaitable[str]]


def _filter(found: Visit, show: str) -> Filter:
    staff_id = found.staff.staff_id
    states: Mapping[str, tuple[str, ...]] = {
        "mine": ("assigned",),
        "second": ("awaiting_second",),
        "closed": ("closed",),
    }
    product = found.browser.asked("product")
    return Filter(
        states=states.get(show, WAITING),
        now=found.now,
        assigned_to=staff_id if show == "mine" else None,
        not_judged_by=staff_id if show == "second" else None,
        product=product if product in PRODUCTS else None,
        customer_id=found.browser.asked("customer")[:MAX_FILTER] or None,
        overdue=show == "overdue",
    )


async def queue(context: Context, found: Visit) -> Outcome:
    """The cases that a filter shows, what is due first first."""
    wanted = found.browser.asked("show")
    show = wanted if wanted in SHOWN else "waiting"
    message = found.message
    try:
        after = read_place(found.browser.asked("after") or None)
    except InvalidRequest:
        after, message = None, Message("bad_filter", 422)
    async with context.database.transaction() as session:
        cases = await service.queue(
            session, wanted=_filter(found, show), after=after, limit=PAGE + 1
        )
        counts = {
            name: await service.count(session, wanted=_filter(found, name), at_most=MAX_COUNT)
            for name in SHOWN
            if name != "closed"
        }
    shown = cases[:PAGE]
    last = shown[-1] if len(cases) > PAGE else None
    values = {
        "staff": found.staff,
        "show": show,
        "shown": SHOWN,
        "counts": {name: "99+" if n >= MAX_COUNT else str(n) for name, n in counts.items()},
        "products": [(code, word("product", code, found.browser.lang)) for code in PRODUCTS],
        "product": found.browser.asked("product"),
        "customer": found.browser.asked("customer")[:MAX_FILTER],
        "cases": [_row(case, found) for case in shown],
        "next": place_of(last.closed_at or last.due_at, last.case_id) if last else None,
        "is_later": after is not None,
    }
    return Page("queue.html", values, message.status if message else 200, message=message)


def _row(case: Case, found: Visit) -> dict[str, object]:
    """A case as lists show it."""
    lang, now = found.browser.lang, found.now
    state = case.state
    if state == "assigned" and case.assignee(now) is None:
        state = "open"
    return {
        "case": case,
        "state": state,
        "state_word": word("outcome", case.outcome, lang)
        if case.outcome
        else word("state", state, lang),
        "product": word("product", case.product, lang),
        "reasons": [word("code", code, lang) for code in case.reason_codes],
        "who": case.assignee(now) or case.second_by or case.verdict_by,
        "due": shown_time(case.due_at, lang),
        "left": shown_span(case.due_at - now, lang),
        "overdue": case.is_overdue(now),
        "closed_at": shown_time(case.closed_at, lang) if case.closed_at else None,
        "opened_at": shown_time(case.opened_at, lang),
    }


async def show(context: Context, found: Visit, *, case_id: str) -> Outcome:
    """A case with its evidence and what may be done with it."""
    async with context.database.transaction() as session:
        file = await service.file_of(session, case_id=_id(case_id))
    ring = _neighbourhood(context, file.case)
    lang = found.browser.lang
    values = {
        **_row(file.case, found),
        "staff": found.staff,
        "decision": _decision(file, lang),
        "entries": _history(file, lang),
        "labels": [
            (word("label", one.label, lang), word("source", one.source, lang), one)
            for one in file.labels
        ],
        "past_decisions": [
            (past, word("decision", past.outcome, lang), shown_time(past.decided_at, lang))
            for past in file.past_decisions
        ],
        "label_word": lambda code: word("label", code, lang),
        "past_cases": [_row(case, found) for case in file.past_cases],
        "ring": drawn(ring) if ring else None,
        "node_word": lambda kind: word("node", kind, lang),
        "review_until": shown_time(file.case.review_until, lang)
        if file.case.review_until
        else None,
        "form": found.browser.form or {},
        **_what_to_do(file.case, found),
        **applications.shown(file, lang),
    }
    message = found.message
    return Page("case.html", values, message.status if message else 200, message=message)


def _neighbourhood(context: Context, case: Case) -> Neighbourhood | None:
    """Who shares what with the customer, as this process knows it."""
    rings: Rings | None = context.resources.get("rings")
    if rings is None:
        return None
    return neighbourhood(rings, case.customer_id, now_ms=in_ms(context.clock()))


def _decision(file: CaseFile, lang: Lang) -> dict[str, object] | None:
    """The decision's record, its features with their meaning."""
    record = file.decision
    if record is None:
        return None
    meanings = {one.name: one.zh if lang == "zh" else one.en for one in FEATURES}
    order = {name: place for place, name in enumerate(meanings)}
    features = sorted(record.features.items(), key=lambda one: order.get(one[0], len(order)))
    return {
        "record": record,
        "outcome": word("decision", record.outcome, lang),
        "at": shown_time(record.decided_at, lang),
        "reasons": [
            (one.code, one.text.zh if lang == "zh" else one.text.en) for one in record.reasons
        ],
        "degraded": [word("code", code, lang) for code in record.degraded],
        "features": [
            (name, meanings.get(name, name), None if value is None else f"{value:,.3f}")
            for name, value in features
        ],
    }


def _history(file: CaseFile, lang: Lang) -> list[dict[str, object]]:
    """What happened, oldest first."""
    case = file.case
    opened = {"at": shown_time(case.opened_at, lang), "what": word("entry", "opened", lang)}
    lines: list[dict[str, object]] = [opened | {"by": None, "text": "", "code": None}]
    for entry in file.entries:
        code = word("code", entry.code, lang) if entry.code else None
        lines.append(
            {
                "at": shown_time(entry.at, lang),
                "what": word("entry", entry.kind, lang),
                "by": entry.by,
                "text": entry.text,
                "code": code,
            }
        )
    return lines


def _what_to_do(case: Case, found: Visit) -> dict[str, object]:
    """Which forms the page has for this member of staff, as the case stands."""
    holder = case.assignee(found.now)
    lang = found.browser.lang
    is_reviewer = found.staff.has("reviewer")
    is_waiting = case.state in {"open", "assigned"}
    until = case.assigned_until if holder else None
    return {
        "is_reviewer": is_reviewer,
        "can_take": is_reviewer and is_waiting and holder is None,
        "is_mine": holder == found.staff.staff_id,
        "holder": holder,
        "holder_until": shown_time(until, lang) if until else None,
        "is_second": is_reviewer
        and case.state == "awaiting_second"
        and case.verdict_by != found.staff.staff_id,
        "verdict_word": word("decision", case.verdict, lang) if case.verdict else None,
        "verdict_reason": word("code", case.verdict_code, lang) if case.verdict_code else None,
        "second_for": [v for v in ("approve", "decline") if domain.needs_second(case, v)],
        "verdicts": [
            (
                verdict,
                [(c, word("code", c, lang)) for c, (v, _) in VERDICT_CODES.items() if v == verdict],
            )
            for verdict in ("approve", "decline")
        ],
    }


async def take(context: Context, found: Visit, *, case_id: str) -> Outcome:
    async def act(case: UUID, staff_id: str, now: datetime) -> str:
        async with context.database.transaction() as session:
            await service.take(session, case_id=case, staff_id=staff_id, now=now)
        return "taken"

    return await _act(context, found, case_id, act)


async def give_back(context: Context, found: Visit, *, case_id: str) -> Outcome:
    async def act(case: UUID, staff_id: str, now: datetime) -> str:
        async with context.database.transaction() as session:
            await service.give_back(session, case_id=case, staff_id=staff_id, now=now)
        return "given_back"

    return await _act(context, found, case_id, act)


async def note(context: Context, found: Visit, *, case_id: str) -> Outcome:
    async def act(case: UUID, staff_id: str, now: datetime) -> str:
        text = _note(found, needed=True)
        async with context.database.transaction() as session:
            await service.note(session, case_id=case, text=text, staff_id=staff_id, now=now)
        return "noted"

    return await _act(context, found, case_id, act)


async def judge(context: Context, found: Visit, *, case_id: str) -> Outcome:
    """The verdict is the one that the chosen reason belongs to."""

    async def act(case: UUID, staff_id: str, now: datetime) -> str:
        code = found.browser.field("reason_code")
        if code not in VERDICT_CODES:
            raise domain.VerdictCodeUnfit
        text = _note(found, needed=False)
        async with context.database.transaction() as session:
            after = await service.judge(
                session,
                case_id=case,
                verdict=VERDICT_CODES[code][0],
                code=code,
                text=text,
                staff_id=staff_id,
                now=now,
                limit_minor=applications.limit_of(found.browser.field("limit")),
            )
        context.published()
        return "needs_second" if after.state == "awaiting_second" else "judged"

    return await _act(context, found, case_id, act)


async def second(context: Context, found: Visit, *, case_id: str) -> Outcome:
    async def act(case: UUID, staff_id: str, now: datetime) -> str:
        said = found.browser.field("word")
        if said not in {"agree", "disagree"}:
            raise domain.VerdictCodeUnfit
        text = _note(found, needed=said == "disagree")
        async with context.database.transaction() as session:
            await service.second(
                session,
                case_id=case,
                agrees=said == "agree",
                text=text,
                staff_id=staff_id,
                now=now,
            )
        context.published()
        return "second_agreed_done" if said == "agree" else "second_refused_done"

    return await _act(context, found, case_id, act)


class NoteMissing(InvalidRequest):
    code, title = "note_missing", "A note has to say something"


class NoteTooLong(InvalidRequest):
    code, title = "note_too_long", "A note is bounded"


def _note(found: Visit, *, needed: bool) -> str:
    text = found.browser.field("note")
    if needed and not text:
        raise NoteMissing(field="note", expected="a text")
    if len(text) > MAX_NOTE:
        raise NoteTooLong(field="note", expected=f"at most {MAX_NOTE} characters")
    return text


async def _act(context: Context, found: Visit, case_id: str, act: Act) -> Outcome:
    """Do it and show the case anew; what is refused is told on the case as it stands now, with
    what was written still in the form.
    """
    case = _id(case_id)
    try:
        done = await act(case, found.staff.staff_id, found.now)
    except Unavailable:
        raise
    except CaseNotFound:
        raise
    except BankError as error:
        told = Visit(found.browser, found.staff, found.now, Message(error.code, error.status))
        return await show(context, told, case_id=case_id)
    return Redirect(with_note(f"{HOME}/{case}", done))


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise CaseNotFound from error
