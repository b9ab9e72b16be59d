"""The pages of models: who scores, a model with its papers and gates, and its way there."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, Final
from urllib.parse import urlencode

from services.risk.desk import reports
from services.risk.desk.domain import Message, Outcome, Page, Redirect, Visit, shown_time
from services.risk.desk.texts import Lang, word
from services.risk.policies.back_tests.service import back_tests_of
from services.risk.policies.domain import PRODUCTS, Product
from services.risk.registry import flows, service
from services.risk.registry.active import models_of
from services.risk.registry.domain import NEVER_WAIVED
from services.risk.registry.evaluations import repository as evaluation_rows
from services.risk.registry.evaluations import service as evaluations
from services.risk.registry.service import Act, ModelNotFound
from shared.contracts.http import risk_models as contract
from shared.kit.app import Context
from shared.kit.auth import Caller
from shared.kit.database import Session
from shared.kit.problems import BankError, InvalidRequest, Unavailable

HOME: Final = "/desk/models"
LISTED: Final = 50
EVALUATIONS: Final = 10
MAX_REASON: Final = 140
#: How a form names a gate to do without.
WAIVE: Final = "waive."

Step = Callable[..., Awaitable[object]]


async def overview(context: Context, found: Visit) -> Outcome:
    """What scores for a product, every model of it, and what was done with them."""
    lang, wanted = found.browser.lang, found.browser.asked("product")
    product = next((one for one in PRODUCTS if one == wanted), PRODUCTS[0])
    async with context.database.transaction() as session:
        scoring = await flows.in_use(session, models=models_of(context), products=[product])
        listed = await service.listed(
            session, product=product, before=None, limit=LISTED, now=found.now
        )
        history = await service.history(session, product=product, before=None, limit=LISTED)
    champion = next((one for one in listed.items if one.state == "champion"), None)
    values = {
        "staff": found.staff,
        "product": product,
        "products": [(one, word("product", one, lang)) for one in PRODUCTS],
        "scoring": scoring.items[0],
        "flags": [word("code", flag, lang) for flag in scoring.items[0].flags],
        "refused": {
            one.label: scoring.refused[one.label]
            for one in listed.items
            if one.label in scoring.refused
        },
        "champion": champion,
        "models": [_row(one, lang) for one in listed.items],
        "history": [
            (one, word("change", one.action, lang), shown_time(one.changed_at, lang),
             [word("gate", gate, lang) for gate in one.waived])
            for one in history.items
        ],
        "can_write": found.staff.has("operator"),
    }  # fmt: skip
    return Page("models.html", values, message=found.message)


def _row(one: contract.Model, lang: Lang) -> dict[str, Any]:
    return {
        "model": one,
        "state": word("model", one.state, lang),
        "kind": word("kind", one.kind, lang),
        "until": "" if one.valid_until is None else shown_time(one.valid_until, lang),
    }


async def show(context: Context, found: Visit, *, product: str, label: str) -> Outcome:
    """A model: papers, gates, evaluations, and what may be done with it next."""
    lang = found.browser.lang
    async with context.database.transaction() as session:
        detail = await service.read(session, product=_product(product), label=label, now=found.now)
        rows = await evaluation_rows.page(session, label, limit=EVALUATIONS)
        scored = await evaluation_rows.shadow_count(session, label)
    made = [evaluations.told(row, now=found.now) for row in rows]
    last = next((one for one in made if one.state == "done"), None)
    values = {
        "staff": found.staff,
        "model": detail,
        "path": f"{HOME}/{detail.product}/{label}",
        "product": word("product", detail.product, lang),
        "state": word("model", detail.state, lang),
        "kind": word("kind", detail.kind, lang),
        "valid_from": shown_time(detail.valid_from, lang),
        "valid_until": reports.when(detail.valid_until, lang),
        "registered_at": shown_time(detail.registered_at, lang),
        "gates": reports.gates(last, lang),
        "last": last,
        "evaluations": [(one, shown_time(one.asked_at, lang)) for one in made],
        "scored": scored,
        "waivable": _waivable(last, lang),
        **_allowed(detail, found, is_evaluated=last is not None),
    }
    status = found.message.status if found.message else 200
    return Page("model.html", values, status, message=found.message)


def _waivable(last: contract.Evaluation | None, lang: Lang) -> Sequence[tuple[str, str]]:
    """The gates that could not be measured and may be done without."""
    return [
        (f"{WAIVE}{gate.name}", word("gate", gate.name, lang))
        for gate in (last.gates if last else None) or []
        if gate.state == "unmeasured" and gate.name not in NEVER_WAIVED
    ]


def _allowed(model: contract.ModelDetail, found: Visit, *, is_evaluated: bool) -> dict[str, bool]:
    """What this member of staff may do now; whatever it says, the use cases check it again."""
    staff = found.staff
    waits = model.state in {"candidate", "challenger"}
    is_operator, is_proposed = staff.has("operator"), model.proposed_by is not None
    is_another = staff.staff_id not in {model.proposed_by, model.registered_by}
    return {
        "can_evaluate": is_operator and model.state != "retired",
        "can_challenge": is_operator and model.state == "candidate",
        "can_withdraw": is_operator and model.state == "challenger",
        "can_propose": is_operator and waits and not is_proposed and is_evaluated,
        "can_promote": waits and is_proposed and is_another,
        "can_reject": waits and is_proposed,
        "can_retire": is_operator and waits,
        "is_waiting": waits and is_proposed and not is_another,
    }


def stepping(step: Step, note: str) -> Callable[..., Awaitable[Outcome]]:
    """What a form of a model's page does: one step, told on the page that it leads to."""

    async def act(context: Context, found: Visit, *, product: str, label: str) -> Outcome:
        async def inside(session: Session) -> None:
            await step(session, act=_act_of(found, product, label))

        return await _done(context, found, inside, product=product, label=label, note=note)

    return act


