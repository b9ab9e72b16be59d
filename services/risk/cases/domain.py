"""A case: a decision that waits for a person, its states, and who may say what. Pure.

    open -> assigned -> decided -> closed
            assigned -> awaiting_second -> decided | open

A case of a payment is closed by what becomes of the payment; any other is closed by its verdict.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID, uuid5

from shared.contracts.events.payments import PaymentReviewOpened
from shared.kit.problems import BankError, Conflict, Forbidden, NotFound

Kind = Literal["review", "appeal"]
State = Literal["open", "assigned", "awaiting_second", "decided", "closed"]
Verdict = Literal["approve", "decline"]
Outcome = Literal["approved", "declined", "expired", "refused"]
LabelWord = Literal["fraud", "honest", "unknown"]

PAYMENT: Final = "payment"
#: A case that nobody works on goes back to the queue.
ASSIGNMENT_LASTS: Final = timedelta(minutes=30)
#: A customer who asks for a person hears from one within this time.
ASKED_WITHIN: Final = timedelta(hours=2)
APPEAL_WITHIN: Final = timedelta(hours=24)
#: From this value on (fen of CNY) a payment is looked at first.
URGENT_FROM_MINOR: Final = 5_000_000
URGENT_WITHIN: Final = timedelta(hours=1)
#: The service level of each product; another one has the longest.
WITHIN: Final[Mapping[str, timedelta]] = {
    PAYMENT: timedelta(hours=4),
    "card": timedelta(hours=24),
    "account_opening": timedelta(hours=24),
    "loan": timedelta(hours=48),
}
#: From these values on (fen of CNY) one person is not enough. A value that is not known counts
#: as large.
SECOND_FOR_DECLINE_MINOR: Final = 20_000_000
SECOND_FOR_APPROVE_MINOR: Final = 50_000_000
#: A person who grants so much credit is not enough either.
SECOND_FOR_CREDIT_MINOR: Final = 10_000_000
#: Products of which a verdict grants an amount.
CREDIT: Final = frozenset({"loan", "card"})


@dataclass(frozen=True, slots=True)
class Grant:
    """What an approved credit gets: a limit in fen of CNY, and the yearly rate of its grade."""

    limit_minor: int
    price_bps: int | None


#: What a verdict rests on, with the label that it gives the decision.
VERDICT_CODES: Final[Mapping[str, tuple[Verdict, LabelWord]]] = {
    "customer_confirmed": ("approve", "honest"),
    "known_payee": ("approve", "honest"),
    "documents_in_order": ("approve", "honest"),
    "false_alarm": ("approve", "honest"),
    "customer_denied": ("decline", "fraud"),
    "scam_victim": ("decline", "fraud"),
    "stolen_access": ("decline", "fraud"),
    "mule_account": ("decline", "fraud"),
    "customer_withdrew": ("decline", "honest"),
    "customer_not_reached": ("decline", "unknown"),
    "documents_missing": ("decline", "unknown"),
}


class CaseNotFound(NotFound):
    code, title = "case_not_found", "There is no such case"


class CaseTaken(Conflict):
    code, title = "case_taken", "Somebody else works on this case"


class CaseNotOpen(Conflict):
    code, title = "case_not_open", "The case is not open any more"


class CaseNotYours(Conflict):
    code, title = "case_not_yours", "Take the case first: it is not assigned to you"


class CaseNotReady(Conflict):
    code, title = "case_not_ready", "The payment is not in review yet; try again in a moment"


class CaseNotAwaiting(Conflict):
    code, title = "case_not_awaiting", "The case waits for no second person"


class SamePerson(Forbidden):
    code, title = "same_person", "The second person must be another one than the first"


class VerdictCodeUnfit(BankError):
    status, code = 422, "verdict_code_unfit"
    title = "This reason does not go with this verdict"


class NothingToAsk(Conflict):
    code, title = "nothing_to_ask", "This was approved: there is nothing for a person to look at"


@dataclass(frozen=True, slots=True)
class Case:
    """One case as it is stored. `value_minor` is in fen of CNY; None in a currency without a
    rate. `review_until` is when the payment stops waiting; None before payments has told.
    """

    case_id: UUID
    decision_id: UUID
    kind: Kind
    product: str
    customer_id: str
    reason_codes: tuple[str, ...]
    opened_at: datetime
    due_at: datetime
    amount_minor: int | None = None
    currency: str | None = None
    value_minor: int | None = None
    debtor_account: str | None = None
    creditor_account: str | None = None
    creditor_name: str | None = None
    channel: str | None = None
    remittance: str | None = None
    review_until: datetime | None = None
    state: State = "open"
    assigned_to: str | None = None
    assigned_until: datetime | None = None
    verdict: Verdict | None = None
    verdict_code: str | None = None
    verdict_note: str | None = None
    verdict_by: str | None = None
    verdict_at: datetime | None = None
    second_by: str | None = None
    second_at: datetime | None = None
    outcome: Outcome | None = None
    outcome_code: str | None = None
    closed_at: datetime | None = None
    asked_at: datetime | None = None
    #: Of an approved credit: the limit in fen of CNY, and the yearly rate of its grade.
    granted_minor: int | None = None
    granted_price_bps: int | None = None

    @property
    def ends_with_payment(self) -> bool:
        """Whether a payment waits for the verdict, and says what became of it."""
        return self.kind == "review" and self.product == PAYMENT

    def is_overdue(self, now: datetime) -> bool:
        return self.closed_at is None and self.due_at <= now

    def assignee(self, now: datetime) -> str | None:
        """Who works on it now; an assignment that has lapsed is none."""
        if self.state != "assigned" or self.assigned_until is None or self.assigned_until <= now:
            return None
        return self.assigned_to


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of a case's history; `by` is None for what the bank itself did."""

    case_id: UUID
    kind: str
    by: str | None
    at: datetime
    text: str = ""
    code: str | None = None


