"""Entries of the black, grey and white lists, and whom a payment asks them about."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

ListName = Literal["black", "grey", "white"]
Kind = Literal["account", "customer", "device", "ip", "merchant"]

#: The roles in which a payment names somebody, each with the kind of its entries.
ROLES: dict[str, Kind] = {
    "payee": "account",
    "account": "account",
    "customer": "customer",
    "device": "device",
    "ip": "ip",
    "merchant": "merchant",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """It counts until `expires_at`, or until it is taken off."""

    list: ListName
    kind: Kind
    value: str
    reason: str
    listed_by: str
    listed_at: datetime
    expires_at: datetime | None = None