async def promote(context: Context, found: Visit, *, product: str, label: str) -> Outcome:
    """Put it in the champion's place, without the gates that the form names."""
    form = found.browser.form or {}
    waived = [name.removeprefix(WAIVE) for name in form if name.startswith(WAIVE)]

    async def inside(session: Session) -> None:
        await service.promote(session, act=_act_of(found, product, label), waived=waived)

    return await _done(context, found, inside, product=product, label=label, note="promoted")


async def roll_back(context: Context, found: Visit, *, product: str, label: str) -> Outcome:
    """The champion before the present one is it again."""

    async def inside(session: Session) -> None:
        act = _act_of(found, product, label)
        await service.roll_back(
            session, product=act.product, reason=act.reason, caller=act.caller, now=act.now
        )

    note = "model_rolled_back"
    return await _done(context, found, inside, product=product, label=label, note=note)


async def evaluate(context: Context, found: Visit, *, product: str, label: str) -> Outcome:
    """Start an evaluation; its report shows how far it is."""
    try:
        made = await flows.evaluate(
            context,
            product=_product(product),
            label=label,
            body=contract.AskEvaluation(),
            caller=_caller(found),
            running=back_tests_of(context),
        )
    except (Unavailable, ModelNotFound):
        raise
    except BankError as error:
        return await _refused(context, found, error, product=product, label=label)
    return Redirect(f"{reports.HOME}/{made.evaluation_id}?{urlencode({'note': 'evaluating'})}")


async def _done(
    context: Context,
    found: Visit,
    inside: Callable[[Session], Awaitable[None]],
    *,
    product: str,
    label: str,
    note: str,
) -> Outcome:
    """Do it in one transaction; what is refused is told on the model as it stands now."""
    try:
        async with context.database.transaction() as session:
            await inside(session)
    except (Unavailable, ModelNotFound):
        raise
    except BankError as error:
        return await _refused(context, found, error, product=product, label=label)
    context.published()
    return Redirect(f"{HOME}/{product}/{label}?{urlencode({'note': note})}")


async def _refused(
    context: Context, found: Visit, error: BankError, *, product: str, label: str
) -> Outcome:
    detail = f"{error.field}: {error.expected}" if error.field else ""
    told = Message(error.code, error.status, detail=detail)
    return await show(context, replace(found, message=told), product=product, label=label)


def _act_of(found: Visit, product: str, label: str) -> Act:
    reason = found.browser.field("reason")
    if not 0 < len(reason) <= MAX_REASON:
        raise InvalidRequest(field="reason", expected=f"1 to {MAX_REASON} characters")
    return Act(_product(product), label, reason, _caller(found), found.now)


def _product(text: str) -> Product:
    for product in PRODUCTS:
        if product == text:
            return product
    raise ModelNotFound


def _caller(found: Visit) -> Caller:
    return Caller(service="staff", staff_id=found.staff.staff_id, roles=found.staff.roles)


#: What is done with a model, by the last part of the form's address, and who may.
ACTIONS: Final[dict[str, tuple[Callable[..., Awaitable[Outcome]], str]]] = {
    "evaluation": (evaluate, "operator"),
    "challenge": (stepping(service.challenge, "challenging"), "operator"),
    "withdrawal": (stepping(service.withdraw, "withdrawn"), "operator"),
    "proposal": (stepping(service.propose, "model_proposed"), "operator"),
    "rejection": (stepping(service.reject, "model_rejected"), ""),
    "retirement": (stepping(service.retire, "model_retired"), "operator"),
    "promotion": (promote, ""),
    "roll-back": (roll_back, "operator"),
}
