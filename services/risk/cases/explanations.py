"""What a customer is told of a decision, in Chinese and English, and what can be done about it.

Personal Information Protection Law of China, article 24: who is subject to a decision made by
machine alone may have it explained and may refuse it. Regulation B (12 CFR 1002.9) and the
Consumer Credit Act ask for the specific reasons; so the reasons are those of the decision itself.
"""

from collections.abc import Mapping, Sequence
from uuid import UUID

from services.risk.cases.advice import advice_on
from services.risk.cases.domain import PAYMENT, Case
from services.risk.service import reasons_of
from shared.contracts.http.risk import DecisionRecord, Explanation, Reason
from shared.contracts.values import Localized

_Texts = Mapping[str, tuple[str, str]]

_OF_PAYMENT: _Texts = {
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
    "appeal_approved": (
        "经人工复核,我行认为该付款没有问题。原付款已结束,请重新发起。",
        "A person looked again and found nothing wrong. The payment itself is over: make it anew.",
    ),
}
_OF_APPLICATION: _Texts = {
    "waiting": (
        "您的申请正在由我行工作人员审核。",
        "A person at the bank is looking at your application.",
    ),
    "machine_declined": (
        "您的申请未获批准。该决定由系统自动作出。",
        "Your application was declined. This was decided by a machine.",
    ),
    "person_declined": (
        "经我行工作人员审核,您的申请未获批准。",
        "A person at the bank looked at your application and declined it.",
    ),
    "not_made": (
        "您的申请未能办理。",
        "Your application could not be carried out.",
    ),
    "approved": (
        "您的申请已获批准。",
        "Your application was approved.",
    ),
    "appeal_approved": (
        "经人工复核,您的申请已获批准。",
        "A person looked again, and your application is approved.",
    ),
}
_OF_ALL: _Texts = {
    "appeal_waiting": (
        "您已要求人工复核,我行工作人员将与您联系。",
        "You asked for a person; somebody from the bank will get in touch with you.",
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
_WHAT_TO_DO = ("您可以:", "What you can do: ")
#: Situations in which an application has ended without what was asked for.
_DECLINED = frozenset({"machine_declined", "person_declined", "not_made", "appeal_declined"})


def explain(
    *,
    decision_id: UUID,
    review: Case | None,
    appeal: Case | None,
    decision: DecisionRecord | None,
    main_reasons: Sequence[str],
) -> Explanation:
    """The answer to "why?": what was decided, by whom, for which reasons, and what can be done.

    `main_reasons` are codes, the weightiest first.
    """
    situation = _situation(review, appeal, decision)
    asked_at = (appeal and appeal.asked_at) or (review and review.asked_at) or None
    can_ask = asked_at is None and situation != "approved"
    product = decision.product if decision else review.product if review else PAYMENT
    reasons = [] if situation == "approved" else reasons_of(main_reasons)
    is_declined = product != PAYMENT and situation in _DECLINED
    advice = advice_on(main_reasons) if is_declined else []
    answers = {**(_OF_PAYMENT if product == PAYMENT else _OF_APPLICATION), **_OF_ALL}
    return Explanation(
        decision_id=decision_id,
        situation=situation,
        text=Localized(
            zh=_text(0, answers[situation], reasons, advice, can_ask=can_ask),
            en=_text(1, answers[situation], reasons, advice, can_ask=can_ask),
        ),
        reasons=reasons,
        advice=advice,
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


def _text(
    column: int,
    answer: tuple[str, str],
    reasons: Sequence[Reason],
    advice: Sequence[Localized],
    *,
    can_ask: bool,
) -> str:
    space = ("", " ")[column]
    parts = [answer[column]]
    if reasons:
        parts.append(_BECAUSE[column] + space.join(_in(column, it.text) for it in reasons))
    if advice:
        parts.append(_WHAT_TO_DO[column] + space.join(_in(column, it) for it in advice))
    if can_ask:
        parts.append(_CAN_ASK[column])
    return space.join(parts)


def _in(column: int, text: Localized) -> str:
    return (text.zh, text.en)[column]
