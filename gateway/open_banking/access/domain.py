"""Consents to see data: their states, the permission codes, and which of these go together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from gateway.grants.kinds import Words
from shared.kit.problems import BankError

ACCOUNT_ACCESS: Final = "account_access"
FUNDS_CONFIRMATION: Final = "funds_confirmation"
ConsentKindName = Literal["account_access", "funds_confirmation"]
StoredState = Literal["awaiting_authorization", "authorized", "rejected", "revoked"]
DataAccessState = Literal["awaiting_authorization", "authorized", "rejected", "revoked", "expired"]
#: ISO 20022 codes of the states, as the standard has them.
STATUS: Final[Mapping[str, str]] = {
    "awaiting_authorization": "AWAU",
    "authorized": "AUTH",
    "rejected": "RJCT",
    "revoked": "CANC",
    "expired": "EXPD",
}

Permission = Literal[
    "ReadAccountsBasic",
    "ReadAccountsDetail",
    "ReadBalances",
    "ReadBeneficiariesBasic",
    "ReadBeneficiariesDetail",
    "ReadDirectDebits",
    "ReadOffers",
    "ReadPAN",
    "ReadParty",
    "ReadPartyPSU",
    "ReadProducts",
    "ReadScheduledPaymentsBasic",
    "ReadScheduledPaymentsDetail",
    "ReadStandingOrdersBasic",
    "ReadStandingOrdersDetail",
    "ReadStatementsBasic",
    "ReadStatementsDetail",
    "ReadTransactionsBasic",
    "ReadTransactionsCredits",
    "ReadTransactionsDebits",
    "ReadTransactionsDetail",
]
#: What scope `accounts` without a consent of its own lets a client see, as the page says.
SHARED_PERMISSIONS: Final[frozenset[str]] = frozenset({"ReadAccountsBasic", "ReadAccountsDetail"})

#: How the page words what the codes let a client see; the detailed code speaks for both.
WORDS: Final[Mapping[str, Words]] = {
    "ReadAccountsBasic": ("账户的币种与状态", "Currency and state of the accounts"),
    "ReadAccountsDetail": ("账号", "Account numbers"),
    "ReadBalances": ("余额", "Balances"),
    "ReadBeneficiariesBasic": ("您有哪些收款人（不含账号）", "That you have payees"),
    "ReadBeneficiariesDetail": ("收款人的姓名与账号", "Names and accounts of your payees"),
    "ReadDirectDebits": ("代扣", "Direct debits"),
    "ReadOffers": ("优惠", "Offers"),
    "ReadPAN": ("完整卡号", "Full card numbers"),
    "ReadParty": ("账户所有人的姓名", "The name of the account's owner"),
    "ReadPartyPSU": ("您的姓名", "Your name"),
    "ReadProducts": ("账户产品", "Products of the accounts"),
    "ReadScheduledPaymentsBasic": ("预约付款", "Scheduled payments"),
    "ReadScheduledPaymentsDetail": ("预约付款及收款人", "Scheduled payments and their payees"),
    "ReadStandingOrdersBasic": ("定期付款", "Standing orders"),
    "ReadStandingOrdersDetail": ("定期付款及收款人", "Standing orders and their payees"),
    "ReadStatementsBasic": ("对账单列表", "List of statements"),
    "ReadStatementsDetail": (
        "对账单的期初与期末余额",
        "Opening and closing balances of statements",
    ),
    "ReadTransactionsBasic": ("交易的日期与金额", "Dates and amounts of transactions"),
    "ReadTransactionsCredits": ("入账交易", "Incoming transactions"),
    "ReadTransactionsDebits": ("出账交易", "Outgoing transactions"),
    "ReadTransactionsDetail": (
        "交易的对方、附言与余额",
        "Counterparties, remarks and balances of transactions",
    ),
}


class DataConsentNotFound(BankError):
    status, code, title = 400, "data_consent_not_found", "There is no such consent"


class PermissionsRefused(BankError):
    status, code, title = 400, "permissions_refused", "These permissions do not go together"


class DateRefused(BankError):
    status, code, title = 400, "date_refused", "The date cannot be"


class PermissionMissing(BankError):
    status, code, title = 403, "permission_missing", "The consent does not allow this"


@dataclass(frozen=True, slots=True)
class DataAccessConsent:
    """`request` is what the client sent; `accounts` are those that the customer chose."""

    consent_id: UUID
    kind: ConsentKindName
    client_id: str
    request: Mapping[str, Any]
    stored_state: StoredState
    customer_id: str | None
    accounts: Sequence[str]
    expires_at: datetime | None
    created_at: datetime
    updated_at: datetime

    def state(self, *, now: datetime) -> DataAccessState:
        is_open = self.stored_state in {"awaiting_authorization", "authorized"}
        if is_open and self.expires_at is not None and now >= self.expires_at:
            return "expired"
        return self.stored_state

    @property
    def permissions(self) -> Sequence[str]:
        found: Sequence[str] = self.request["Data"].get("Permissions", ())
        return found

    def moment(self, name: str) -> datetime | None:
        """One of the request's own times."""
        value = self.request["Data"].get(name)
        return None if value is None else datetime.fromisoformat(value)


