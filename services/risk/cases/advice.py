"""What an applicant can do after a decline, by its reason, in Chinese and English.

Beside the right to a person: a way that is open to the applicant, and nothing that would help to
slip past. A reason without a line of its own has the general one.
"""

from collections.abc import Mapping, Sequence

from shared.contracts.values import Localized

#: Lines of advice that one explanation gives.
MAX_LINES = 2

GENERAL = (
    "情况变化后,您可以随时重新申请。",
    "You may apply again whenever your circumstances change.",
)
ADVICE: Mapping[str, tuple[str, str]] = {
    "party_listed": (
        "请携带身份证件到网点,了解并更正我行掌握的信息。",
        "Visit a branch with your identity document to see and correct what we know.",
    ),
    "applicant_too_young": (
        "达到规定年龄后,您可以再次申请。",
        "You may apply once you have reached the age.",
    ),
    "identity_unproven": (
        "请携带身份证件到网点核实身份后再申请。",
        "Have your identity verified at a branch, then apply again.",
    ),
    "device_flooded": (
        "请使用本人设备重新申请,或到网点办理。",
        "Apply again from a device of your own, or at a branch.",
    ),
    "debt_burden_high": (
        "偿还部分现有借款后,您可以再次申请。",
        "You may apply again after repaying some of your present debts.",
    ),
    "credit_overdue": (
        "结清逾期款项后可再次申请;如记录有误,请向征信机构提出异议。",
        "Settle what is overdue, then apply again; object at the credit bureau to a wrong record.",
    ),
    "court_listed": (
        "履行法院确定的义务后可再次申请;如信息有误,请向法院申请更正。",
        "Meet the obligation, then apply again; ask the court to correct a wrong record.",
    ),
    "credit_grade_low": (
        "按时还款、降低负债有助于今后的评估;您也可以补充收入证明。",
        "Paying on time and owing less helps a later assessment; so do proofs of income.",
    ),
    "score_debts": (
        "偿还部分现有借款后,您可以再次申请。",
        "You may apply again after repaying some of your present debts.",
    ),
    "score_amount": (
        "您可以申请较低的金额。",
        "You may ask for a smaller amount.",
    ),
    "score_term": (
        "您可以选择更长的期限。",
        "You may choose a longer term.",
    ),
    "score_spending": (
        "支出减少后,您可以再次申请。",
        "You may apply again once your usual spending is lower.",
    ),
    "score_income": (
        "您可以补充收入证明后再次申请。",
        "Add proofs of your income and apply again.",
    ),
    "score_income_stated": (
        "请补充能证明申报收入的材料。",
        "Add proofs of the income that you stated.",
    ),
    "score_employment": (
        "在现单位工作更长时间后,您可以再次申请。",
        "You may apply again after some more time in your employment.",
    ),
    "score_overdue": (
        "结清逾期款项后可再次申请;如记录有误,请向征信机构提出异议。",
        "Settle what is overdue, then apply again; object at the credit bureau to a wrong record.",
    ),
    "score_queries": (
        "减少近期的信用申请后,您可以再次申请。",
        "You may apply again after some time without applications elsewhere.",
    ),
    "score_enforcement": (
        "履行法院确定的义务后可再次申请;如信息有误,请向法院申请更正。",
        "Meet the obligation, then apply again; ask the court to correct a wrong record.",
    ),
    "score_phone": (
        "使用该号码一段时间后,您可以再次申请。",
        "You may apply again after using this number for some time.",
    ),
    "score_applications": (
        "请在一段时间后再次申请。",
        "You may apply again after some time.",
    ),
    "identity_doubtful": (
        "请携带身份证件到网点核实身份后再申请。",
        "Have your identity verified at a branch, then apply again.",
    ),
}


def advice_on(codes: Sequence[str]) -> list[Localized]:
    """What can be done about the reasons, the weightiest first; never nothing."""
    lines = [ADVICE[code] for code in codes if code in ADVICE][:MAX_LINES] or [GENERAL]
    return [Localized(zh=zh, en=en) for zh, en in lines]
