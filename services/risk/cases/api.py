"""HTTP routes of case work: the queue for staff, reasons and a person for customers."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query

from services.risk.cases import rulings, service, views
from services.risk.cases.explanations import explain
from services.risk.cases.repository import Filter
from shared.contracts.http import risk as contract
from shared.contracts.values import Code, CustomerId
from shared.kit.app import Ctx
from shared.kit.auth import Caller, allow
from shared.kit.database import Session
from shared.kit.idempotency import IdempotencyKey, once_in
from shared.kit.problems import Forbidden, InvalidRequest

Reviewer = Annotated[Caller, Depends(allow(roles=("reviewer",)))]
Viewer = Annotated[Caller, Depends(allow(roles=("operator", "reviewer")))]
Gateway = Annotated[Caller, Depends(allow("gateway"))]
CustomerPath = Annotated[CustomerId, Path()]
PageSize = Annotated[int, Query(ge=1, le=100)]

WAITING = ("open", "assigned", "awaiting_second", "decided")

router = APIRouter(prefix="/v1", tags=["cases"])


@router.get("/cases")
async def list_cases(
    context: Ctx,
    _: Viewer,
    state: views.StateWord | None = None,
    assigned_to: Annotated[str | None, Query(max_length=40)] = None,
    product: Code | None = None,
    customer_id: CustomerId | None = None,
    overdue: bool = False,
    after: Annotated[str | None, Query(max_length=100)] = None,
    limit: PageSize = 50,
) -> views.CasePage:
    """Cases that match, what is due first first; without a state, those that wait."""
    now = context.clock()
    wanted = Filter(
        states=(state,) if state else WAITING,
        now=now,
        assigned_to=assigned_to,
        product=product,
        customer_id=customer_id,
        overdue=overdue,
    )
    async with context.database.transaction() as session:
        found = await service.queue(
            session, wanted=wanted, after=read_place(after), limit=limit + 1
        )
    items = found[:limit]
    return views.CasePage(
        items=[views.CaseReply.of(case, now=now) for case in items],
        next_after=place_of(items[-1].closed_at or items[-1].due_at, items[-1].case_id)
        if len(found) > limit
        else None,
    )


@router.get("/cases/{case_id}")
async def read_case(case_id: UUID, context: Ctx, _: Viewer) -> views.CaseFileReply:
    """A case with its evidence."""
    async with context.database.transaction() as session:
        file = await service.file_of(session, case_id=case_id)
    return views.CaseFileReply.of(file, now=context.clock())


@router.put("/cases/{case_id}/assignment")
async def take_case(case_id: UUID, context: Ctx, caller: Reviewer) -> views.CaseReply:
    """Take the case for half an hour; again begins the half hour anew."""
    now = context.clock()
    async with context.database.transaction() as session:
        case = await service.take(session, case_id=case_id, staff_id=staff_of(caller), now=now)
    return views.CaseReply.of(case, now=now)


@router.delete("/cases/{case_id}/assignment")
async def give_case_back(case_id: UUID, context: Ctx, caller: Reviewer) -> views.CaseReply:
    """Put the case back into the queue."""
    now = context.clock()
    async with context.database.transaction() as session:
        case = await service.give_back(session, case_id=case_id, staff_id=staff_of(caller), now=now)
    return views.CaseReply.of(case, now=now)


@router.post("/cases/{case_id}/notes", status_code=201)
async def add_note(
    case_id: UUID, body: views.AddNote, context: Ctx, caller: Viewer, key: IdempotencyKey
) -> views.CaseReply:
    """Add a note to the case's history."""
    now = context.clock()

    async def act(session: Session) -> views.CaseReply:
        case = await service.note(
            session, case_id=case_id, text=body.text, staff_id=staff_of(caller), now=now
        )
        return views.CaseReply.of(case, now=now)

    return await once_in(
        context,
        scope=f"{caller.staff_id} note {case_id}",
        key=key,
        body=body,
        reply=views.CaseReply,
        act=act,
    )


@router.post("/cases/{case_id}/verdict")
async def give_verdict(
    case_id: UUID, body: views.GiveVerdict, context: Ctx, caller: Reviewer
) -> views.CaseReply:
    """Decide the case that is assigned to you. The same word again changes nothing."""
    now = context.clock()
    async with context.database.transaction() as session:
        case = await service.judge(
            session,
            case_id=case_id,
            verdict=body.verdict,
            code=body.reason_code,
            text=body.note,
            staff_id=staff_of(caller),
            now=now,
            limit_minor=body.limit_minor,
        )
    context.published()
    return views.CaseReply.of(case, now=now)


