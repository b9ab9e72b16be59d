"""The texts of the desk's page of outside sources, in the two languages that the bank speaks."""

from typing import Final

from services.risk.sources.domain import TERMS

#: name: (Chinese, English)
TEXTS: Final[dict[str, tuple[str, str]]] = {
    "sources": ("外部数据", "Sources"),
    "sources_title": ("外部数据源", "Outside sources"),
    "sources_lead": (
        "近 24 小时,所有进程合计。熔断器属于本进程:",
        "The last 24 hours of all processes. Breakers are those of this one:",
    ),
    "source": ("来源", "Source"),
    "breaker": ("熔断器", "Breaker"),
    "not_configured": ("未配置", "not configured"),
    "calls": ("调用", "Calls"),
    "answered": ("应答", "Answered"),
    "cached": ("缓存命中", "From cache"),
    "stale": ("旧数据", "Aged data"),
    "unanswered": ("无数据", "Nothing"),
    "no_consent": ("无授权", "No consent"),
    "unsure": ("未知结果", "Unknown end"),
    "kept": ("已存", "Kept"),
    "cost": ("费用", "Cost"),
    "terms": ("约定", "Terms"),
    "price": ("单价", "Price"),
    "valid_for": ("有效期", "Valid for"),
    "usable_for": ("最长保存", "Kept at most"),
    "timeout": ("超时", "Time-out"),
    "with_consent": ("需客户授权", "with the customer's consent"),
    "public": ("公开信息", "a public register"),
    "asks": ("查询内容", "What is asked"),
    "costs_title": ("按月费用", "Cost by month"),
    "costs_none": ("还没有产生费用。", "Nothing was asked yet."),
    "month": ("月份", "Month"),
    "total": ("合计", "Total"),
}

_FLAGS = {
    "source_unavailable": ("无应答", "gave no answer"),
    "source_stale": ("使用旧数据", "was away: aged data"),
    "source_no_consent": ("客户未授权", "the customer did not allow it"),
}
#: kind.code: (Chinese, English)
WORDS: Final[dict[str, tuple[str, str]]] = {
    "breaker.closed": ("正常", "closed"),
    "breaker.open": ("断开", "open"),
    "breaker.half_open": ("试探中", "trying"),
    "code.credit_unchecked": ("无征信记录", "No word of the credit bureau"),
    "code.credit_sought_often": ("近期多次申请信用", "Many lenders were asked of late"),
    "code.court_listed": ("失信被执行人", "On the courts' register"),
    "code.court_case_open": ("有未结执行案件", "A case of enforcement is open"),
    "code.income_unconfirmed": ("收入未证实", "Income not confirmed by the tax office"),
    "code.spending_high": ("消费高于收入", "More is spent than earned"),
    "code.phone_unconfirmed": ("号码未证实", "A new number, or somebody else's"),
} | {
    f"code.{flag}.{source}": (f"{terms.title[0]}:{zh}", f"{terms.title[1]}: {en}")
    for flag, (zh, en) in _FLAGS.items()
    for source, terms in TERMS.items()
}
