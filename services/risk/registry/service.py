"""Use cases of the registry: register, challenge, propose, promote, roll back. A transaction each.

Whoever registered or proposed a model does not promote it, and none is promoted that fails a gate.
A gate that could not be measured is done without only where the one who promotes names it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.risk.policies.domain import Product
from services.risk.policies.service import FourEyes
from services.risk.registry import repository
from services.risk.registry.contents import Content, described, inputs_of, written
from services.risk.registry.domain import (
    EVALUATION_AGE,
    MAX_CHALLENGERS,
    MAX_VALIDITY,
    Action,
    is_valid,
    refused_by,
)
from services.risk.registry.evaluations import repository as evaluations
from services.risk.registry.repository import ChangeRow, ModelRow
from services.risk.registry.views import change_of, reply_of
from services.risk.scoring import ModelRefused
from services.risk.watch import references
from services.risk.watch.references import ReferenceRefused
from shared.contracts.events.audit import StaffActed
from shared.contracts.http import risk_models as contract
from shared.kit import outbox
from shared.kit.auth import Caller
from shared.kit.database import Session
from shared.kit.problems import BankError, InvalidRequest

SOURCE = "risk"


class ModelNotFound(BankError):
    status, code, title = 404, "model_not_found", "There is no such model"


class ModelExists(BankError):
    status, code, title = 409, "model_exists", "Another model has this name and version"


class ModelState(BankError):
    status, code, title = 409, "model_state", "The model's state does not allow this"


class ModelNotValid(BankError):
    status, code, title = 409, "model_not_valid", "The model is not valid now"


class TooManyChallengers(BankError):
    status, code, title = 409, "too_many_challengers", "No more challengers may score at once"


class GatesClosed(BankError):
    status, code, title = 422, "gates_closed", "The model does not pass its gates"


class NotEvaluated(BankError):
    status, code = 409, "model_not_evaluated"
    title = "The model was not evaluated lately against what decides now"


class NoModelBefore(BankError):
    status, code, title = 409, "no_model_before", "No model was champion before this one"


class UnsoundModel(InvalidRequest):
    code, title = "model_refused", "The model may not be used"


@dataclass(frozen=True, slots=True)
class Act:
    """A step of a model: who takes it, when and why."""

    product: Product
    label: str
    reason: str
    caller: Caller
    now: datetime


def content_of(body: contract.RegisterModel, *, now: datetime) -> Content:
    """The bytes of a request whose manifest can be read. Raises InvalidRequest, UnsoundModel."""
    if body.onnx is not None and len(body.onnx) > contract.MAX_ONNX_BYTES:
        raise InvalidRequest(field="onnx", expected=f"at most {contract.MAX_ONNX_BYTES} bytes")
    _check_validity(body, now=now)
    content = Content(written(body.manifest), body.onnx)
    try:
        says = described(content)
    except ModelRefused as error:
        raise UnsoundModel(field="manifest", expected=_words(error)) from None
    if says.product != body.product:
        raise InvalidRequest(field="manifest.product", expected=f"the product {body.product}")
    if body.reference is not None:
        try:
            found = references.read(written(body.reference))
        except ReferenceRefused as error:
            raise UnsoundModel(field="reference", expected=_words(error)) from None
        if found.model_sha256 != content.sha256.hex():
            raise UnsoundModel(field="reference", expected="the reference of this model")
    return content


async def register(
    session: Session,
    *,
    body: contract.RegisterModel,
    content: Content,
    checks: dict[str, Any],
    caller: Caller,
    now: datetime,
) -> contract.Model:
    """Take in a model that ran apart without harm: it is a candidate. Raises ModelExists."""
    label = described(content).label
    if len(label) > 80:
        raise InvalidRequest(field="manifest.name", expected="name and version of 80 characters")
    await repository.lock(session, body.product)
    row = ModelRow(
        label=label,
        product=body.product,
        kind=content.kind,
        sha256=content.sha256,
        checks=checks,
        owner=body.owner,
        note=body.note,
        valid_from=body.valid_from or now,
        valid_until=body.valid_until,
        state="candidate",
        registered_by=staff_of(caller),
        registered_at=now,
    )
    reference = None if body.reference is None else written(body.reference)
    if not await repository.insert_model(session, row, content=content, reference=reference):
        raise ModelExists(field="manifest.version", expected="a version that is not registered")
    await _note(session, row, Act(body.product, label, body.note, caller, now), "register")
    return reply_of(row, now=now)


async def challenge(session: Session, *, act: Act) -> contract.Model:
    """Let a candidate score in the champion's shadow. Raises TooManyChallengers."""
    row = await _locked(session, act, "candidate")
    _check_valid(row, act.now)
    there = await repository.of_product(session, act.product, state="challenger")
    if len(there) >= MAX_CHALLENGERS:
        raise TooManyChallengers(f"{MAX_CHALLENGERS} challengers of {act.product} score already")
    return await _stepped(session, row, act, "challenge", state="challenger")


