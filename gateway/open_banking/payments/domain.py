"""Domestic payments: the standard's words around one of the bank's own payment consents."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

from gateway.consents.domain import ConsentState, PaymentConsent
from gateway.open_banking.domain import SCHEME, SchemeRefused
from shared.contracts.http.payments import PaymentState
from shared.kit.problems import BankError

#: How long a customer may take, and the client after that.
LIFETIME: Final = timedelta(days=1)
ConsentStatus = Literal["AWAU", "AUTH", "RJCT", "COND"]
PaymentStatus = Literal["RCVD", "ACSP", "ACSC", "PDNG", "RJCT"]
_CONSENT: Final[Mapping[ConsentState, ConsentStatus]] = {
    "awaiting_authorization": "AWAU",
    "authorized": "AUTH",
    "rejected": "RJCT",
    # The standard has no word for these two here: nothing can be paid any more.
    "revoked": "RJCT",
    "expired": "RJCT",
}
PAYMENT: Final[Mapping[PaymentState, PaymentStatus]] = {
    "received": "RCVD",
    "approved": "ACSP",
    "settled": "ACSC",
    "in_review": "PDNG",
    "rejected": "RJCT",
}


class ConsentMismatch(BankError):
    status, code, title = 400, "consent_mismatch", "The payment is not what was consented to"


class ConsentConsumed(BankError):
    status, code, title = 400, "consent_consumed", "The consent has been used for its payment"


@dataclass(frozen=True, slots=True)
class DomesticConsent:
    """`request` is what the client sent; `payment_id` is the one payment that came of it."""

    consent_id: UUID
    client_id: str
    request: Mapping[str, Any]
    payment_id: UUID | None
    created_at: datetime

    def status(self, own: PaymentConsent, *, now: datetime) -> ConsentStatus:
        return "COND" if self.payment_id is not None else _CONSENT[own.state(now=now)]


def check_scheme(scheme: str, *, field: str) -> None:
    """Raises `SchemeRefused`: the bank pays from and to its own accounts."""
    if scheme != SCHEME:
        raise SchemeRefused(field=field, expected=SCHEME)


def check_same(consented: Mapping[str, Any], asked: Mapping[str, Any], *, field: str) -> None:
    """Raises `ConsentMismatch`, naming the first part that differs."""
    if consented != asked:
        names = sorted(consented.keys() | asked.keys())
        first = next(name for name in names if consented.get(name) != asked.get(name))
        raise ConsentMismatch(field=f"{field}.{first}", expected="as in the consent")
