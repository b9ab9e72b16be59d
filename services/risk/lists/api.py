"""HTTP routes of the lists, for operators."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from services.risk.identifiers import service as identifiers
from services.risk.lists import repository, service, views
from services.risk.lists.domain import Entry, Kind, ListName
from shared.kit.app import Ctx
from shared.kit.auth import Caller, allow
from shared.kit.database import Session
from shared.kit.idempotency import IdempotencyKey, once_in

Operator = Annotated[Caller, Depends(allow(roles=("operator",)))]
PageSize = Annotated[int, Query(ge=1, le=1_000)]

router = APIRouter(prefix="/v1", tags=["lists"])


@router.get("/list-entries")
async def list_entries(
    context: Ctx,
    _: Operator,
    name: Annotated[ListName | None, Query(alias="list")] = None,
    kind: Kind | None = None,
    limit: PageSize = 100,
    after_kind: Kind | None = None,
    after_value: Annotated[str, Query(max_length=128)] = "",
    after_list: ListName | None = None,
) -> views.ListEntries:
    """Entries that count, in the order of kind, value and list; `after_…` is the last one seen."""
    after = (after_kind, after_value, after_list or "") if after_kind else None
    async with context.database.transaction() as session:
        found = await repository.page(
            session, name=name, kind=kind, after=after, now=context.clock(), limit=limit
        )
    return views.ListEntries(items=[views.reply_of(entry) for entry in found])


@router.post("/list-entries", status_code=201)
async def add_entry(
    body: views.AddEntry, context: Ctx, caller: Operator, key: IdempotencyKey
) -> views.ListEntry:
    """Put an entity on a list. The next decision on any replica sees it; black goes first."""
    now = context.clock()

    async def act(session: Session) -> views.ListEntry:
        entry = Entry(
            list=body.list,
            kind=body.kind,
            value=await identifiers.named(session, kind=body.kind, value=body.value),
            reason=body.reason,
            listed_by=caller.staff_id or caller.service,
            listed_at=now,
            expires_at=body.expires_at,
        )
        return views.reply_of(await service.add(session, entry=entry, caller=caller))

    return await once_in(
        context,
        scope=f"{caller.staff_id} list-entry",
        key=key,
        body=body,
        reply=views.ListEntry,
        act=act,
    )


@router.post("/list-entries/removal")
async def remove_entry(
    body: views.RemoveEntry, context: Ctx, caller: Operator, key: IdempotencyKey
) -> views.ListEntry:
    """Take an entity off a list; the answer is what was listed."""
    now = context.clock()

    async def act(session: Session) -> views.ListEntry:
        found = await service.remove(
            session,
            name=body.list,
            kind=body.kind,
            value=await identifiers.named(session, kind=body.kind, value=body.value),
            reason=body.reason,
            caller=caller,
            now=now,
        )
        return views.reply_of(found)

    return await once_in(
        context,
        scope=f"{caller.staff_id} list-entry-removal",
        key=key,
        body=body,
        reply=views.ListEntry,
        act=act,
    )
