"""The texts of an application at the desk: what is known of it, and what is granted."""

from typing import Final

#: name: (Chinese, English)
TEXTS: Final[dict[str, tuple[str, str]]] = {
    "application": ("申请", "Application"),
    "application_facts": ("申请信息", "What is known of the application"),
    "sources_asked": ("外部数据", "Outside sources"),
    "sources_none": ("未查询外部数据。", "No outside source was asked."),
    "use_state": ("状态", "How"),
    "use_age": ("数据时效", "Age"),
    "use_cost": ("费用", "Cost"),
    "grade": ("风险等级", "Grade"),
    "policy_limit": ("策略额度", "Limit by the policy"),
    "policy_price": ("年利率", "Yearly rate"),
    "granted": ("核定", "Granted"),
    "limit_label": ("核定额度(元)", "Limit granted, in yuan"),
    "limit_hint": (
        "仅批准时填写,不超过申请金额;留空则用策略额度。利率只随风险等级。",
        "Up to what was asked for; empty for the policy's own. The rate follows the grade alone.",
    ),
    "limit_unfit": (
        "请填写不超过申请金额的核定额度;拒绝时留空。",
        "Name a limit up to what was asked for with an approval, and none with a decline.",
    ),
    "second_rule_credit": (
        "授信 10 万元及以上须复核。",
        "From 100,000 yuan on a second person has to agree.",
    ),
    "yes": ("是", "yes"),
    "no": ("否", "no"),
}
#: `kind.word` is the text of the word.
WORDS: Final[dict[str, tuple[str, str]]] = {
    "fact.age": ("年龄", "Age"),
    "fact.identity_proven": ("身份已核实", "Identity proven"),
    "fact.face_match": ("人脸匹配度", "Face and document agree"),
    "fact.customer_count_30d": ("该客户30天内申请次数", "Applications of the customer in 30 days"),
    "fact.device_count_24h": ("该设备24小时内申请次数", "Applications from the device in a day"),
    "fact.device_customers_30d": ("该设备30天内申请人数", "Applicants on the device in 30 days"),
    "fact.requested_minor": ("申请金额", "Amount asked for"),
    "fact.monthly_income_minor": ("申报月收入", "Monthly income, as stated"),
    "fact.monthly_debt_minor": ("申报月还款", "Monthly repayments, as stated"),
    "fact.employed_months": ("在职月数", "Months in this employment"),
    "fact.term_months": ("期限(月)", "Term in months"),
    "use.live": ("实时", "asked just then"),
    "use.cached": ("缓存", "a kept answer"),
    "use.stale": ("旧数据", "an aged answer"),
    "use.failed": ("失败", "no answer"),
    "use.refused_consent": ("无授权", "no consent"),
    "use.skipped": ("未查询", "not asked"),
    "code.applications_many": ("申请次数多", "Many applications"),
    "code.device_shared": ("多人同设备申请", "Several applicants on one device"),
    "code.device_flooded": ("设备申请过多", "Too many applications from the device"),
    "code.applicant_too_young": ("未达年龄", "Too young"),
    "code.identity_unproven": ("身份未核实", "Identity not proven"),
    "code.face_unclear": ("人脸核验不清", "The face check is not clear"),
    "code.income_unknown": ("收入未知", "No income is known"),
    "code.debt_burden_high": ("负债率高", "Debts take too much of the income"),
    "code.amount_over_limit": ("申请金额超限", "More than is granted without a look"),
    "code.credit_overdue": ("征信有逾期", "Overdue at the credit bureau"),
    "code.credit_grade_low": ("等级过低", "The grade is too low"),
    "code.credit_unscored": ("无评分", "No model scores it"),
}
