"""Use cases of case work. Each runs inside the one transaction that its caller opened."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.risk import repository as decisions
from services.risk import service as risk
from services.risk.cases import credit, domain, repository, rulings
from services.risk.cases.domain import Case, CaseNotFound, Entry, NothingToAsk, Verdict
from services.risk.cases.repository import Filter, Label, PastDecision
from services.risk.domain import reference_value_minor
from shared.contracts.events.audit import StaffActed
from shared.contracts.events.envelope import Event
from shared.contracts.events.payments import PaymentReviewEnded, PaymentReviewOpened
from shared.contracts.events.risk import CaseDecided, DecisionLabelled
from shared.contracts.http.risk import DecisionRecord
from shared.kit import outbox
from shared.kit.database import Session

SOURCE = "risk"
#: Lines of history, labels, and of a customer's other decisions that a case shows.
MAX_ENTRIES = 200
MAX_PAST = 10
LAPSE_BATCH = 200


@dataclass(frozen=True, slots=True)
class CaseFile:
    """All that whoever decides on a case is shown. `decision` is None where risk was away."""

    case: Case
    decision: DecisionRecord | None
    entries: Sequence[Entry]
    labels: Sequence[Label]
    past_decisions: Sequence[PastDecision]
    past_cases: Sequence[Case]


async def queue(
    session: Session, *, wanted: Filter, after: tuple[datetime, UUID] | None, limit: int
) -> list[Case]:
    """A page of the queue, what is due first first; of closed cases, the youngest first."""
    if wanted.states == ("closed",):
        return await repository.closed_page(session, wanted, before=after, limit=limit)
    return await repository.page(session, wanted, after=after, limit=limit)


async def count(session: Session, *, wanted: Filter, at_most: int) -> int:
    """How many cases match; counting stops at `at_most`."""
    return await repository.count(session, wanted, at_most=at_most)


async def file_of(session: Session, *, case_id: UUID) -> CaseFile:
    """The case with its evidence. Raises CaseNotFound."""
    case = await repository.find(session, case_id)
    if case is None:
        raise CaseNotFound
    return CaseFile(
        case=case,
        decision=await decision_of(session, case.decision_id),
        entries=await repository.entries(session, case_id, limit=MAX_ENTRIES),
        labels=await repository.labels_of(session, case.decision_id, limit=MAX_ENTRIES),
        past_decisions=await repository.decisions_of_customer(
            session, case.customer_id, but=case.decision_id, limit=MAX_PAST
        ),
        past_cases=await repository.of_customer(
            session, case.customer_id, but=case_id, limit=MAX_PAST
        ),
    )


async def decision_of(session: Session, decision_id: UUID) -> DecisionRecord | None:
    """The decision's record; None where a payment went to review without one."""
    try:
        return await risk.read_decision(session, decision_id=decision_id)
    except risk.DecisionNotFound:
        return None


async def take(session: Session, *, case_id: UUID, staff_id: str, now: datetime) -> Case:
    """Assign the case. Raises CaseNotFound, CaseTaken, CaseNotOpen."""
    before = await _locked(session, case_id)
    after = domain.take(before, staff_id=staff_id, now=now)
    await repository.store(session, after)
    if before.assignee(now) is None:
        await repository.add_entry(session, Entry(case_id, "taken", staff_id, now))
    return after


async def give_back(session: Session, *, case_id: UUID, staff_id: str, now: datetime) -> Case:
    """Put the case back into the queue. Raises CaseNotFound, CaseNotYours."""
    after = domain.give_back(await _locked(session, case_id), staff_id=staff_id, now=now)
    await repository.store(session, after)
    await repository.add_entry(session, Entry(case_id, "given_back", staff_id, now))
    return after


async def lapse(session: Session, *, now: datetime) -> int:
    """Put a bounded number of cases back whose time with one person is over; how many."""
    found = await repository.lapsed(session, now=now, limit=LAPSE_BATCH)
    for case in found:
        holder = case.assigned_to
        await repository.store(session, domain.lapse(case))
        await repository.add_entry(
            session, Entry(case.case_id, "lapsed", None, now, text=holder or "")
        )
    return len(found)


async def note(session: Session, *, case_id: UUID, text: str, staff_id: str, now: datetime) -> Case:
    """Add a note, to a closed case as well. Raises CaseNotFound."""
    case = await _locked(session, case_id)
    await repository.add_entry(session, Entry(case_id, "note", staff_id, now, text=text))
    return case