async def withdraw(session: Session, *, act: Act) -> contract.Model:
    """A challenger scores no more; it is a candidate again."""
    row = await _locked(session, act, "challenger")
    return await _stepped(session, row, act, "withdraw", state="candidate")


async def retire(session: Session, *, act: Act) -> contract.Model:
    """A candidate or challenger that will not come to anything."""
    row = await _locked(session, act, "candidate", "challenger")
    return await _stepped(session, row, act, "retire", state="retired")


async def propose(session: Session, *, act: Act) -> contract.Model:
    """Ask a second person to promote a model whose gates show no failure.

    Raises NotEvaluated, GatesClosed, ModelNotValid, ModelState.
    """
    row = await _locked(session, act, "candidate", "challenger")
    if row.proposed_by is not None:
        raise ModelState(f"{row.label} is proposed already")
    _check_valid(row, act.now)
    await _check_gates(session, row, now=act.now, waived=None)
    return await _stepped(
        session, row, act, "propose", proposed_by=staff_of(act.caller), proposed_at=act.now
    )


async def reject(session: Session, *, act: Act) -> contract.Model:
    """Refuse a proposal; the model stays what it was. Its proposer may take it back so, too."""
    row = await _locked(session, act, "candidate", "challenger")
    _check_proposed(row)
    return await _stepped(session, row, act, "reject", proposed_by=None, proposed_at=None)


async def promote(session: Session, *, act: Act, waived: Sequence[str]) -> contract.ModelChange:
    """Another person puts a proposed model in the champion's place.

    Raises FourEyes, GatesClosed, NotEvaluated, ModelNotValid, ModelState.
    """
    row = await _locked(session, act, "candidate", "challenger")
    _check_proposed(row)
    if staff_of(act.caller) in {row.proposed_by, row.registered_by}:
        raise FourEyes("Whoever registered or proposed a model does not promote it")
    _check_valid(row, act.now)
    needed = await _check_gates(session, row, now=act.now, waived=waived)
    before = await _champion(session, act.product)
    if before is not None:
        await repository.update_model(session, before, state="retired")
    await repository.update_model(
        session, row, state="champion", promoted_by=staff_of(act.caller), promoted_at=act.now
    )
    previous = None if before is None else before.label
    change = await _note(session, row, act, "promote", previous=previous, waived=needed)
    return change_of(change)


async def roll_back(
    session: Session, *, product: Product, reason: str, caller: Caller, now: datetime
) -> contract.ModelChange:
    """Put the champion before the present one back, in one call.

    Twice is two champions back, not to and fro. Raises NoModelBefore, ModelNotValid.
    """
    await repository.lock(session, product)
    present = await _champion(session, product)
    row = None if present is None else await _before(session, present)
    if present is None or row is None:
        raise NoModelBefore(f"No model of {product} was champion before")
    _check_valid(row, now)
    await repository.update_model(session, present, state="retired")
    await repository.update_model(session, row, state="champion")
    act = Act(product, row.label, reason, caller, now)
    return change_of(await _note(session, row, act, "roll_back", previous=present.label))


async def listed(
    session: Session, *, product: str | None, before: str | None, limit: int, now: datetime
) -> contract.Models:
    """Registered models, the newest first."""
    rows = await repository.page(session, product=product, before=before, limit=limit)
    return contract.Models(items=[reply_of(row, now=now) for row in rows])


async def read(
    session: Session, *, product: Product, label: str, now: datetime
) -> contract.ModelDetail:
    """Raises ModelNotFound."""
    row = await found(session, product=product, label=label)
    content = await repository.content(session, label)
    known = reply_of(row, now=now).model_dump()
    try:
        if content is None:
            raise ModelRefused("there is no such model")
        says = described(content)
    except ModelRefused as error:  # its bytes were altered, which is worth seeing
        told = {"refused": str(error)}
        return contract.ModelDetail(
            **known, inputs=[], trained_on="", data=None, metrics={}, checks=told
        )
    data = None if says.data is None else contract.TrainedOn(**says.data.model_dump())
    return contract.ModelDetail(
        **known,
        inputs=inputs_of(says),
        trained_on=says.trained_on,
        data=data,
        metrics=says.metrics,
        checks=dict(row.checks),
    )


