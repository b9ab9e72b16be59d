"""Payment consents: what a customer allowed a partner, and the states that this goes through."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from shared.kit.problems import BankError

ConsentState = Literal["awaiting_authorization", "authorized", "revoked", "expired", "rejected"]

#: PSD2's access consents last 90 days; nothing here lasts longer.
MAX_LIFETIME: Final = timedelta(days=90)
#: Under which kind a grant names such a consent.
GRANT_KIND: Final = "payment_consent"
#: Wrong one-time codes before the consent is rejected.
MAX_CODE_TRIES: Final = 5


class ConsentNotFound(BankError):
    status, code, title = 404, "consent_not_found", "This partner has no such consent"


class ConsentNotAwaiting(BankError):
    status, code, title = 409, "consent_not_awaiting", "The consent has been decided already"


class ConsentNotRevocable(BankError):
    status, code, title = 409, "consent_not_revocable", "The consent is not open any more"


class ConsentNotAuthorized(BankError):
    status, code, title = 403, "consent_not_authorized", "The consent does not allow payments now"


class ConsentPayeeMismatch(BankError):
    status, code, title = 422, "consent_payee_mismatch", "The consent is for another payee"


class ConsentCurrencyMismatch(BankError):
    status, code, title = 422, "consent_currency_mismatch", "The consent is in another currency"


class ConsentLimitExceeded(BankError):
    status, code, title = 422, "consent_limit_exceeded", "The amount exceeds what is left"


class ConsentExpiryRefused(BankError):
    status, code, title = 422, "consent_expiry_refused", "The consent may not last so long"


class AccountNotUsable(BankError):
    status, code, title = 403, "account_not_usable", "The customer may not pay from this account"


@dataclass(frozen=True, slots=True)
class PaymentConsent:
    """Amounts are minor units; `used_minor` is what payments have taken or reserved of it."""

    consent_id: UUID
    partner_id: str
    payee_account: str
    payee_name: str
    currency: str
    limit_minor: int
    used_minor: int
    expires_at: datetime
    #: The account that the partner asked for, or that the customer chose.
    debtor_account: str | None
    #: Whether the partner named the account itself, and so knows it.
    debtor_named: bool
    redirect_uri: str | None
    stored_state: ConsentState
    customer_id: str | None
    #: Wrong one-time codes so far.
    code_failures: int
    created_at: datetime
    updated_at: datetime

    def state(self, *, now: datetime) -> ConsentState:
        """The state as of `now`: what is still open ends by itself at its expiry."""
        if self.stored_state in {"awaiting_authorization", "authorized"} and now >= self.expires_at:
            return "expired"
        return self.stored_state

    @property
    def left_minor(self) -> int:
        return self.limit_minor - self.used_minor


def check_expiry(expires_at: datetime, *, now: datetime) -> None:
    """Raises `ConsentExpiryRefused` for the past, and for more than 90 days ahead."""
    if not now < expires_at <= now + MAX_LIFETIME:
        raise ConsentExpiryRefused(
            field="expires_at", expected=f"later than now, at most {MAX_LIFETIME.days} days ahead"
        )


def authorize(
    consent: PaymentConsent, *, customer_id: str, account_id: str, now: datetime
) -> PaymentConsent:
    """The customer agrees, with this account. Whether it is theirs to use is the caller's check.

    Raises `ConsentNotAwaiting`, and `AccountNotUsable` where the partner named another account.
    """
    _check_awaiting(consent, now=now)
    if consent.debtor_named and consent.debtor_account != account_id:
        raise AccountNotUsable("The partner asked for another account")
    return replace(
        consent,
        stored_state="authorized",
        customer_id=customer_id,
        debtor_account=account_id,
        updated_at=now,
    )


def reject(consent: PaymentConsent, *, customer_id: str, now: datetime) -> PaymentConsent:
    """The customer denies. Raises `ConsentNotAwaiting`."""
    _check_awaiting(consent, now=now)
    return replace(consent, stored_state="rejected", customer_id=customer_id, updated_at=now)


def count_wrong_code(consent: PaymentConsent, *, customer_id: str, now: datetime) -> PaymentConsent:
    """One more wrong one-time code; the last one allowed rejects. Raises `ConsentNotAwaiting`."""
    _check_awaiting(consent, now=now)
    counted = replace(consent, code_failures=consent.code_failures + 1, updated_at=now)
    if counted.code_failures >= MAX_CODE_TRIES:
        return reject(counted, customer_id=customer_id, now=now)
    return counted


def revoke(consent: PaymentConsent, *, now: datetime) -> PaymentConsent:
    """Partner or customer ends it; a second time changes nothing. Raises `ConsentNotRevocable`.

    Payments that were accepted before go on: they cannot be called back.
    """
    state = consent.state(now=now)
    if state == "revoked":
        return consent
    if state not in {"awaiting_authorization", "authorized"}:
        raise ConsentNotRevocable(f"The consent is {state}")
    return replace(consent, stored_state="revoked", updated_at=now)


def check_payment(
    consent: PaymentConsent,
    *,
    payee_account: str,
    amount_minor: int,
    currency: str,
    now: datetime,
) -> None:
    """Whether the consent covers one more payment; raises the `Consent…` error that says why not.

    The amount is reserved by a conditional update of the row; this says in words what it checks.
    """
    state = consent.state(now=now)
    if state != "authorized":
        raise ConsentNotAuthorized(f"The consent is {state}", field="consent_id")
    if consent.payee_account != payee_account:
        raise ConsentPayeeMismatch(field="creditor.account_id", expected="the payee of the consent")
    if consent.currency != currency:
        raise ConsentCurrencyMismatch(field="currency", expected=consent.currency)
    if amount_minor > consent.left_minor:
        raise ConsentLimitExceeded(
            field="amount_minor", expected=f"at most {consent.left_minor} minor units"
        )


def _check_awaiting(consent: PaymentConsent, *, now: datetime) -> None:
    state = consent.state(now=now)
    if state != "awaiting_authorization":
        raise ConsentNotAwaiting(f"The consent is {state}")
