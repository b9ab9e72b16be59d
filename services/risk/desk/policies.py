"""The pages of policies: what is in force, a version with its thresholds, and its way there."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final, get_args
from urllib.parse import urlencode
from uuid import UUID

from pydantic import ValidationError

from services.risk.desk.domain import Message, Outcome, Page, Redirect, Visit, shown_time
from services.risk.desk.texts import word
from services.risk.policies import service
from services.risk.policies.active import policies_of
from services.risk.policies.back_tests import service as back_tests
from services.risk.policies.service import Act, PolicyVersionNotFound
from shared.contracts.http import risk_policies as contract
from shared.contracts.http.risk_policies import Product
from shared.kit.app import Context
from shared.kit.auth import Caller
from shared.kit.database import Session
from shared.kit.problems import BankError, InvalidRequest, Unavailable

PRODUCTS: Final[tuple[Product, ...]] = get_args(Product)
LISTED: Final = 50
BACK_TEST_SPAN: Final = timedelta(days=30)
#: How a form names the field of a threshold.
FIELD: Final = "threshold."
MAX_REASON: Final = 140


class NothingChanged(InvalidRequest):
    code, title = "nothing_changed", "No threshold was changed"


async def overview(context: Context, found: Visit) -> Outcome:
    """What is in force for a product, its versions and its history."""
    wanted = found.browser.asked("product")
    product = next((one for one in PRODUCTS if one == wanted), PRODUCTS[0])
    lang = found.browser.lang
    async with context.database.transaction() as session:
        in_force = await service.in_force(session, policies=policies_of(context))
        versions = await service.versions(session, product=product, before=None, limit=LISTED)
        history = await service.history(session, product=product, before=None, limit=LISTED)
    values = {
        "staff": found.staff,
        "product": product,
        "products": [(one, word("product", one, lang)) for one in PRODUCTS],
        "active": [
            (one, shown_time(one.activated_at, lang))
            for one in in_force.items
            if one.product == product
        ],
        "versions": [
            (one, word("version", one.state, lang), shown_time(one.drafted_at, lang))
            for one in versions.items
        ],
        "history": [
            (one, word("activation", one.action, lang), shown_time(one.activated_at, lang))
            for one in history.items
        ],
        "can_write": found.staff.has("operator"),
    }
    return Page("policies.html", values, message=found.message)


async def show(
    context: Context,
    found: Visit,
    *,
    product: str,
    version: str,
    report: contract.TestReport | None = None,
) -> Outcome:
    """A version: thresholds, tests, back-test, and what may be done with it next."""
    lang, staff = found.browser.lang, found.staff
    async with context.database.transaction() as session:
        policy = await service.read_version(session, product=_product(product), version=version)
        tried = await _back_test_asked_for(session, found)
    is_author = policy.author == staff.staff_id
    values = {
        "staff": staff,
        "policy": policy,
        "path": f"/desk/policies/{policy.product}/{policy.version}",
        "product": word("product", policy.product, lang),
        "state_word": word("version", policy.state, lang),
        "drafted_at": shown_time(policy.drafted_at, lang),
        "thresholds": [
            (name, (found.browser.form or {}).get(FIELD + name, value))
            for name, value in sorted(policy.thresholds.items())
        ],
        "field": FIELD,
        "report": report,
        "tried": tried,
        "outcome_word": lambda code: word("decision", code, lang),
        "form": found.browser.form or {},
        "can_draft": staff.has("operator") and policy.state == "active",
        "can_propose": staff.has("operator") and is_author and policy.state == "draft",
        "can_approve": not is_author and policy.state == "proposed",
        "waits": is_author and policy.state == "proposed",
        "can_activate": staff.has("operator") and policy.state == "approved",
        "can_back_test": staff.has("operator"),
    }
    message = found.message
    return Page("version.html", values, message.status if message else 200, message=message)


async def _back_test_asked_for(session: Session, found: Visit) -> contract.BackTest | None:
    try:
        asked = UUID(found.browser.asked("back_test"))
    except ValueError:
        return None
    return await back_tests.read(session, back_test_id=asked, now=found.now)


async def run_tests(context: Context, found: Visit, *, product: str, version: str) -> Outcome:
    """Run a version's tests and show the version with what came of them."""
    async with context.database.transaction() as session:
        row = await service.found(session, product=_product(product), version=version)
    report = await service.tested(row)
    return await show(context, found, product=product, version=version, report=report)


