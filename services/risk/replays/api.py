"""HTTP routes of replays, for operators: a page at a time, so that no request is long."""

from datetime import UTC, datetime
from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from services.risk.api import engine_of
from services.risk.engine import Engine
from services.risk.policies.domain import PRODUCTS, Product
from services.risk.replays import service, views
from services.risk.replays.repository import Place
from services.risk.replays.service import Replays, Tally
from services.risk.scorecards import Scorer
from shared.kit.app import Context, Ctx
from shared.kit.auth import Caller, allow
from shared.kit.problems import InvalidRequest

Operator = Annotated[Caller, Depends(allow(roles=("operator",)))]
PageSize = Annotated[int, Query(ge=1, le=1_000)]

router = APIRouter(prefix="/v1", tags=["replays"])

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
#: What was decided at this very instant counts as well.
LAST_ID = UUID(int=2**128 - 1)


@router.get("/replays")
async def replay_decisions(
    context: Ctx,
    _: Operator,
    product: Product | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    before: Annotated[str | None, Query(max_length=100)] = None,
    limit: PageSize = 500,
) -> views.ReplayPage:
    """Replay kept decisions, the youngest first, each by the versions that are named in it.

    `since` counts itself in, `until` does not.
    """
    for name, at in (("since", since), ("until", until)):
        if at is not None and at.tzinfo is None:
            raise InvalidRequest(field=name, expected="a time with its offset from UTC")
    newest = Place(until, UUID(int=0)) if until else Place(context.clock(), LAST_ID)
    tally, following = await service.page(
        context,
        replays=replays_of(context),
        used=_used(engine_of(context)),
        products=PRODUCTS if product is None else (product,),
        since=since or BEGINNING,
        before=read_place(before) or newest,
        limit=limit,
    )
    return reply_of(tally, following)


@router.get("/decisions/{decision_id}/replay")
async def replay_decision(decision_id: UUID, context: Ctx, _: Operator) -> views.ReplayPage:
    """Replay one kept decision."""
    tally = await service.one(
        context,
        replays=replays_of(context),
        used=_used(engine_of(context)),
        decision_id=decision_id,
    )
    return reply_of(tally, None)


def _used(engine: Engine) -> list[Scorer]:
    """What scores in this process now."""
    found = (engine.model, engine.scorecard, *engine.credit_models.values())
    return [one for one in found if one is not None]


def replays_of(context: Context) -> Replays:
    """What the start-up has built."""
    return cast("Replays", context.resources["replays"])


def read_place(text: str | None) -> Place | None:
    """What `next_before` said. Raises InvalidRequest."""
    if text is None:
        return None
    at, _, decision_id = text.partition("_")
    try:
        place = Place(datetime.fromisoformat(at), UUID(decision_id))
    except ValueError as error:
        raise InvalidRequest(field="before", expected="`next_before` of a page") from error
    if place.at.tzinfo is None:
        raise InvalidRequest(field="before", expected="`next_before` of a page")
    return place


def reply_of(tally: Tally, following: Place | None) -> views.ReplayPage:
    return views.ReplayPage(
        seen=tally.seen,
        equal=tally.equal,
        unreadable=tally.unreadable,
        scored=tally.scored,
        missing_models=[
            views.MissingModel(model=label, sha256=sha256.hex(), decisions=times)
            for (label, sha256), times in tally.missing.items()
        ],
        differences=[
            views.DifferenceReply(
                decision_id=one.decision_id,
                answer=one.answer,
                kept=str(one.kept),
                again=str(one.again),
            )
            for one in tally.differences
        ],
        spent_us=tally.spent_ns // 1000,
        next_before=None
        if following is None
        else f"{following.at.isoformat()}_{following.decision_id}",
    )
