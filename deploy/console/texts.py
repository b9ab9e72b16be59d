"""Every text of the landing page, in the two languages that the bank speaks."""

from typing import Final, Literal

Lang = Literal["zh", "en"]

#: name: (Chinese, English)
_TEXTS: Final[dict[str, tuple[str, str]]] = {
    "bank": ("通宝银行", "Tongbao Bank"),
    "html_lang": ("zh-CN", "en"),
    "other_lang": ("English", "中文"),
    "language": ("语言", "Language"),
    "title": ("运行概览", "The running bank"),
    "lead": (
        "一台机器上的完整银行:每个服务、每个科目、每一笔付款。",
        "A whole bank on one machine: every service, every line of its books, every payment.",
    ),
    "live_on": ("自动刷新", "Refresh by itself"),
    "live_off": ("停止刷新", "Stop refreshing"),
    "customers": ("客户", "Customers"),
    "accounts": ("账户", "Accounts"),
    "transfers": ("转账", "Transfers"),
    "payments": ("付款", "Payments"),
    "services": ("服务", "Services"),
    "service": ("服务", "Service"),
    "state": ("状态", "State"),
    "port": ("端口", "Port"),
    "process": ("进程", "Process"),
    "memory": ("内存", "Memory"),
    "up": ("已运行", "Up"),
    "restarts": ("重启", "Restarts"),
    "ready": ("正常", "ready"),
    "not_ready": ("未就绪", "not ready"),
    "down": ("无响应", "down"),
    "balances": ("总账科目", "The books"),
    "balances_lead": (
        "贷方为正。每种货币的合计必须为零。",
        "A credit is positive. In every currency the sum must be zero.",
    ),
    "code": ("科目", "Line"),
    "line": ("名称", "Name"),
    "side": ("类别", "Side"),
    "held": ("冻结中", "Held"),
    "balance": ("余额", "Balance"),
    "sum": ("合计", "Sum"),
    "balanced": ("平衡", "balances"),
    "unbalanced": ("不平衡!", "does NOT balance"),
    "asset": ("资产", "asset"),
    "liability": ("负债", "liability"),
    "equity": ("权益", "equity"),
    "income": ("收入", "income"),
    "expense": ("支出", "expense"),
    "last_payments": ("最近付款", "Last payments"),
    "no_payments": ("还没有付款。", "No payment yet."),
    "time": ("时间", "Time"),
    "amount": ("金额", "Amount"),
    "from_to": ("付款账户 → 收款账户", "From → to"),
    "score": ("风险分", "Risk score"),
    "reasons": ("原因", "Reasons"),
    "way": ("路径", "Way"),
    "show_way": ("查看路径", "show its way"),
    "received": ("已受理", "received"),
    "approved": ("已批准", "approved"),
    "settled": ("已入账", "settled"),
    "rejected": ("已拒绝", "rejected"),
    "in_review": ("审核中", "in review"),
    "no_database": ("数据库没有响应。", "The database does not answer."),
    "trace": ("付款路径", "A payment's way"),
    "trace_id": ("追踪号", "Trace id"),
    "find": ("查找", "Find"),
    "trace_lead": (
        "每一行是一次调用或一个事件,按因果排列。",
        "Each row is one call or one event, below what caused it.",
    ),
    "trace_unknown": (
        "日志中没有此追踪号。日志会滚动,较早的路径不再保留。",
        "The logs know no such trace. Logs roll over, so that old ways are gone.",
    ),
    "trace_malformed": (
        "追踪号由 32 位十六进制小写字符组成。",
        "A trace id has 32 hexadecimal digits in lower case.",
    ),
    "hops": ("跳", "hops"),
    "in_total": ("总耗时", "in all"),
    "call": ("调用", "Call"),
    "event": ("事件", "Event"),
    "begins": ("开始于", "Begins at"),
    "takes": ("耗时", "Takes"),
    "back": ("返回概览", "Back to the overview"),
    "events": ("事件", "Events"),
    "events_lead": ("待发布 / 未能处理", "to be published / could not be handled"),
    "links": ("更多", "Where to look"),
    "gateway_link": ("开放银行接口", "The gateway for partners"),
    "api_link": ("接口说明 (OpenAPI)", "API description (OpenAPI)"),
    "desk_link": ("风险审核台(员工)", "The risk desk for staff"),
    "reconciliation_link": ("账簿核对报告", "Reconciliation of the book"),
    "files": ("运行文件", "Files of this bank"),
    "identity_does": ("客户、权限、登录", "customers, rights, sign-in"),
    "ledger_does": ("账户、转账、余额", "accounts, transfers, balances"),
    "payments_does": ("付款流程", "the payment flow"),
    "risk_does": ("风险决策", "risk decisions"),
    "profiles_does": ("客户画像、营销", "profiles and offers"),
    "advisor_does": ("智能投顾", "risk grades and suitability"),
    "bureau_does": ("模拟的外部数据源", "the outside world, simulated"),
    "gateway_does": ("开放接口、授权", "partners, tokens, consents"),
}


def language(wanted: str | None, accepted: str | None) -> Lang:
    """What the link asks for; else the browser's first language; Chinese in the end."""
    if wanted in {"zh", "en"}:
        return "en" if wanted == "en" else "zh"
    return "en" if (accepted or "").lower().startswith("en") else "zh"


def texts(lang: Lang) -> dict[str, str]:
    """All texts by name."""
    column = 0 if lang == "zh" else 1
    return {name: pair[column] for name, pair in _TEXTS.items()}
