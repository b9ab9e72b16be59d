"""What a customer may read of each reason: what to do, and nothing that would help to slip past.

A rule gives a reason's code, and only codes of this table: a text is read in two languages by
those who answer for it before any policy uses it.
"""

from collections.abc import Mapping

#: The reason of every rule that could not be evaluated.
RULE_FAILED = "rule_failed"
#: The reason of a grade that gets no credit: a scorecard's own reasons say what is behind it.
GRADE_LOW = "credit_grade_low"
#: What a decision is flagged with that was not made in time, or knew too little.
DEADLINE_EXCEEDED = "deadline_exceeded"
FEATURES_MISSING = "features_missing"
#: Flags with which no policy approves, whatever its rules say: a person looks, and reads why.
NEVER_APPROVED = frozenset({DEADLINE_EXCEEDED, FEATURES_MISSING})

REASONS: Mapping[str, tuple[str, str]] = {
    "model_score_high": (
        "该笔付款与您平常的用款习惯差异很大,为保护您的资金,我们未予办理。如确为本人操作,请联系我行。",
        "To protect your money we did not make this unusual payment. Please call us if it was you.",
    ),
    "model_score_elevated": (
        "该笔付款与您平常的用款习惯有差异,我们正在核实。",
        "This payment differs from your usual ones; we are checking it.",
    ),
    "payee_listed": (
        "目前无法向该账户付款,请联系我行。",
        "Payments to this account are not possible at present. Please contact us.",
    ),
    "currency_unrated": (
        "该币种的付款需要人工核实。",
        "A payment in this currency is checked by a person first.",
    ),
    "amount_over_ceiling": (
        "大额付款需要人工核实。",
        "A payment of this size is checked by a person first.",
    ),
    "amount_unscored": (
        "系统暂时无法自动核实该笔付款,正在由人工核实。",
        "This payment could not be checked automatically; a person is checking it.",
    ),
    "night_new_payee": (
        "夜间首次向该收款人付款,我们正在核实。",
        "A first payment to this payee at night is checked by a person first.",
    ),
    "payment_burst": (
        "短时间内付款次数较多,我们正在核实。",
        "Many payments were made within a short time; we are checking this one.",
    ),
    "small_then_large": (
        "近期付款方式与您的习惯不同,我们正在核实。",
        "Your latest payments follow an unusual pattern; we are checking this one.",
    ),
    "payee_collects": (
        "短期内有多人向该收款人付款,我们正在核实,谨防诈骗。",
        "Many people paid this payee lately; a person checks this payment first.",
    ),
    "payees_many": (
        "近期付款的收款人较多,我们正在核实。",
        "You paid many payees lately; a person checks this payment first.",
    ),
    "amount_split": (
        "近期付款总额较大,我们正在核实。",
        "Your payments add up to a large amount lately; a person checks this one first.",
    ),
    "device_crowded": (
        "多位客户使用了同一设备付款,我们正在核实。",
        "Several customers paid from this device; a person checks this payment first.",
    ),
    "device_new": (
        "这是新设备向新收款人的付款,我们正在核实是否为本人操作。",
        "A new device pays a new payee; a person checks that it is you.",
    ),
    RULE_FAILED: (
        "该笔业务正在由人工核实。",
        "A person is checking this request.",
    ),
    DEADLINE_EXCEEDED: (
        "系统未能及时完成核实,正在由人工核实。",
        "This request could not be checked in time; a person is checking it.",
    ),
    FEATURES_MISSING: (
        "系统缺少核实所需的信息,正在由人工核实。",
        "Some of what is needed to check this request is missing; a person is checking it.",
    ),
    "party_listed": (
        "目前无法为您办理该业务,请联系我行。",
        "We cannot do this for you at present. Please contact us.",
    ),
    "party_watched": (
        "该业务需要人工核实,请稍候。",
        "A person checks this request first; please allow us some time.",
    ),
    "ring_suspected": (
        "为保护您的信息与资金安全,该业务需要人工核实。",
        "To protect you and your money, a person checks this request first.",
    ),
    "applications_many": (
        "近期申请次数较多,该申请需要人工核实。",
        "There were many applications lately; a person checks this one first.",
    ),
    "device_shared": (
        "多位申请人使用了同一设备,该申请需要人工核实。",
        "Several applicants used this device; a person checks this application first.",
    ),
    "device_flooded": (
        "该设备的申请次数过多,请使用本人设备或到网点办理。",
        "Too many applications came from this device. Please use your own, or visit a branch.",
    ),
    "applicant_too_young": (
        "您未达到办理该业务的年龄要求。",
        "You are not of the age that this product requires yet.",
    ),
    "identity_unproven": (
        "我们未能核实您的身份,请携带证件到网点办理。",
        "We could not verify your identity. Please visit a branch with your identity document.",
    ),
    "face_unclear": (
        "人脸核验不够清晰,正在由人工核实。",
        "The face check was not clear enough; a person is checking it.",
    ),
    "income_unknown": (
        "我们需要人工核实您的收入。",
        "A person has to verify your income first.",
    ),
    "debt_burden_high": (
        "您现有的还款负担较高,暂时无法办理。",
        "Your present repayments are too high for this product.",
    ),
    "amount_over_limit": (
        "申请金额超出可核定的额度,正在由人工核实。",
        "The amount asked for is above what we can grant at once; a person is checking it.",
    ),
    "credit_overdue": (
        "您的信用记录中有逾期款项,暂时无法办理。",
        "Your credit record shows overdue debts, so we cannot offer this product now.",
    ),
    GRADE_LOW: (
        "综合评估未达到该产品的要求。",
        "The overall assessment does not meet this product's requirements.",
    ),
    "credit_unscored": (
        "系统暂时无法自动评估该申请,正在由人工核实。",
        "This application could not be assessed automatically; a person is checking it.",
    ),
    "credit_unchecked": (
        "暂时无法取得您的信用记录,正在由人工核实。",
        "Your credit record could not be read at present; a person is checking the application.",
    ),
    "credit_sought_often": (
        "近期信用申请较多,该申请需要人工核实。",
        "Credit was applied for often of late; a person checks this application.",
    ),
    "court_listed": (
        "法院公示信息显示您有未履行的义务,暂时无法办理。",
        "Public court records show an obligation that is not met, so we cannot offer this now.",
    ),
    "court_case_open": (
        "法院公示信息需要人工核实。",
        "A person has to look at a public court record first.",
    ),
    "income_unconfirmed": (
        "我们需要人工核实您申报的收入。",
        "A person has to verify the income that you stated.",
    ),
    "spending_high": (
        "您的支出情况需要人工核实。",
        "A person has to look at your spending first.",
    ),
    "phone_unconfirmed": (
        "我们需要人工核实您的手机号码。",
        "A person has to verify your phone number.",
    ),
    # What a scorecard took points for: told where its grade was the reason.
    "score_debts": (
        "您的还款负担相对收入偏高。",
        "Your repayments are high for your income.",
    ),
    "score_amount": (
        "申请金额相对收入偏高。",
        "The amount asked for is high for your income.",
    ),
    "score_term": (
        "所选期限使每月还款额偏高。",
        "Over the term that you chose, the monthly payments are high.",
    ),
    "score_spending": (
        "您的日常支出相对收入偏高。",
        "Your usual spending is high for your income.",
    ),
    "score_income": (
        "经核实的收入偏低或无法核实。",
        "Your verified income is low, or could not be verified.",
    ),
    "score_income_stated": (
        "申报收入高于可核实的收入。",
        "The income that you stated is higher than what could be verified.",
    ),
    "score_employment": (
        "目前工作的年限较短或未提供。",
        "You have not been long in your present employment, or did not say how long.",
    ),
    "score_overdue": (
        "您的信用记录中有逾期或无法取得。",
        "Your credit record shows late payments, or could not be read.",
    ),
    "score_queries": (
        "近期多家机构查询过您的信用记录。",
        "Several lenders asked for your credit record of late.",
    ),
    "score_enforcement": (
        "法院公示信息显示有未结执行案件。",
        "Public court records show an open case of enforcement.",
    ),
    "score_phone": (
        "您的手机号码使用时间较短。",
        "Your phone number has not been in use for long.",
    ),
    "score_applications": (
        "近期提交的申请较多。",
        "You made several applications of late.",
    ),
    "identity_doubtful": (
        "我们未能确认申请人身份信息的一致性,请携带证件到网点办理。",
        "What we could learn does not confirm who applies. Please visit a branch with a document.",
    ),
    "identity_checked": (
        "我们正在由人工核实您的身份信息。",
        "A person is checking what you told us about yourself.",
    ),
}
