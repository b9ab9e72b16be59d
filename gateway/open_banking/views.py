"""Resources of UK Open Banking Read/Write v4.0, as their schemas have them.

Names are the standard's own, so that the models are the documents.
"""

from collections.abc import Sequence
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from shared.contracts.http.ledger import Account

#: Account numbers of this bank, in a namespace of its own: the standard lets other schemes in.
SCHEME: Final = "CN.Tongbao.AccountNumber"


class Resource(BaseModel):
    """Members that are not there are left out, never null."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Identification(Resource):
    SchemeName: str
    Identification: str


class OBAccount6(Resource):
    """`Disabled` is what the bank calls frozen: nothing leaves the account."""

    AccountId: str
    Status: Literal["Enabled", "Disabled"]
    Currency: str
    AccountCategory: Literal["Personal", "Business"]
    AccountTypeCode: str
    OpeningDate: str
    Account: list[Identification]


class AccountData(Resource):
    Account: list[OBAccount6]


class Links(Resource):
    Self: str


class Meta(Resource):
    TotalPages: int


class OBReadAccount6(Resource):
    Data: AccountData
    Links: Links
    Meta: Meta


def accounts_of(accounts: Sequence[Account], *, url: str) -> OBReadAccount6:
    """The list of accounts; `url` is where it was read."""
    return OBReadAccount6(
        Data=AccountData(Account=[_account(account) for account in accounts]),
        Links=Links(Self=url),
        Meta=Meta(TotalPages=1),
    )


def _account(account: Account) -> OBAccount6:
    return OBAccount6(
        AccountId=account.account_id,
        Status="Disabled" if account.frozen else "Enabled",
        Currency=account.currency,
        AccountCategory="Personal",
        AccountTypeCode="CACC",
        OpeningDate=f"{account.opened_on.isoformat()}T00:00:00+08:00",
        Account=[Identification(SchemeName=SCHEME, Identification=account.account_id)],
    )
