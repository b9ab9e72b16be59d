"""HTTP routes of the registry, for staff: operators write, another one or a reviewer promotes."""

from collections.abc import Awaitable, Callable
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query

from services.risk.policies.back_tests.service import back_tests_of
from services.risk.policies.domain import PRODUCTS
from services.risk.registry import flows, service
from services.risk.registry.active import models_of
from services.risk.registry.evaluations import repository as evaluation_rows
from services.risk.registry.evaluations import service as evaluations
from services.risk.registry.service import Act
from shared.contracts.http import risk_models as contract
from shared.contracts.http.risk_models import Label
from shared.contracts.http.risk_policies import Product, Why
from shared.kit.app import Context, Ctx
from shared.kit.auth import Caller, allow
from shared.kit.idempotency import IdempotencyKey, once_in

Operator = Annotated[Caller, Depends(allow(roles=("operator",)))]
Approver = Annotated[Caller, Depends(allow(roles=("operator", "reviewer")))]
Viewer = Annotated[Caller, Depends(allow(roles=("operator", "reviewer")))]
LabelPath = Annotated[Label, Path()]
PageSize = Annotated[int, Query(ge=1, le=200)]

router = APIRouter(prefix="/v1", tags=["models"])


@router.get("/models")
async def list_models(
    context: Ctx,
    _: Viewer,
    product: Product | None = None,
    before: Annotated[Label | None, Query()] = None,
    limit: PageSize = 50,
) -> contract.Models:
    """Registered models, the newest first."""
    async with context.database.transaction() as session:
        return await service.listed(
            session, product=product, before=before, limit=limit, now=context.clock()
        )


@router.post("/models", status_code=201)
async def register_model(
    body: contract.RegisterModel, context: Ctx, caller: Operator, key: IdempotencyKey
) -> contract.Model:
    """Register a model: it runs apart first, and is a candidate after that."""
    return await flows.register(context, body=body, caller=caller, key=key)


@router.get("/models-in-use")
async def models_in_use(context: Ctx, _: Viewer) -> contract.ScoringModels:
    """What scores in the process that answers: another one than the champion only flagged."""
    async with context.database.transaction() as session:
        return await flows.in_use(session, models=models_of(context), products=PRODUCTS)


@router.get("/models/{product}/changes")
async def list_model_changes(
    product: Product,
    context: Ctx,
    _: Viewer,
    before: Annotated[int | None, Query(ge=1, le=2**63 - 1)] = None,
    limit: PageSize = 50,
) -> contract.ModelChanges:
    """What was done with a product's models, by whom and why; the newest first."""
    async with context.database.transaction() as session:
        return await service.history(session, product=product, before=before, limit=limit)


@router.post("/models/{product}/rollback")
async def roll_back_model(
    product: Product, body: Why, context: Ctx, caller: Operator, key: IdempotencyKey
) -> contract.ModelChange:
    """Put the champion before the present one back; it scores on every replica within seconds."""
    return await once_in(
        context,
        scope=f"{caller.staff_id} roll back model {product}",
        key=key,
        body=body,
        reply=contract.ModelChange,
        act=lambda session: service.roll_back(
            session, product=product, reason=body.reason, caller=caller, now=context.clock()
        ),
    )


@router.get("/models/{product}/{label}")
async def read_model_detail(
    product: Product, label: LabelPath, context: Ctx, _: Viewer
) -> contract.ModelDetail:
    """A model with what its manifest says, and what running it has shown."""
    async with context.database.transaction() as session:
        return await service.read(session, product=product, label=label, now=context.clock())


async def _step(
    context: Context,
    act: Act,
    step: tuple[str, Callable[..., Awaitable[contract.Model]]],
    *,
    body: Why,
    key: str,
) -> contract.Model:
    """A step of a model on its way, by its name and what takes it, done once by its key."""
    name, take = step
    return await once_in(
        context,
        scope=f"{act.caller.staff_id} {name} {act.label}",
        key=key,
        body=body,
        reply=contract.Model,
        act=lambda session: take(session, act=act),
    )


