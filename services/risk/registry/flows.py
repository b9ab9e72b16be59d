"""The ways that take more than a transaction: a model runs apart, or over kept decisions."""

from collections.abc import Sequence

from services.risk.policies.back_tests.service import BackTests
from services.risk.policies.domain import Product
from services.risk.registry import repository, service
from services.risk.registry.active import ActiveModels
from services.risk.registry.evaluations import service as evaluations
from services.risk.registry.probe import probed
from services.risk.registry.service import UnsoundModel
from services.risk.scoring import ModelRefused
from shared.contracts.http import risk_models as contract
from shared.kit.app import Context
from shared.kit.auth import Caller
from shared.kit.database import Session
from shared.kit.idempotency import once_in


async def register(
    context: Context, *, body: contract.RegisterModel, caller: Caller, key: str
) -> contract.Model:
    """Run the model apart, then take it in. Raises UnsoundModel, ModelExists, InvalidRequest."""
    content = service.content_of(body, now=context.clock())
    try:
        checks = await probed(content)
    except ModelRefused as error:
        field = "onnx" if body.onnx is not None else "manifest"
        raise UnsoundModel(field=field, expected=str(error)[:300]) from None
    return await once_in(
        context,
        scope=f"{caller.staff_id} register model",
        key=key,
        body=body,
        reply=contract.Model,
        act=lambda session: service.register(
            session,
            body=body,
            content=content,
            checks=checks,
            caller=caller,
            now=context.clock(),
        ),
    )


async def evaluate(
    context: Context,
    *,
    product: Product,
    label: str,
    body: contract.AskEvaluation,
    caller: Caller,
    running: BackTests,
) -> contract.Evaluation:
    """Note an evaluation and start it: it finds its own row, which is committed by then."""
    async with context.database.transaction() as session:
        model = await service.found(session, product=product, label=label)
        ready = await evaluations.ask(
            session, running=running, model=model, body=body, caller=caller, now=context.clock()
        )
    running.run(evaluations.run(context, ready))
    return evaluations.told(ready.row, now=ready.row.asked_at)


async def in_use(
    session: Session, *, models: ActiveModels, products: Sequence[Product]
) -> contract.ScoringModels:
    """What scores here, beside what the registry says."""
    items = []
    for product in products:
        champions = await repository.of_product(session, product, state="champion")
        found = models.of(product)
        items.append(
            contract.ScoringNow(
                product=product,
                champion=champions[0].label if champions else None,
                scoring=None if found.model is None else found.model.label,
                flags=list(found.flags),
                challengers=[one.label for one in models.challengers_of(product)],
            )
        )
    return contract.ScoringModels(items=items, refused=dict(models.refused))
