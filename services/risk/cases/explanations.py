"""What a customer is told of a decision, in Chinese and English, and what can be done about it.

Personal Information Protection Law of China, article 24: who is subject to a decision made by
machine alone may have it explained and may refuse it. Regulation B (12 CFR 1002.9) and the
Consumer Credit Act ask for the specific reasons; so the reasons are those of the decision itself.
"""

from collections.abc import Sequence
from uuid import UUID

from services.risk.cases.domain import Case
from shared.contracts.http.risk import DecisionRecord, Explanation, Reason
from shared.contracts.values import Localized

_ANSWERS = {
    "waiting": (
        "您的付款正在由我行工作人员核实。",
        "A person at the bank is checking your payment.",
    ),
    "machine_declined": (
        "您的付款未予办理。该决定由系统自动作出。",
        "Your payment was not made. This was decided by a machine.",
    ),
    "person_declined": (
        "经我行工作人员核实,您的付款未予办理。",
        "A person at the bank checked your payment and decided not to make it.",
    ),
    "not_made": (
        "您的付款未能办理。",
        "Your payment could not be made.",
    ),
    "approved": (
        "您的付款已获批准。",
        "Your payment was approved.",
    ),
    "appeal_waiting": (
        "您已要求人工复核,我行工作人员将与您联系。",
        "You asked for a person; somebody from the bank will get in touch with you.",
    ),
    "appeal_approved": (
        "经人工复核,我行认为该付款没有问题。原付款已结束,请重新发起。",
        "A person looked again and found nothing wrong. The payment itself is over: make it anew.",
    ),
    "appeal_declined": (
        "经人工复核,我行维持原决定。",
        "A person looked again, and the decision stands.",
    ),
}
_CAN_ASK = (
    "您有权要求由工作人员复核,而不只由系统决定。",
    "You have the right to ask that a person decides, and not a machine alone.",
)
_BECAUSE = ("原因:", "The reasons: ")


def explain(
    *, decision_id: UUID, review: Case | None, appeal: Case | None, decision: DecisionRecord | None
) -> Explanation:
    """The answer to "why?": what was decided, by whom, for which reasons, and what can be done."""
    situation = _situation(review, appeal, decision)
    asked_at = (appeal and appeal.asked_at) or (review and review.asked_at) or None
    can_ask = asked_at is None and situation != "approved"
    reasons: Sequence[Reason] = decision.reasons if decision and situation != "approved" else ()
    return Explanation(
        decision_id=decision_id,
        situation=situation,
        text=Localized(
            zh=_text(0, situation, reasons, can_ask=can_ask),
            en=_text(1, situation, reasons, can_ask=can_ask),
        ),
        reasons=list(reasons),
        can_ask_for_person=can_ask,
        asked_for_person_at=asked_at,
    )


def _situation(review: Case | None, appeal: Case | None, decision: DecisionRecord | None) -> str:
    if appeal is not None:
        if appeal.outcome is None:
            return "appeal_waiting"
        return "appeal_approved" if appeal.outcome == "approved" else "appeal_declined"
    if review is not None:
        if review.outcome is None:
            return "waiting"
        if review.outcome == "approved":
            return "approved"
        return "person_declined" if review.outcome == "declined" else "not_made"
    is_declined = decision is not None and decision.outcome != "approve"
    return "machine_declined" if is_declined else "approved"


def _text(column: int, situation: str, reasons: Sequence[Reason], *, can_ask: bool) -> str:
    parts = [_ANSWERS[situation][column]]
    if reasons:
        said = [(reason.text.zh, reason.text.en)[column] for reason in reasons]
        parts.append(_BECAUSE[column] + ("" if column == 0 else " ").join(said))
    if can_ask:
        parts.append(_CAN_ASK[column])
    return ("" if column == 0 else " ").join(parts)
