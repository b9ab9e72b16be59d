"""HTTP models of identity."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, SecretStr, StringConstraints

from shared.contracts.values import AccountId, Code, Contract, CustomerId, Name, Reply

MAX_BULK = 1_000

Right = Literal["owner", "authorized_user"]
LoginName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9._-]{3,40}$")]
Password = Annotated[SecretStr, Field(min_length=12, max_length=128)]
"""At least 12 characters (NIST SP 800-63B asks for length, not for classes of characters)."""
Role = Literal["operator", "reviewer", "admin"]


class RegisterCustomer(Contract):
    """A customer under an id that the caller chose."""

    customer_id: CustomerId
    full_name: Name
    born_on: date | None = None
    district: Annotated[str, StringConstraints(max_length=80)] | None = None
    phone: Annotated[str, StringConstraints(pattern=r"^\+?[0-9]{5,15}$")] | None = None
    registered_on: date | None = None


class RegisterCustomers(Contract):
    customers: Annotated[list[RegisterCustomer], Field(min_length=1, max_length=MAX_BULK)]


class Customer(Reply):
    customer_id: CustomerId
    full_name: str
    born_on: date | None
    district: str | None
    registered_on: date
    can_sign_in: bool


class CustomerPage(Reply):
    items: list[Customer]
    next_after: str | None = Field(description="Pass as `after` for the next page")


class GrantRight(Contract):
    account_id: AccountId
    customer_id: CustomerId
    right: Right


class GrantRights(Contract):
    rights: Annotated[list[GrantRight], Field(min_length=1, max_length=MAX_BULK)]


class AccountRight(Reply):
    account_id: AccountId
    customer_id: CustomerId
    right: Right


class AccountRights(Reply):
    items: list[AccountRight]


class BulkCount(Reply):
    """How many were new and how many were there already, equal in every field."""

    created: int
    unchanged: int


class ReferenceRecord(Contract):
    """A card or a loan of an imported book: read-only facts until it gets a service of its own."""

    record_id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.:-]{1,64}$")]
    customer_id: CustomerId
    account_id: AccountId | None = None
    kind: Literal["card", "loan"]
    facts: dict[Annotated[str, StringConstraints(max_length=40)], str | int | None] = Field(
        max_length=20
    )


class ReferenceRecords(Contract):
    records: Annotated[list[ReferenceRecord], Field(min_length=1, max_length=MAX_BULK)]


class ReferenceRecordList(Reply):
    items: list[ReferenceRecord]


class SetCredentials(Contract):
    login_name: LoginName
    password: Password


class SignIn(Contract):
    """`device` is what browser or app says of itself, shown to the customer with the session."""

    login_name: LoginName
    password: Annotated[SecretStr, Field(max_length=128)]
    device: Annotated[str, StringConstraints(max_length=200)] | None = None


class CustomerSession(Reply):
    """`session_token` is shown once; identity keeps its hash alone."""

    customer_id: CustomerId
    session_token: str
    expires_at: datetime


class SessionToken(Contract):
    session_token: Annotated[SecretStr, Field(max_length=128)]


class SessionOwner(Reply):
    customer_id: CustomerId
    expires_at: datetime


class SendOneTimeCode(Contract):
    """Sends a code over the customer's own channel for one purpose and one subject."""

    customer_id: CustomerId
    purpose: Code
    subject: Annotated[str, StringConstraints(max_length=64)]
    message_zh: Annotated[str, StringConstraints(max_length=300)]
    message_en: Annotated[str, StringConstraints(max_length=300)]


class OneTimeCodeSent(Reply):
    challenge_id: UUID
    expires_at: datetime


class VerifyOneTimeCode(Contract):
    """Holds for one purpose and one subject, once, within five tries."""

    customer_id: CustomerId
    purpose: Code
    subject: Annotated[str, StringConstraints(max_length=64)]
    code: Annotated[SecretStr, Field(max_length=12)]


class OneTimeCodeVerified(Reply):
    challenge_id: UUID
    verified_at: datetime


class RegisterStaff(Contract):
    staff_id: CustomerId
    login_name: LoginName
    password: Password
    roles: Annotated[list[Role], Field(min_length=1, max_length=3)]


class StaffMember(Reply):
    staff_id: str
    login_name: str
    roles: list[Role]


class StaffToken(Reply):
    """A bearer token for the services' own APIs: names the member of staff and the roles."""

    staff_id: str
    roles: list[Role]
    token: str
    expires_at: datetime


class AuditEntry(Reply):
    event_id: UUID
    service: str
    staff_id: str
    action: str
    subject: str
    reason: str
    at: datetime


class AuditPage(Reply):
    items: list[AuditEntry]
    next_before: str | None = Field(
        default=None, description="Pass as `before` for the next page; it has no other meaning"
    )