async def judge(
    session: Session,
    *,
    case_id: UUID,
    verdict: Verdict,
    code: str,
    text: str,
    staff_id: str,
    now: datetime,
    limit_minor: int | None = None,
) -> Case:
    """Keep a verdict; where it needs no second person, tell it.

    `limit_minor` is what is granted of a credit, in fen of CNY; None for the policy's own limit.

    Raises:
        CaseNotFound, CaseNotYours, CaseNotReady, CaseNotOpen, VerdictCodeUnfit, LimitUnfit
    """
    offered = await rulings.offered(session, case_id=case_id)

    def change(case: Case) -> Case:
        grant = credit.granted(case, verdict=verdict, wished=limit_minor, offered=offered)
        return domain.judge(
            case, verdict=verdict, code=code, note=text, staff_id=staff_id, now=now, grant=grant
        )

    entry = Entry(case_id, verdict, staff_id, now, text=text, code=code)
    return await _change(session, change, entry=entry)


async def second(
    session: Session, *, case_id: UUID, agrees: bool, text: str, staff_id: str, now: datetime
) -> Case:
    """The second person's word. Raises CaseNotFound, CaseNotAwaiting, SamePerson."""

    def change(case: Case) -> Case:
        return domain.second(case, agrees=agrees, staff_id=staff_id, now=now)

    kind = "second_agreed" if agrees else "second_refused"
    return await _change(session, change, entry=Entry(case_id, kind, staff_id, now, text=text))


async def _change(session: Session, change: Callable[[Case], Case], *, entry: Entry) -> Case:
    """Store what a person's word makes of the case, with the entry and the events about it."""
    before = await _locked(session, entry.case_id)
    after = change(before)
    if after == before:
        return before
    await repository.store(session, after)
    await repository.add_entry(session, entry)
    events: list[Event] = [
        StaffActed(
            service=SOURCE,
            staff_id=entry.by or "",
            action=f"case.{entry.kind}",
            subject=str(entry.case_id),
            reason=entry.code or entry.text or entry.kind,
            at=entry.at,
        )
    ]
    if after.state in {"decided", "closed"}:
        events += await _final(session, after, now=entry.at)
    await outbox.add(session, source=SOURCE, now=entry.at, events=events)
    return after


async def _final(session: Session, case: Case, *, now: datetime) -> list[Event]:
    """The verdict holds: the decision gets its label, and the bank is told."""
    if case.verdict is None or case.verdict_code is None or case.verdict_by is None:
        raise ValueError("A case without a verdict is not decided")
    _, word = domain.VERDICT_CODES[case.verdict_code]
    if case.state == "closed":
        await repository.add_entry(session, Entry(case.case_id, "closed", None, now))
    label = Label(case.decision_id, word, "case", case.verdict_by, "", now)
    await repository.add_label(session, label)
    decided = CaseDecided(
        case_id=case.case_id,
        decision_id=case.decision_id,
        kind=case.kind,
        product=case.product,
        customer_id=case.customer_id,
        verdict=case.verdict,
        reason_code=case.verdict_code,
        note=case.verdict_note or "",
        decided_by=case.verdict_by,
        second_by=case.second_by,
        limit_minor=case.granted_minor,
        price_bps=case.granted_price_bps,
        at=now,
    )
    return [decided, _labelled(label, customer_id=case.customer_id, product=case.product)]


async def add_label(
    session: Session,
    *,
    decision_id: UUID,
    label: str,
    source: str,
    text: str,
    staff_id: str,
    now: datetime,
) -> Label:
    """Say what a decision turned out to be. Raises DecisionNotFound."""
    decision = await decisions.decision(session, decision_id)
    if decision is None:
        raise risk.DecisionNotFound(f"There is no decision {decision_id}")
    kept = Label(decision_id, label, source, staff_id, text, now)
    await repository.add_label(session, kept)
    acted = StaffActed(
        service=SOURCE,
        staff_id=staff_id,
        action="decision.label",
        subject=str(decision_id),
        reason=f"{source}: {label}",
        at=now,
    )
    told = _labelled(kept, customer_id=decision.customer_id, product=decision.product)
    await outbox.add(session, source=SOURCE, now=now, events=[acted, told])
    return kept


