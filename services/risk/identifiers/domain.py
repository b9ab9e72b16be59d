"""Identifiers that customers are known by: devices, phone numbers, cards. Pure.

A phone number or a card is personal data and is never kept, told on the bus or logged as it is:
a token stands for it, which only this bank can make. Phone numbers are few enough to try them
all, so that a hash without a key would hide nothing.
"""

import hmac
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

Kind = Literal["device", "phone", "card"]

#: Of one kind, for one customer; a person has a few.
MAX_PER_KIND: Final = 20
_TOKEN_CHARACTERS: Final = 32
_CHINA: Final = "86"
#: A mobile number of China without its country: 11 digits, the first a 1.
_MOBILE_DIGITS: Final = 11


@dataclass(frozen=True, slots=True)
class Identifier:
    """`value` is a device's fingerprint, or the token of a phone number or a card."""

    customer_id: str
    kind: Kind
    value: str
    first_told_at: datetime


def token(key: bytes, *, kind: str, value: str) -> str:
    """What stands for a phone number or a card: 128 bits of HMAC-SHA-256 (RFC 2104), in hex."""
    plain = one_spelling(value) if kind == "phone" else value
    return hmac.digest(key, f"{kind}:{plain}".encode(), "sha256").hex()[:_TOKEN_CHARACTERS]


def one_spelling(phone: str) -> str:
    """A phone number in one spelling: digits, and none of China's own country code."""
    digits = phone.removeprefix("+").removeprefix("00")
    short = digits.removeprefix(_CHINA)
    is_mobile = len(short) == _MOBILE_DIGITS and short.startswith("1")
    return short if is_mobile else digits