async def history(
    session: Session, *, product: Product, before: int | None, limit: int
) -> contract.ModelChanges:
    """What was done with a product's models, the newest first."""
    rows = await repository.changes_page(session, product=product, before=before, limit=limit)
    return contract.ModelChanges(items=[change_of(row) for row in rows])


async def found(session: Session, *, product: Product, label: str) -> ModelRow:
    """Raises ModelNotFound."""
    row = await repository.model(session, label)
    if row is None or row.product != product:
        raise ModelNotFound(f"There is no model {label} of {product}")
    return row


async def _locked(session: Session, act: Act, *states: str) -> ModelRow:
    await repository.lock(session, act.product)
    row = await found(session, product=act.product, label=act.label)
    if row.state not in states:
        expected = f"a {' or '.join(states)}"
        raise ModelState(f"{row.label} is {row.state}", field="label", expected=expected)
    return row


async def _before(session: Session, champion: ModelRow) -> ModelRow | None:
    """Whom the champion followed when it was promoted."""
    came = await repository.last_change(
        session, product=champion.product, actions=("seed", "promote"), label=champion.label
    )
    if came is None or came.previous is None:
        return None
    return await repository.model(session, came.previous)


async def _champion(session: Session, product: str) -> ModelRow | None:
    rows = await repository.of_product(session, product, state="champion")
    return rows[0] if rows else None


async def _check_gates(
    session: Session, row: ModelRow, *, now: datetime, waived: Sequence[str] | None
) -> list[str]:
    """The gates that were waived and had to be. `waived` None: what is unmeasured is left open."""
    last = await evaluations.last_done(session, row.label)
    champion = await _champion(session, row.product)
    against = None if champion is None else champion.label
    if last is None or last.asked_at + EVALUATION_AGE < now or last.against != against:
        days = EVALUATION_AGE.days
        raise NotEvaluated(
            field="label", expected=f"an evaluation of the last {days} days against {against}"
        )
    gates = last.gates or []
    every = [str(gate["name"]) for gate in gates]
    refused = refused_by(gates, waived=every if waived is None else waived)
    if refused:
        words = [f"{name} failed" for name in refused.failed]
        words += [f"{name} was not measured" for name in refused.unmeasured]
        raise GatesClosed(field="waive", expected="; ".join(words))
    return sorted({str(gate["name"]) for gate in gates if gate["state"] == "unmeasured"})


def _check_validity(body: contract.RegisterModel, *, now: datetime) -> None:
    for field in ("valid_from", "valid_until"):
        at = getattr(body, field)
        if at is not None and at.tzinfo is None:
            raise InvalidRequest(field=field, expected="a time with its offset from UTC")
    begins = body.valid_from or now
    if not max(begins, now) < body.valid_until <= begins + MAX_VALIDITY:
        raise InvalidRequest(
            field="valid_until", expected=f"a time ahead, at most {MAX_VALIDITY.days} days of use"
        )


def _check_valid(row: ModelRow, now: datetime) -> None:
    if not is_valid(row.valid_from, row.valid_until, now=now):
        raise ModelNotValid(f"{row.label} is not valid now", field="label", expected="a valid one")


def _check_proposed(row: ModelRow) -> None:
    if row.proposed_by is None:
        raise ModelState(f"{row.label} is not proposed", field="label", expected="a proposed one")


async def _stepped(
    session: Session, row: ModelRow, act: Act, action: Action, **values: Any
) -> contract.Model:
    row = await repository.update_model(session, row, **values)
    await _note(session, row, act, action)
    return reply_of(row, now=act.now)


async def _note(
    session: Session,
    row: ModelRow,
    act: Act,
    action: Action,
    *,
    previous: str | None = None,
    waived: Sequence[str] = (),
) -> ChangeRow:
    """The step in the history and in the audit log."""
    change = ChangeRow(
        row.product,
        row.label,
        action,
        previous,
        staff_of(act.caller),
        act.reason,
        act.now,
        waived,
    )
    made = await repository.insert_change(session, change)
    event = StaffActed(
        service=SOURCE,
        staff_id=staff_of(act.caller),
        action=f"model.{action}",
        subject=row.label,
        reason=act.reason,
        at=act.now,
    )
    await outbox.add(session, source=SOURCE, now=act.now, events=[event])
    return made


def staff_of(caller: Caller) -> str:
    return caller.staff_id or caller.service


def _words(error: Exception) -> str:
    return str(error)[:300]
