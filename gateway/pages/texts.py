"""Every text of the pages, in the two languages that the bank speaks."""

from collections.abc import Mapping
from typing import Final, Literal

Lang = Literal["zh", "en"]

#: name: (Chinese, English)
_TEXTS: Final[dict[str, tuple[str, str]]] = {
    "bank": ("通宝银行", "Tongbao Bank"),
    "html_lang": ("zh-CN", "en"),
    "other_lang": ("English", "中文"),
    "language": ("语言", "Language"),
    "sign_in_title": ("登录以查看支付授权", "Sign in to see a payment request"),
    "sign_in_lead": (
        "请求您授权一项付款。请先登录通宝银行，再决定是否同意。",
        "asks for your consent to a payment. Sign in to your bank to see it and to decide.",
    ),
    "login_name": ("登录名", "User name"),
    "password": ("密码", "Password"),
    "sign_in": ("登录", "Sign in"),
    "sign_in_note": (
        "请确认浏览器地址栏显示的是本行网址。您的密码只会交给银行，不会提供给商户。",
        (
            "Check that the address bar shows your bank. Your password goes to the bank alone, "
            "never to the partner."
        ),
    ),
    "decide_title": ("确认支付授权", "Review this payment consent"),
    "decide_lead": ("申请获得以下授权：", "asks for your consent to take payments:"),
    "partner": ("申请机构", "Requested by"),
    "purpose": ("授权用途", "Purpose"),
    "purpose_text": (
        "从您的账户向下列收款人付款，可分多次，总额不超过限额",
        "Pay the payee below from your account, at once or in parts, up to the limit in total",
    ),
    "payee": ("收款人", "Payee"),
    "payee_account": ("收款账号", "Payee's account"),
    "limit": ("总限额", "Limit in total"),
    "expires": ("有效期至", "Valid until"),
    "choose_account": ("付款账户", "Pay from"),
    "available": ("可用余额", "Available"),
    "owner": ("本人账户", "Your account"),
    "authorized_user": ("授权使用", "Authorized user"),
    "no_account": (
        "您没有可用于此授权的账户。您可以拒绝此申请。",
        "You have no account that this consent can use. You can refuse it.",
    ),
    "code": ("短信验证码", "One-time code"),
    "code_sent": (
        "验证码已发送至您预留的手机，短信中会列明收款人与限额，请核对。",
        "We sent a code to your phone. The message names payee and limit: compare them.",
    ),
    "send_again": ("重新发送验证码", "Send a new code"),
    "agree": ("同意授权", "Agree"),
    "deny": ("拒绝", "Refuse"),
    "decide_note": (
        "您可随时在本行撤销授权；已受理的付款不受影响。",
        "You can revoke this at any time at your bank. Payments accepted before go on.",
    ),
    "authorized_title": ("授权成功", "You have agreed"),
    "authorized_text": (
        "该机构现可在限额内发起付款。您可以关闭此页面。",
        "The partner may now take payments up to the limit. You can close this page.",
    ),
    "rejected_title": ("已拒绝授权", "Consent refused"),
    "rejected_text": (
        "该机构不能依此申请付款。您可以关闭此页面。",
        "The partner cannot take payments under this request. You can close this page.",
    ),
    "expired_title": ("授权申请已过期", "This request has expired"),
    "expired_text": (
        "请回到申请机构重新发起。",
        "Go back to the partner and start again.",
    ),
    "revoked_title": ("授权已撤销", "This consent was revoked"),
    "revoked_text": (
        "此授权已不能使用。",
        "It cannot be used any more.",
    ),
    "back": ("返回申请机构", "Back to the partner"),
    "unknown_title": ("找不到此授权申请", "We do not know this request"),
    "unknown_text": (
        "链接可能不完整或已失效。请回到申请机构重新发起。",
        "The link may be incomplete or out of date. Go back to the partner and start again.",
    ),
    "trouble_title": ("暂时无法处理", "We cannot do this right now"),
    "trouble_text": (
        "请稍后再试。您的授权没有改变。",
        "Try again in a moment. Nothing has been changed.",
    ),
    "forged_title": ("页面已失效", "This page is out of date"),
    "forged_text": (
        "为了您的安全，请重新打开授权链接。",
        "For your safety, open the link again.",
    ),
    "wrong_password": ("登录名或密码不正确。", "The user name or the password is not right."),
    "sign_in_locked": (
        "尝试次数过多，请稍后再试。",
        "Too many tries. Wait a while and try again.",
    ),
    "wrong_code": (
        "验证码不正确。还可尝试 {left} 次。",
        "The code is not right. Tries left: {left}.",
    ),
    "code_ended": (
        "验证码已失效，请重新发送。",
        "The code has expired. Send a new one.",
    ),
    "code_wait": (
        "验证码发送过于频繁，请稍后再试。",
        "Too many codes were sent. Wait a while and try again.",
    ),
    "code_unsent": (
        "暂时无法发送验证码，请稍后重新发送。",
        "The code could not be sent. Try again in a moment.",
    ),
    "code_renewed": ("已发送新的验证码。", "A new code is on its way."),
    "code_not_right": ("验证码不正确。", "The code is not right."),
    "code_missing": ("请输入验证码。", "Enter the code."),
    "account_missing": ("请选择付款账户。", "Choose the account to pay from."),
    "account_refused": ("不能使用此账户。", "This account cannot be used."),
    "session_ended": ("登录已超时，请重新登录。", "Your session has ended. Sign in again."),
    "authorize_sign_in_title": ("登录以处理授权申请", "Sign in to see what is asked of you"),
    "authorize_lead": (
        "请求访问您在本行的信息或账户。请先登录通宝银行，再决定是否同意。",
        "asks for access at your bank. Sign in to see for what, and to decide.",
    ),
    "cancel": ("取消并返回", "Cancel and go back"),
    "authorize_title": ("确认授权", "Review what you allow"),
    "authorize_decide_lead": ("申请获得以下授权：", "asks you to allow:"),
    "organization": ("所属机构", "Organization"),
    "duration": ("有效期", "For how long"),
    "until": ("至 {until}（{days} 天）", "Until {until} ({days} days)"),
    "share_accounts": ("选择要共享的账户", "Choose the accounts to share"),
    "authorize_no_account": (
        "您没有可用于此授权的账户。您可以拒绝此申请。",
        "You have no account that this can be about. You can refuse it.",
    ),
    "accounts_missing": ("请选择账户。", "Choose an account."),
    "authorize_note": (
        "您可随时在本行撤销此授权。密码与验证码只提供给银行。",
        "You can revoke this at any time at your bank. Password and code go to the bank alone.",
    ),
    "passkey_sign_in": ("使用通行密钥登录", "Sign in with a passkey"),
    "passkey_confirm": ("使用通行密钥确认", "Confirm with a passkey"),
    "passkey_refused": (
        "通行密钥未能验证，请重试或改用密码。",
        "The passkey did not work. Try again, or use your password.",
    ),
    "authorize_error_title": ("无法打开此授权申请", "This request cannot be opened"),
    "authorize_error_text": (
        "链接不完整、已使用或已过期。请回到申请机构重新发起。",
        "The link is incomplete, was used, or has expired. Go back to the app and start again.",
    ),
    "landing_title": ("通宝开放银行接口", "Tongbao open banking gateway"),
    "landing_lead": (
        "合作机构由此以签名身份获取令牌，并在客户同意的范围内发起付款。",
        "Partners get tokens here with signed credentials, and pay within what customers allow.",
    ),
    "landing_api": ("接口说明（OpenAPI）", "API description (OpenAPI)"),
    "landing_metadata": ("授权服务器元数据", "Authorization server metadata"),
    "landing_keys": ("令牌验签公钥", "Keys that verify our tokens"),
}


def language(wanted: str | None) -> Lang:
    """Chinese unless the reader asks for English."""
    return "en" if wanted == "en" else "zh"


def texts(lang: Lang) -> Mapping[str, str]:
    """All texts by name."""
    column = 0 if lang == "zh" else 1
    return {name: pair[column] for name, pair in _TEXTS.items()}