@router.post("/cases/{case_id}/second")
async def give_second_word(
    case_id: UUID, body: views.SecondWord, context: Ctx, caller: Reviewer
) -> views.CaseReply:
    """The second pair of eyes on a verdict that needs one."""
    now = context.clock()
    async with context.database.transaction() as session:
        case = await service.second(
            session,
            case_id=case_id,
            agrees=body.agrees,
            text=body.note,
            staff_id=staff_of(caller),
            now=now,
        )
    context.published()
    return views.CaseReply.of(case, now=now)


@router.get("/decisions/{decision_id}/labels")
async def list_labels(decision_id: UUID, context: Ctx, _: Viewer) -> views.LabelList:
    """What the decision turned out to be; the last label counts."""
    async with context.database.transaction() as session:
        found = await service.labels_of(session, decision_id=decision_id)
    return views.LabelList(items=[views.LabelReply.of(label) for label in found])


@router.post("/decisions/{decision_id}/labels", status_code=201)
async def add_label(
    decision_id: UUID, body: views.AddLabel, context: Ctx, caller: Viewer, key: IdempotencyKey
) -> views.LabelReply:
    """Say what the decision turned out to be: a chargeback came, or staff knows better."""
    now = context.clock()

    async def act(session: Session) -> views.LabelReply:
        label = await service.add_label(
            session,
            decision_id=decision_id,
            label=body.label,
            source=body.source,
            text=body.note,
            staff_id=staff_of(caller),
            now=now,
        )
        return views.LabelReply.of(label)

    return await once_in(
        context,
        scope=f"{caller.staff_id} label {decision_id}",
        key=key,
        body=body,
        reply=views.LabelReply,
        act=act,
    )


@router.get("/customers/{customer_id}/decisions/{decision_id}/explanation")
async def explain_decision(
    customer_id: CustomerPath, decision_id: UUID, context: Ctx, caller: Gateway
) -> contract.Explanation:
    """Why a request of the customer's own went as it did, and whether a person can be asked."""
    _check_own(caller, customer_id)
    async with context.database.transaction() as session:
        return await _explained(session, decision_id, customer_id)


@router.put("/customers/{customer_id}/decisions/{decision_id}/person-request")
async def ask_for_person(
    customer_id: CustomerPath,
    decision_id: UUID,
    body: contract.AskForPerson,
    context: Ctx,
    caller: Gateway,
) -> contract.Explanation:
    """Ask that a person looks at it; again is the same as once."""
    _check_own(caller, customer_id)
    async with context.database.transaction() as session:
        await service.ask_for_person(
            session,
            decision_id=decision_id,
            customer_id=customer_id,
            words=body.message,
            now=context.clock(),
        )
        return await _explained(session, decision_id, customer_id)


async def _explained(session: Session, decision_id: UUID, customer_id: str) -> contract.Explanation:
    review, appeal, decision = await service.standing(
        session, decision_id=decision_id, customer_id=customer_id
    )
    return explain(
        decision_id=decision_id,
        review=review,
        appeal=appeal,
        decision=decision,
        main_reasons=await rulings.main_reasons(session, decision),
    )


def staff_of(caller: Caller) -> str:
    """The member of staff who calls; the routes here let in nobody else."""
    if caller.staff_id is None:
        raise Forbidden
    return caller.staff_id


def place_of(at: datetime, case_id: UUID) -> str:
    """Where a page ends, as `after` takes it."""
    return f"{at.isoformat()}_{case_id}"


def read_place(text: str | None) -> tuple[datetime, UUID] | None:
    """What `place_of` wrote. Raises InvalidRequest."""
    if text is None:
        return None
    at, _, case_id = text.partition("_")
    try:
        place = datetime.fromisoformat(at), UUID(case_id)
    except ValueError as error:
        raise InvalidRequest(field="after", expected="`next_after` of a page") from error
    if place[0].tzinfo is None:
        raise InvalidRequest(field="after", expected="`next_after` of a page")
    return place


def _check_own(caller: Caller, customer_id: str) -> None:
    if caller.customer_id != customer_id:
        raise Forbidden(
            "The call speaks for another customer",
            field="customer_id",
            expected="the customer of the internal token",
        )
