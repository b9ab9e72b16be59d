"""HTTP routes of policies, for staff: operators write, another one or a reviewer approves."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query

from services.risk.policies import service
from services.risk.policies.active import policies_of
from services.risk.policies.back_tests import service as back_tests
from services.risk.policies.service import Act
from shared.contracts.http import risk_policies as contract
from shared.contracts.http.risk_policies import Product, Version
from shared.kit.app import Ctx
from shared.kit.auth import Caller, allow
from shared.kit.idempotency import IdempotencyKey, once_in

Operator = Annotated[Caller, Depends(allow(roles=("operator",)))]
Approver = Annotated[Caller, Depends(allow(roles=("operator", "reviewer")))]
Viewer = Annotated[Caller, Depends(allow(roles=("operator", "reviewer")))]
VersionPath = Annotated[Version, Path()]
PageSize = Annotated[int, Query(ge=1, le=200)]

router = APIRouter(prefix="/v1", tags=["policies"])


@router.get("/policies")
async def active_policies(context: Ctx, _: Viewer) -> contract.ActivePolicies:
    """What is in force, by product."""
    async with context.database.transaction() as session:
        return await service.in_force(session, policies=policies_of(context))


@router.get("/policies/{product}/versions")
async def list_versions(
    product: Product,
    context: Ctx,
    _: Viewer,
    before: Annotated[Version | None, Query()] = None,
    limit: PageSize = 50,
) -> contract.VersionSummaries:
    """A product's versions, the newest first."""
    async with context.database.transaction() as session:
        return await service.versions(session, product=product, before=before, limit=limit)


@router.get("/policies/{product}/versions/{version}")
async def read_version(
    product: Product, version: VersionPath, context: Ctx, _: Viewer
) -> contract.PolicyVersion:
    """A version with its graph and its tests."""
    async with context.database.transaction() as session:
        return await service.read_version(session, product=product, version=version)


@router.get("/policies/{product}/activations")
async def list_activations(
    product: Product,
    context: Ctx,
    _: Viewer,
    before: Annotated[int | None, Query(ge=1, le=2**63 - 1)] = None,
    limit: PageSize = 50,
) -> contract.Activations:
    """Which version was in force from when, by whom and why; the newest first."""
    async with context.database.transaction() as session:
        return await service.history(session, product=product, before=before, limit=limit)


@router.post("/policies/{product}/versions", status_code=201)
async def draft_version(
    product: Product,
    body: contract.WritePolicy,
    context: Ctx,
    caller: Operator,
    key: IdempotencyKey,
) -> contract.PolicyVersion:
    """Draft a version: a whole graph, or the one in force with other thresholds."""
    return await once_in(
        context,
        scope=f"{caller.staff_id} draft {product}",
        key=key,
        body=body,
        reply=contract.PolicyVersion,
        act=lambda session: service.draft(
            session, product=product, body=body, caller=caller, now=context.clock()
        ),
    )


@router.put("/policies/{product}/versions/{version}")
async def rewrite_version(
    product: Product,
    version: VersionPath,
    body: contract.WritePolicy,
    context: Ctx,
    caller: Operator,
) -> contract.PolicyVersion:
    """Change a draft of one's own. The same again changes nothing."""
    async with context.database.transaction() as session:
        reply = await service.rewrite(
            session,
            product=product,
            version=version,
            body=body,
            caller=caller,
            now=context.clock(),
        )
    context.published()
    return reply


@router.post("/policies/{product}/versions/{version}/tests")
async def run_tests(
    product: Product, version: VersionPath, context: Ctx, _: Viewer
) -> contract.TestReport:
    """Run a version's tests; nothing is kept."""
    async with context.database.transaction() as session:
        row = await service.found(session, product=product, version=version)
    return await service.tested(row)


@router.post("/policies/{product}/versions/{version}/rulings")
async def try_version(
    product: Product, version: VersionPath, body: contract.AskRuling, context: Ctx, _: Viewer
) -> contract.Ruling:
    """What a version would rule on some facts; nothing is kept."""
    async with context.database.transaction() as session:
        row = await service.found(session, product=product, version=version)
    return service.ruled(row, body.facts)