@router.post("/models/{product}/{label}/challenge")
async def challenge_with_model(
    product: Product,
    label: LabelPath,
    body: Why,
    context: Ctx,
    caller: Operator,
    key: IdempotencyKey,
) -> contract.Model:
    """Let a candidate score beside the champion: in its shadow, without any effect."""
    act = Act(product, label, body.reason, caller, context.clock())
    return await _step(context, act, ("challenge", service.challenge), body=body, key=key)


@router.post("/models/{product}/{label}/withdrawal")
async def withdraw_model(
    product: Product,
    label: LabelPath,
    body: Why,
    context: Ctx,
    caller: Operator,
    key: IdempotencyKey,
) -> contract.Model:
    """A challenger scores no more."""
    act = Act(product, label, body.reason, caller, context.clock())
    return await _step(context, act, ("withdraw", service.withdraw), body=body, key=key)


@router.post("/models/{product}/{label}/retirement")
async def retire_model(
    product: Product,
    label: LabelPath,
    body: Why,
    context: Ctx,
    caller: Operator,
    key: IdempotencyKey,
) -> contract.Model:
    """A candidate or challenger that will not come to anything."""
    act = Act(product, label, body.reason, caller, context.clock())
    return await _step(context, act, ("retire", service.retire), body=body, key=key)


@router.post("/models/{product}/{label}/proposal")
async def propose_model(
    product: Product,
    label: LabelPath,
    body: Why,
    context: Ctx,
    caller: Operator,
    key: IdempotencyKey,
) -> contract.Model:
    """Ask another person to promote a model that was evaluated and fails no gate."""
    act = Act(product, label, body.reason, caller, context.clock())
    return await _step(context, act, ("propose", service.propose), body=body, key=key)


@router.post("/models/{product}/{label}/rejection")
async def reject_model(
    product: Product,
    label: LabelPath,
    body: Why,
    context: Ctx,
    caller: Approver,
    key: IdempotencyKey,
) -> contract.Model:
    """Refuse a proposal; the model stays what it was."""
    act = Act(product, label, body.reason, caller, context.clock())
    return await _step(context, act, ("reject", service.reject), body=body, key=key)


@router.post("/models/{product}/{label}/promotion")
async def promote_model(
    product: Product,
    label: LabelPath,
    body: contract.Promote,
    context: Ctx,
    caller: Approver,
    key: IdempotencyKey,
) -> contract.ModelChange:
    """Put a proposed model in the champion's place: every replica scores by it within seconds."""
    act = Act(product, label, body.reason, caller, context.clock())
    return await once_in(
        context,
        scope=f"{caller.staff_id} promote {label}",
        key=key,
        body=body,
        reply=contract.ModelChange,
        act=lambda session: service.promote(session, act=act, waived=body.waive),
    )


@router.post("/models/{product}/{label}/evaluation", status_code=202)
async def evaluate_model(
    product: Product,
    label: LabelPath,
    body: contract.AskEvaluation,
    context: Ctx,
    caller: Operator,
) -> contract.Evaluation:
    """Score and rule kept decisions by a model, in the background; ask for it by its id."""
    return await flows.evaluate(
        context,
        product=product,
        label=label,
        body=body,
        caller=caller,
        running=back_tests_of(context),
    )


@router.get("/models/{product}/{label}/evaluations")
async def list_evaluations(
    product: Product, label: LabelPath, context: Ctx, _: Viewer, limit: PageSize = 20
) -> contract.Evaluations:
    """A model's evaluations, the newest first."""
    async with context.database.transaction() as session:
        await service.found(session, product=product, label=label)
        rows = await evaluation_rows.page(session, label, limit=limit)
    return contract.Evaluations(items=[evaluations.told(row, now=context.clock()) for row in rows])


@router.get("/model-evaluations/{evaluation_id}")
async def read_evaluation(evaluation_id: UUID, context: Ctx, _: Viewer) -> contract.Evaluation:
    """How far an evaluation is; its gates, figures and swap-set once it is done."""
    async with context.database.transaction() as session:
        return await evaluations.read(session, evaluation_id=evaluation_id, now=context.clock())