async def labels_of(session: Session, *, decision_id: UUID) -> list[Label]:
    """A decision's labels, oldest first; the last one counts."""
    return await repository.labels_of(session, decision_id, limit=MAX_ENTRIES)


def _labelled(label: Label, *, customer_id: str, product: str) -> DecisionLabelled:
    return DecisionLabelled.model_validate(
        {
            "decision_id": label.decision_id,
            "customer_id": customer_id,
            "product": product,
            "label": label.label,
            "source": label.source,
            "author": label.author,
            "at": label.labelled_at,
        }
    )


async def payment_waits(session: Session, *, event: PaymentReviewOpened) -> None:
    """A payment is in review: its case has what a reviewer needs, and may be decided from now on.

    The case is there already, but where risk did not answer in time.
    """
    value_minor = reference_value_minor(event.amount_minor, event.currency)
    case = domain.opened(
        decision_id=event.payment_id,
        kind="review",
        product=domain.PAYMENT,
        customer_id=event.customer_id,
        reason_codes=tuple(event.reason_codes),
        value_minor=value_minor,
        now=event.at,
    )
    await repository.payment_waits(session, domain.with_payment(case, event))


async def payment_ended(session: Session, *, event: PaymentReviewEnded) -> None:
    """Close the payment's case, whoever had the last word; a closed one stays as it is."""
    before = await repository.find_locked(session, event.payment_id)
    if before is None or before.state == "closed":
        return
    codes = tuple(event.reason_codes)
    after = domain.payment_ended(
        before, settled=event.state == "settled", reason_codes=codes, at=event.at
    )
    await repository.store(session, after)
    elsewhere = None if before.state == "decided" else event.reviewed_by
    await repository.add_entry(
        session,
        Entry(before.case_id, "closed", elsewhere, event.at, code=after.outcome_code),
    )


async def ask_for_person(
    session: Session, *, decision_id: UUID, customer_id: str, words: str, now: datetime
) -> Case:
    """Raise the open case of the customer's own decision, or open an appeal; once.

    Raises:
        DecisionNotFound: there is none, or it is another customer's.
        NothingToAsk: it was approved.
    """
    review, appeal, decision = await standing(
        session, decision_id=decision_id, customer_id=customer_id
    )
    if appeal is not None:
        return appeal
    if review is not None and review.state != "closed":
        return await _raise(session, review.case_id, words, now=now)
    if was_approved(review, decision):
        raise NothingToAsk
    first = await decisions.decision(session, decision_id)
    appeal = domain.opened(
        decision_id=decision_id,
        kind="appeal",
        product=first.product if first else domain.PAYMENT,
        customer_id=customer_id,
        reason_codes=tuple(first.reason_codes if first else review.reason_codes if review else ()),
        value_minor=None,
        now=now,
    )
    if review is not None:
        appeal = domain.as_in(appeal, review)
    elif first is not None:
        appeal = credit.as_applied(appeal, first.facts)
    await repository.insert_case(session, appeal)
    return await _raise(session, appeal.case_id, words, now=now)


def was_approved(review: Case | None, decision: DecisionRecord | None) -> bool:
    """Whether the customer got what was asked for."""
    if review is not None:
        return review.outcome == "approved"
    return decision is not None and decision.outcome == "approve"


async def _raise(session: Session, case_id: UUID, words: str, *, now: datetime) -> Case:
    before = await _locked(session, case_id)
    after = domain.asked(before, now=now)
    if after != before:
        await repository.store(session, after)
        await repository.add_entry(session, Entry(case_id, "asked", None, now, text=words))
    return after


async def standing(
    session: Session, *, decision_id: UUID, customer_id: str
) -> tuple[Case | None, Case | None, DecisionRecord | None]:
    """Review, appeal and record of a customer's own decision.

    Raises:
        DecisionNotFound: there is neither case nor record, or they are another customer's.
    """
    review = await repository.find(session, decision_id)
    decision = await decision_of(session, decision_id)
    owner = review or decision
    if owner is None or owner.customer_id != customer_id:
        raise risk.DecisionNotFound(f"There is no decision {decision_id}")
    appeal = await repository.find(session, domain.appeal_id(decision_id))
    return review, appeal, decision


async def _locked(session: Session, case_id: UUID) -> Case:
    case = await repository.find_locked(session, case_id)
    if case is None:
        raise CaseNotFound
    return case
