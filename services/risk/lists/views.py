"""What staff sends and sees of the lists."""

from datetime import datetime
from typing import Self

from pydantic import TypeAdapter, model_validator

from services.risk.lists.domain import Entry, Kind, ListName
from shared.contracts.values import (
    AccountId,
    CardNumber,
    Contract,
    CustomerId,
    DeviceId,
    IpAddress,
    MerchantId,
    Name,
    Phone,
    Reply,
)

_VALUES: dict[Kind, TypeAdapter[str]] = {
    "account": TypeAdapter(AccountId),
    "customer": TypeAdapter(CustomerId),
    "device": TypeAdapter(DeviceId),
    "ip": TypeAdapter(IpAddress),
    "merchant": TypeAdapter(MerchantId),
    "phone": TypeAdapter(Phone),
    "card": TypeAdapter(CardNumber),
}


class Named(Contract):
    """An entity on a list; an IP address is taken in any of its spellings. A phone number or a
    card is kept as its token.
    """

    list: ListName
    kind: Kind
    value: str
    reason: Name

    @model_validator(mode="after")
    def _value_of_its_kind(self) -> Self:
        try:
            value = _VALUES[self.kind].validate_python(self.value)
        except ValueError:
            # the validator's words would repeat the input
            raise ValueError(f"value: a name of the kind {self.kind}") from None
        object.__setattr__(self, "value", value)
        return self


class AddEntry(Named):
    expires_at: datetime | None = None

    @model_validator(mode="after")
    def _with_offset(self) -> Self:
        if self.expires_at is not None and self.expires_at.tzinfo is None:
            raise ValueError("expires_at: a time with its offset from UTC")
        return self


class RemoveEntry(Named):
    """`reason` is why it is taken off."""


class ListEntry(Reply):
    """`value` is the token of a phone number or a card."""

    list: ListName
    kind: Kind
    value: str
    reason: str
    listed_by: str
    listed_at: datetime
    expires_at: datetime | None


class ListEntries(Reply):
    items: list[ListEntry]


def reply_of(entry: Entry) -> ListEntry:
    return ListEntry.model_validate(entry, from_attributes=True)
