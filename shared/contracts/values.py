"""Types that several contracts share. Each bounds its input; none knows a business rule."""

import ipaddress
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictInt, StringConstraints

#: The largest amount one leg may carry: 10^15 minor units, well inside a signed 64-bit integer.
MAX_AMOUNT_MINOR = 10**15

AmountMinor = Annotated[StrictInt, Field(gt=0, le=MAX_AMOUNT_MINOR)]
"""A positive amount in minor units (fen, cent): an integer, never a fraction."""

SignedMinor = Annotated[StrictInt, Field(ge=-(2**63) + 1, le=2**63 - 1)]
"""A balance or a change in minor units; a credit is positive."""

Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
"""An ISO 4217 code."""

AccountId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.-]{1,34}$")]
"""An account number: up to 34 letters, digits, dots and dashes (the length of an IBAN)."""

CustomerId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.-]{1,40}$")]
PartnerId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.-]{1,40}$")]
MerchantId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.-]{1,40}$")]
DeviceId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:-]{8,128}$")]
"""A fingerprint of a device, as whoever has the device computes it; opaque to the bank."""

Phone = Annotated[str, StringConstraints(pattern=r"^\+?[0-9]{5,15}$")]
CardNumber = Annotated[str, StringConstraints(pattern=r"^[0-9]{12,19}$")]


def _one_spelling(address: str) -> str:
    """An address has many spellings and must count as one. Raises ValueError: it is none."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        # the library's words would repeat the input
        raise ValueError("an IPv4 or IPv6 address") from None
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return str(mapped or parsed)


IpAddress = Annotated[
    str, StringConstraints(pattern=r"^[0-9A-Fa-f:.]{2,45}$"), AfterValidator(_one_spelling)
]
"""An IPv4 or IPv6 address in its shortest spelling; one of IPv4 mapped into IPv6 is IPv4."""

Code = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_.]{1,64}$")]
"""A stable machine-readable word: a reason, a kind, a purpose."""

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=140)]
Text = Annotated[str, StringConstraints(max_length=500)]
EndToEndId = Annotated[str, StringConstraints(pattern=r"^[ -~]{1,35}$")]
"""The payer's own reference, 1 to 35 printable ASCII characters (ISO 20022 Max35Text)."""

Lang = Annotated[str, StringConstraints(pattern=r"^(zh|en)$")]


class Contract(BaseModel):
    """A frozen model that refuses unknown fields: the base of every request body."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Reply(BaseModel):
    """The base of every answer: a reader ignores fields that a newer provider adds."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Localized(Reply):
    """One text in the two languages that the bank speaks."""

    zh: str
    en: str
