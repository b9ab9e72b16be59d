"""A payment's states, what is due next, and what each answer makes of it.

The ledger's hold (its id is the payment's) decides how a payment ends: captured means settled,
released or expired means rejected. Whoever resumes a payment asks the ledger first and records
the answer after it, so that two who resume at once, or one who died in between, end the same.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Literal
from uuid import UUID

State = Literal["received", "approved", "in_review", "settled", "rejected"]
Outcome = Literal["approve", "review", "decline"]
Verdict = Literal["approve", "decline"]

FINAL: frozenset[State] = frozenset({"settled", "rejected"})

#: How long a first hold lives: the longest that a payment which died before it was stored keeps
#: its debtor's money, and the longest that a stored one may wait for the ledger to come back.
HOLD_S = 600
REVIEW_LASTS = timedelta(hours=72)
#: Longer than the review, so that the review ends and not the hold.
REVIEW_HOLD_S = 73 * 3600
#: A payment that rests longer than this between two steps was left by whoever carried it.
RESUME_AFTER = timedelta(seconds=5)

RISK_UNAVAILABLE = "risk_unavailable"
REVIEW_DECLINED = "review_declined"
REVIEW_EXPIRED = "review_expired"
HOLD_EXPIRED = "hold_expired"


@dataclass(frozen=True, slots=True)
class Payment:
    """One payment as it is stored. Amounts are minor units, times are aware and in UTC.

    `verdict` is what a reviewer said; `due_at` is when the worker looks at it next, if ever.
    """

    payment_id: UUID
    body_hash: bytes
    state: State
    customer_id: str
    partner_id: str | None
    consent_id: UUID | None
    debtor_account: str
    creditor_account: str
    creditor_name: str
    amount_minor: int
    currency: str
    end_to_end_id: str
    remittance: str | None
    channel: str
    trace_id: str | None
    span_id: str | None
    received_at: datetime
    updated_at: datetime
    due_at: datetime | None
    reason_codes: tuple[str, ...] = ()
    risk_score: float | None = None
    transfer_id: UUID | None = None
    approved_at: datetime | None = None
    review_until: datetime | None = None
    verdict: Verdict | None = None
    reviewed_by: str | None = None
    review_reason: str | None = None
    device_id: str | None = None
    ip_address: str | None = None
    merchant_id: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What risk said, or what stands in for it. `score` is in [0, 1]."""

    outcome: Outcome
    reason_codes: tuple[str, ...]
    score: float | None


#: No answer of risk, or none in time: a person looks at it, nobody guesses.
NO_DECISION = Decision("review", (RISK_UNAVAILABLE,), None)


class Step(Enum):
    """What whoever carries a payment does next."""

    DECIDE = auto()
    CAPTURE = auto()
    RELEASE = auto()
    NOTHING = auto()


Change = Callable[[Payment], Payment | None]
"""The payment after something happened to it; None where that changes it no more."""


def next_step(payment: Payment, *, now: datetime) -> Step:
    """What is due; NOTHING for a payment that ended or that waits for a reviewer."""
    match payment.state:
        case "received":
            return Step.DECIDE
        case "approved":
            return Step.CAPTURE
        case "in_review" if payment.verdict == "decline" or is_review_over(payment, now=now):
            return Step.RELEASE
    return Step.NOTHING


def is_review_over(payment: Payment, *, now: datetime) -> bool:
    """Whether the time for a reviewer's word has run out."""
    return payment.review_until is not None and payment.review_until <= now


def _reasons_at_hand(payment: Payment, *, now: datetime) -> tuple[str, ...]:
    """Why a payment ends without a captured hold: a reviewer's word, that none came, or that
    the hold was over before the payment was.
    """
    if next_step(payment, now=now) is not Step.RELEASE:
        return (HOLD_EXPIRED,)
    return (REVIEW_DECLINED,) if payment.verdict == "decline" else (REVIEW_EXPIRED,)


def settled(payment: Payment, *, now: datetime, score: float | None = None) -> Payment | None:
    """After the hold was captured. The money has moved, so every open state gives way to it."""
    if payment.state in FINAL:
        return None
    return replace(
        payment,
        state="settled",
        transfer_id=payment.payment_id,
        risk_score=payment.risk_score if score is None else score,
        approved_at=payment.approved_at or now,
        updated_at=now,
        due_at=None,
    )


def rejected(
    payment: Payment, *, reason_codes: tuple[str, ...], now: datetime, score: float | None = None
) -> Payment | None:
    """After the hold was released or had expired: the amount is the debtor's again.

    Without `reason_codes` the payment itself tells why.
    """
    if payment.state in FINAL:
        return None
    return replace(
        payment,
        state="rejected",
        reason_codes=reason_codes or _reasons_at_hand(payment, now=now),
        risk_score=payment.risk_score if score is None else score,
        updated_at=now,
        due_at=None,
    )


def sent_to_review(payment: Payment, *, decision: Decision, now: datetime) -> Payment | None:
    """After the hold was extended: a reviewer has 72 h."""
    if payment.state != "received":
        return None
    return replace(
        payment,
        state="in_review",
        reason_codes=decision.reason_codes,
        risk_score=decision.score,
        review_until=now + REVIEW_LASTS,
        updated_at=now,
        due_at=now + REVIEW_LASTS,
    )


def reviewed(
    payment: Payment,
    *,
    verdict: Verdict,
    staff_id: str,
    reason: str,
    now: datetime,
    is_carried: bool = True,
) -> Payment | None:
    """A reviewer's word, once and in time. A declined payment stays in review until its hold
    is released, so that `rejected` always means that the amount is free.

    `is_carried`: whoever brings the word goes on with the payment; else the worker does at once.
    """
    if payment.state != "in_review" or payment.verdict or is_review_over(payment, now=now):
        return None
    return replace(
        payment,
        state="approved" if verdict == "approve" else "in_review",
        verdict=verdict,
        reviewed_by=staff_id,
        review_reason=reason,
        approved_at=now if verdict == "approve" else None,
        updated_at=now,
        due_at=now + RESUME_AFTER if is_carried else now,
    )


def shown_reasons(payment: Payment) -> tuple[str, ...]:
    """The reasons that a reader sees: those of a review are over when the payment settled."""
    return payment.reason_codes if payment.state in {"rejected", "in_review"} else ()