async def draft(context: Context, found: Visit, *, product: str, version: str) -> Outcome:
    """A draft of the version in force, with those thresholds that the form changed."""

    async def act(session: Session) -> str:
        policy = await service.read_version(session, product=_product(product), version=version)
        given = {
            name: found.browser.field(FIELD + name)
            for name in policy.thresholds
            if found.browser.form and FIELD + name in found.browser.form
        }
        changed = {
            name: _threshold(text)
            for name, text in given.items()
            if text != policy.thresholds[name]
        }
        if not changed:
            raise NothingChanged(field="thresholds", expected="another value")
        body = _written(found, changed)
        made = await service.draft(
            session, product=policy.product, body=body, caller=_caller(found), now=found.now
        )
        return _place(product, made.version, "drafted")

    return await _act(context, found, act, product=product, version=version)


def _written(found: Visit, changed: dict[str, Any]) -> contract.WritePolicy:
    try:
        return contract.WritePolicy(note=found.browser.field("reason"), thresholds=changed)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise InvalidRequest(field=field, expected=str(first["msg"])) from None


def _threshold(text: str) -> int | float | str:
    """A number, or the name of the fact that it is taken from."""
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return text


async def propose(context: Context, found: Visit, *, product: str, version: str) -> Outcome:
    return await _step(context, found, product, version, service.propose, "proposed_done")


async def approve(context: Context, found: Visit, *, product: str, version: str) -> Outcome:
    return await _step(context, found, product, version, service.approve, "approved_done")


async def reject(context: Context, found: Visit, *, product: str, version: str) -> Outcome:
    return await _step(context, found, product, version, service.reject, "rejected_done")


async def activate(context: Context, found: Visit, *, product: str, version: str) -> Outcome:
    return await _step(context, found, product, version, service.activate, "activated")


async def roll_back(context: Context, found: Visit, *, product: str, version: str) -> Outcome:
    """One click: the version before the present one is in force again."""

    async def act(session: Session) -> str:
        made = await service.roll_back(
            session,
            product=_product(product),
            reason=_reason(found),
            caller=_caller(found),
            now=found.now,
        )
        return _place(product, made.version, "rolled_back")

    return await _act(context, found, act, product=product, version=version)


async def back_test(context: Context, found: Visit, *, product: str, version: str) -> Outcome:
    """Start one over the last 30 days; the page it leads to shows how far it is."""
    running = back_tests.back_tests_of(context)
    body = contract.AskBackTest(since=found.now - BACK_TEST_SPAN, until=found.now)
    started: list[Callable[[], None]] = []

    async def act(session: Session) -> str:
        row, before, after = await back_tests.ask(
            session,
            running=running,
            product=_product(product),
            version=version,
            body=body,
            caller=_caller(found),
            now=found.now,
        )
        started.append(lambda: running.start(context, row, before, after))
        return _place(product, version, "back_testing", back_test=str(row.back_test_id))

    outcome = await _act(context, found, act, product=product, version=version)
    for start in started:  # after the commit, so that it finds its own row
        start()
    return outcome


async def _step(
    context: Context,
    found: Visit,
    product: str,
    version: str,
    step: Callable[..., Awaitable[object]],
    note: str,
) -> Outcome:
    async def act(session: Session) -> str:
        taken = Act(_product(product), version, _reason(found), _caller(found), found.now)
        await step(session, act=taken)
        return _place(product, version, note)

    return await _act(context, found, act, product=product, version=version)


async def _act(
    context: Context,
    found: Visit,
    act: Callable[[Session], Awaitable[str]],
    *,
    product: str,
    version: str,
) -> Outcome:
    """Do it in one transaction; what is refused is told on the version as it stands now."""
    try:
        async with context.database.transaction() as session:
            place = await act(session)
    except (Unavailable, PolicyVersionNotFound):
        raise
    except BankError as error:
        detail = f"{error.field}: {error.expected}" if error.field else ""
        told = Message(error.code, error.status, detail=detail)
        again = Visit(found.browser, found.staff, found.now, told)
        return await show(context, again, product=product, version=version)
    context.published()
    return Redirect(place)


def _place(product: str, version: str, note: str, **more: str) -> str:
    return f"/desk/policies/{product}/{version}?{urlencode({'note': note} | more)}"


def _product(text: str) -> Product:
    if text not in PRODUCTS:
        raise PolicyVersionNotFound
    return text


def _reason(found: Visit) -> str:
    text = found.browser.field("reason")
    if not 0 < len(text) <= MAX_REASON:
        raise InvalidRequest(field="reason", expected=f"1 to {MAX_REASON} characters")
    return text


def _caller(found: Visit) -> Caller:
    return Caller(service="staff", staff_id=found.staff.staff_id, roles=found.staff.roles)