@dataclass(frozen=True, slots=True)
class Reading:
    """What one admitted call may see, of whom, and between which booking times."""

    client_id: str
    partner_id: str
    customer_id: str
    accounts: Sequence[str]
    permissions: frozenset[str]
    booked_from: datetime | None = None
    booked_to: datetime | None = None


@dataclass(frozen=True, slots=True)
class Access:
    """One look of a client at what a customer lets it see."""

    access_id: UUID
    grant_id: UUID
    consent_id: UUID | None
    client_id: str
    resource: str
    account_id: str | None
    interaction_id: str
    at: datetime


def check_permissions(permissions: Sequence[str]) -> None:
    """The standard's rules of combination (Account Access Consents, "Permissions").

    Raises `PermissionsRefused`.
    """
    held = set(permissions)
    if not held & {"ReadAccountsBasic", "ReadAccountsDetail"}:
        raise _refused("ReadAccountsBasic or ReadAccountsDetail must be among them")
    depths = held & {"ReadTransactionsBasic", "ReadTransactionsDetail"}
    ways = held & {"ReadTransactionsCredits", "ReadTransactionsDebits"}
    if depths and not ways:
        raise _refused(f"{min(depths)} needs ReadTransactionsCredits or ReadTransactionsDebits")
    if ways and not depths:
        raise _refused(f"{min(ways)} needs ReadTransactionsBasic or ReadTransactionsDetail")


def _refused(expected: str) -> PermissionsRefused:
    return PermissionsRefused(expected, field="Data.Permissions", expected=expected)


def check_future(moment: datetime | None, *, field: str, now: datetime) -> None:
    """Raises `DateRefused`."""
    if moment is not None and moment <= now:
        raise DateRefused(field=field, expected="a time in the future")


def check_order(first: datetime | None, last: datetime | None, *, field: str) -> None:
    """Raises `DateRefused`."""
    if first is not None and last is not None and first > last:
        raise DateRefused(field=field, expected="not before the time that it begins with")


def may_be_authorized(consent: DataAccessConsent, *, now: datetime) -> bool:
    """Waiting for the customer, or to be confirmed anew by the same one."""
    return consent.state(now=now) in {"awaiting_authorization", "authorized"}


def authorized(
    consent: DataAccessConsent, *, customer_id: str, accounts: Sequence[str], now: datetime
) -> DataAccessConsent | None:
    """The consent after the customer agreed; None where it cannot be agreed to by this one."""
    if not may_be_authorized(consent, now=now) or consent.customer_id not in {None, customer_id}:
        return None
    return replace(
        consent,
        stored_state="authorized",
        customer_id=customer_id,
        accounts=tuple(accounts),
        updated_at=now,
    )


def rejected(
    consent: DataAccessConsent, *, customer_id: str, now: datetime
) -> DataAccessConsent | None:
    """The consent after the customer refused; what was agreed to before stays agreed to."""
    if consent.state(now=now) != "awaiting_authorization":
        return None
    return replace(consent, stored_state="rejected", customer_id=customer_id, updated_at=now)


def revoked(consent: DataAccessConsent, *, now: datetime) -> DataAccessConsent | None:
    """The consent after customer or client took it back; None where there is nothing to take."""
    if consent.stored_state not in {"awaiting_authorization", "authorized"}:
        return None
    return replace(consent, stored_state="revoked", updated_at=now)
