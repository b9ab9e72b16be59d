"""Outcomes, and the scale to which amounts are brought. Pure."""

from collections.abc import Mapping
from enum import IntEnum

#: Reference rates of the policy, not of any exchange: millionths of a fen of CNY for one minor
#: unit of the currency. They only bring amounts to one scale for windows and rules.
REFERENCE_RATES: Mapping[str, int] = {
    "CNY": 1_000_000,
    "AUD": 4_700_000,
    "CAD": 5_200_000,
    "CHF": 8_800_000,
    "CZK": 340_000,
    "EUR": 8_200_000,
    "GBP": 9_500_000,
    "HKD": 910_000,
    "JPY": 4_700_000,
    "KRW": 510_000,
    "MOP": 890_000,
    "SGD": 5_500_000,
    "THB": 210_000,
    "USD": 7_100_000,
}


class Outcome(IntEnum):
    """Ordered by severity: the most severe finding decides."""

    APPROVE = 0
    REVIEW = 1
    DECLINE = 2

    @property
    def word(self) -> str:
        return self.name.lower()


def reference_value_minor(amount_minor: int, currency: str) -> int | None:
    """The amount in fen of CNY, rounded half up; None in a currency without a rate."""
    rate = REFERENCE_RATES.get(currency)
    return None if rate is None else (amount_minor * rate + 500_000) // 1_000_000