def appeal_id(decision_id: UUID) -> UUID:
    """A decision is appealed once."""
    return uuid5(decision_id, "appeal")


def due(*, kind: Kind, product: str, value_minor: int | None, opened_at: datetime) -> datetime:
    """When a case has to be decided: the service level of its product and value."""
    if kind == "appeal":
        return opened_at + APPEAL_WITHIN
    if product == PAYMENT and (value_minor is None or value_minor >= URGENT_FROM_MINOR):
        return opened_at + URGENT_WITHIN
    return opened_at + WITHIN.get(product, max(WITHIN.values()))


def needs_second(case: Case, verdict: Verdict) -> bool:
    """Whether the verdict takes a second pair of eyes."""
    if case.product in CREDIT and verdict == "approve":
        value_minor = case.value_minor if case.granted_minor is None else case.granted_minor
        return value_minor is None or value_minor >= SECOND_FOR_CREDIT_MINOR
    if not case.ends_with_payment:
        return False
    bound = SECOND_FOR_APPROVE_MINOR if verdict == "approve" else SECOND_FOR_DECLINE_MINOR
    return case.value_minor is None or case.value_minor >= bound


def opened(
    *,
    decision_id: UUID,
    kind: Kind,
    product: str,
    customer_id: str,
    reason_codes: tuple[str, ...],
    value_minor: int | None,
    now: datetime,
) -> Case:
    """A new case for a decision: one review and one appeal are all that a decision gets."""
    return Case(
        case_id=decision_id if kind == "review" else appeal_id(decision_id),
        decision_id=decision_id,
        kind=kind,
        product=product,
        customer_id=customer_id,
        reason_codes=reason_codes,
        value_minor=value_minor,
        opened_at=now,
        due_at=due(kind=kind, product=product, value_minor=value_minor, opened_at=now),
    )


def with_payment(case: Case, payment: PaymentReviewOpened) -> Case:
    """The case with what payments knows of its payment; it is due before the review is over."""
    return replace(
        case,
        amount_minor=payment.amount_minor,
        currency=payment.currency,
        debtor_account=payment.debtor_account,
        creditor_account=payment.creditor_account,
        creditor_name=payment.creditor_name,
        channel=payment.channel,
        remittance=payment.remittance,
        review_until=payment.review_until,
        due_at=min(case.due_at, payment.review_until),
    )


def as_in(appeal: Case, review: Case) -> Case:
    """The appeal with what the review before it knew of the payment."""
    return replace(
        appeal,
        amount_minor=review.amount_minor,
        currency=review.currency,
        value_minor=review.value_minor,
        debtor_account=review.debtor_account,
        creditor_account=review.creditor_account,
        creditor_name=review.creditor_name,
        channel=review.channel,
        remittance=review.remittance,
    )


