"""Entries of the black, grey and white lists, and whom a decision asks them about."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

ListName = Literal["black", "grey", "white"]
Kind = Literal["account", "customer", "device", "ip", "merchant", "phone", "card"]

#: Kinds whose values are kept as tokens: see `identifiers.domain`.
TOKENED: frozenset[Kind] = frozenset({"phone", "card"})
#: Kinds that are nodes of a ring: on the black list they are known fraud there.
IN_RINGS: frozenset[Kind] = frozenset({"customer", "device", "phone", "card"})

#: The roles in which a request names somebody, each with the kind of its entries.
ROLES: dict[str, Kind] = {
    "payee": "account",
    "account": "account",
    "customer": "customer",
    "device": "device",
    "ip": "ip",
    "merchant": "merchant",
    "phone": "phone",
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