@router.post("/policies/{product}/versions/{version}/proposal")
async def propose_version(
    product: Product,
    version: VersionPath,
    body: contract.Why,
    context: Ctx,
    caller: Operator,
    key: IdempotencyKey,
) -> contract.VersionSummary:
    """Ask for approval of a draft whose tests all pass: it cannot change any more."""
    act = Act(product, version, body.reason, caller, context.clock())
    return await once_in(
        context,
        scope=f"{caller.staff_id} propose {product} {version}",
        key=key,
        body=body,
        reply=contract.VersionSummary,
        act=lambda session: service.propose(session, act=act),
    )


@router.post("/policies/{product}/versions/{version}/approval")
async def approve_version(
    product: Product,
    version: VersionPath,
    body: contract.Why,
    context: Ctx,
    caller: Approver,
    key: IdempotencyKey,
) -> contract.VersionSummary:
    """Approve another one's proposal."""
    act = Act(product, version, body.reason, caller, context.clock())
    return await once_in(
        context,
        scope=f"{caller.staff_id} approve {product} {version}",
        key=key,
        body=body,
        reply=contract.VersionSummary,
        act=lambda session: service.approve(session, act=act),
    )


@router.post("/policies/{product}/versions/{version}/rejection")
async def reject_version(
    product: Product,
    version: VersionPath,
    body: contract.Why,
    context: Ctx,
    caller: Approver,
    key: IdempotencyKey,
) -> contract.VersionSummary:
    """Refuse another one's proposal; it ends there."""
    act = Act(product, version, body.reason, caller, context.clock())
    return await once_in(
        context,
        scope=f"{caller.staff_id} reject {product} {version}",
        key=key,
        body=body,
        reply=contract.VersionSummary,
        act=lambda session: service.reject(session, act=act),
    )


@router.post("/policies/{product}/versions/{version}/activation")
async def activate_version(
    product: Product,
    version: VersionPath,
    body: contract.Why,
    context: Ctx,
    caller: Operator,
    key: IdempotencyKey,
) -> contract.Activation:
    """Put an approved version in force: it makes every decision from now on."""
    act = Act(product, version, body.reason, caller, context.clock())
    return await once_in(
        context,
        scope=f"{caller.staff_id} activate {product} {version}",
        key=key,
        body=body,
        reply=contract.Activation,
        act=lambda session: service.activate(session, act=act),
    )


@router.post("/policies/{product}/roll-back")
async def roll_back(
    product: Product, body: contract.Why, context: Ctx, caller: Operator, key: IdempotencyKey
) -> contract.Activation:
    """Put the version before the present one in force again."""
    return await once_in(
        context,
        scope=f"{caller.staff_id} roll back {product}",
        key=key,
        body=body,
        reply=contract.Activation,
        act=lambda session: service.roll_back(
            session, product=product, reason=body.reason, caller=caller, now=context.clock()
        ),
    )


@router.post("/policies/{product}/versions/{version}/back-test", status_code=202)
async def back_test_version(
    product: Product,
    version: VersionPath,
    body: contract.AskBackTest,
    context: Ctx,
    caller: Operator,
) -> contract.BackTest:
    """Rule the kept decisions of a span again, in the background; ask for it by its id."""
    running = back_tests.back_tests_of(context)
    now = context.clock()
    async with context.database.transaction() as session:
        row, before, after = await back_tests.ask(
            session,
            running=running,
            product=product,
            version=version,
            body=body,
            caller=caller,
            now=now,
        )
    running.start(context, row, before, after)
    return back_tests.told(row, now=now)


@router.get("/policy-back-tests/{back_test_id}")
async def read_back_test(back_test_id: UUID, context: Ctx, _: Viewer) -> contract.BackTest:
    """How far a back-test is; its swap-set once it is done."""
    async with context.database.transaction() as session:
        return await back_tests.read(session, back_test_id=back_test_id, now=context.clock())