def take(case: Case, *, staff_id: str, now: datetime) -> Case:
    """Assign it; again by the same person starts the time anew.

    Raises:
        CaseTaken, CaseNotOpen
    """
    if case.state not in {"open", "assigned"}:
        raise CaseNotOpen(f"The case is {case.state}")
    if case.assignee(now) not in {None, staff_id}:
        raise CaseTaken
    return replace(
        case, state="assigned", assigned_to=staff_id, assigned_until=now + ASSIGNMENT_LASTS
    )


def give_back(case: Case, *, staff_id: str, now: datetime) -> Case:
    """Back to the queue. Raises CaseNotYours."""
    if case.assignee(now) != staff_id:
        raise CaseNotYours
    return replace(case, state="open", assigned_to=None, assigned_until=None)


def lapse(case: Case) -> Case:
    """Nobody's again."""
    return replace(case, state="open", assigned_to=None, assigned_until=None)


def judge(
    case: Case,
    *,
    verdict: Verdict,
    code: str,
    note: str,
    staff_id: str,
    now: datetime,
    grant: Grant | None = None,
) -> Case:
    """The verdict of whoever works on the case; the same word again changes nothing.

    Raises:
        CaseNotYours, CaseNotReady, CaseNotOpen, VerdictCodeUnfit
    """
    if VERDICT_CODES.get(code, (None,))[0] != verdict:
        raise VerdictCodeUnfit(field="reason_code", expected=f"a reason to {verdict}")
    if case.state in {"awaiting_second", "decided", "closed"}:
        said_before = case.verdict, case.verdict_code, case.verdict_by, case.granted_minor
        if said_before == (verdict, code, staff_id, grant.limit_minor if grant else None):
            return case
        raise CaseNotOpen(f"The case is {case.state}")
    if case.assignee(now) != staff_id:
        raise CaseNotYours
    if case.ends_with_payment and case.review_until is None:
        raise CaseNotReady
    said = replace(
        case,
        verdict=verdict,
        verdict_code=code,
        verdict_note=note,
        verdict_by=staff_id,
        verdict_at=now,
        granted_minor=grant.limit_minor if grant else None,
        granted_price_bps=grant.price_bps if grant else None,
        assigned_to=None,
        assigned_until=None,
    )
    return replace(said, state="awaiting_second") if needs_second(said, verdict) else _final(said)


def second(case: Case, *, agrees: bool, staff_id: str, now: datetime) -> Case:
    """The second person's word: the verdict holds, or the case is open again.

    Raises:
        CaseNotAwaiting, SamePerson
    """
    if case.state != "awaiting_second":
        if agrees and case.second_by == staff_id:
            return case
        raise CaseNotAwaiting(f"The case is {case.state}")
    if case.verdict_by == staff_id:
        raise SamePerson
    if agrees:
        return _final(replace(case, second_by=staff_id, second_at=now))
    return replace(
        case,
        state="open",
        verdict=None,
        verdict_code=None,
        verdict_note=None,
        verdict_by=None,
        verdict_at=None,
        granted_minor=None,
        granted_price_bps=None,
    )


def _final(case: Case) -> Case:
    """A payment goes its way first; nothing else waits for anything."""
    if case.ends_with_payment:
        return replace(case, state="decided")
    at = case.second_at or case.verdict_at
    return replace(
        case,
        state="closed",
        outcome="approved" if case.verdict == "approve" else "declined",
        closed_at=at,
    )


def payment_ended(
    case: Case, *, settled: bool, reason_codes: tuple[str, ...], at: datetime
) -> Case:
    """Closed by what became of the payment, whoever had the last word on it."""
    if case.state == "closed":
        return case
    outcome: Outcome
    if settled:
        outcome = "approved"
    elif "review_declined" in reason_codes:
        outcome = "declined"
    else:
        outcome = "expired" if "review_expired" in reason_codes else "refused"
    return replace(
        case,
        state="closed",
        outcome=outcome,
        outcome_code=reason_codes[0] if reason_codes else None,
        closed_at=at,
        assigned_to=None,
        assigned_until=None,
    )


def asked(case: Case, *, now: datetime) -> Case:
    """Raised, because its customer asks for a person; once."""
    if case.asked_at is not None:
        return case
    return replace(case, asked_at=now, due_at=min(case.due_at, now + ASKED_WITHIN))
