"""Resources of UK Open Banking Read/Write v4.0, as their schemas have them.

Names are the standard's own, so that the models are the documents.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal
from urllib.parse import urlencode

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from gateway.open_banking.access.domain import Permission
from gateway.open_banking.domain import in_words, pages_of, sensible

Direction = Literal["Credit", "Debit"]
#: There are 21 codes; a list with some of them twice is no harm.
MAX_PERMISSIONS = 50


class Resource(BaseModel):
    """Members that are not there are left out, never null."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Lenient(BaseModel):
    """An object of a request that may hold more than what is read (the standard allows it)."""

    model_config = ConfigDict(frozen=True, extra="ignore")


#: A time of a request: in words, with its offset.
Moment = Annotated[AwareDatetime, BeforeValidator(in_words), AfterValidator(sensible)]
#: A time of a query, where the offset may be absent and does not count.
LocalMoment = Annotated[datetime, BeforeValidator(in_words), AfterValidator(sensible)]


class Links(Resource):
    Self: str
    First: str | None = None
    Prev: str | None = None
    Next: str | None = None
    Last: str | None = None


class Meta(Resource):
    TotalPages: int


class Amount(Resource):
    Amount: str
    Currency: str


class Identification(Resource):
    SchemeName: str
    Identification: str
    Name: str | None = None


class OBAccount6(Resource):
    """`Disabled` is what the bank calls frozen: nothing leaves the account."""

    AccountId: str
    Status: Literal["Enabled", "Disabled"]
    Currency: str
    AccountCategory: Literal["Personal", "Business"]
    AccountTypeCode: str
    OpeningDate: str
    Account: list[Identification] | None = None


class OBBalance(Resource):
    AccountId: str
    CreditDebitIndicator: Direction
    Type: Literal["ITBD", "ITAV"]
    DateTime: str
    Amount: Amount


class EntryBalance(Resource):
    CreditDebitIndicator: Direction
    Type: Literal["ITBD"]
    Amount: Amount


class ProprietaryCode(Resource):
    Code: str
    Issuer: str


class OBTransaction6(Resource):
    AccountId: str
    TransactionId: str
    TransactionReference: str | None = None
    CreditDebitIndicator: Direction
    Status: Literal["BOOK"]
    TransactionMutability: Literal["Immutable"]
    BookingDateTime: str
    ValueDateTime: str
    TransactionInformation: str | None = None
    Amount: Amount
    ProprietaryBankTransactionCode: ProprietaryCode
    Balance: EntryBalance | None = None
    CreditorAccount: Identification | None = None
    DebtorAccount: Identification | None = None


class OBParty2(Resource):
    PartyId: str
    PartyType: Literal["Sole", "Delegate", "Joint"]
    Name: str
    FullLegalName: str
    LegalStructure: str
    AccountRole: str | None = None


class OBProduct2(Resource):
    AccountId: str
    ProductId: str
    ProductName: str
    ProductType: Literal["PersonalCurrentAccount"]


class OBBeneficiary5(Resource):
    AccountId: str | None = None
    BeneficiaryId: str
    BeneficiaryType: Literal["Ordinary"]
    CreditorAccount: Identification | None = None


class OBStandingOrder6(Resource):
    AccountId: str
    StandingOrderId: str
    StandingOrderStatusCode: Literal["ACTV", "SUSP"]
    NextPaymentAmount: Amount
    CreditorAgent: Identification | None = None
    CreditorAccount: Identification | None = None


class StatedAmount(Resource):
    CreditDebitIndicator: Direction
    Type: str
    Amount: Amount


class OBStatement2(Resource):
    AccountId: str
    StatementId: str
    Type: Literal["RegularPeriodic"]
    StartDateTime: str
    EndDateTime: str
    CreationDateTime: str
    StatementAmount: list[StatedAmount] | None = None


class AccountData(Resource):
    Account: list[OBAccount6]


class BalanceData(Resource):
    Balance: list[OBBalance]


class TransactionData(Resource):
    Transaction: list[OBTransaction6]


class PartyData(Resource):
    Party: OBParty2


class PartiesData(Resource):
    Party: list[OBParty2]


class ProductData(Resource):
    Product: list[OBProduct2]


class BeneficiaryData(Resource):
    Beneficiary: list[OBBeneficiary5]


class StandingOrderData(Resource):
    StandingOrder: list[OBStandingOrder6]


class StatementData(Resource):
    Statement: list[OBStatement2]


class OBReadAccount6(Resource):
    Data: AccountData
    Links: Links
    Meta: Meta


class OBReadBalance1(Resource):
    Data: BalanceData
    Links: Links
    Meta: Meta


class OBReadTransaction6(Resource):
    Data: TransactionData
    Links: Links
    Meta: Meta


class OBReadParty2(Resource):
    Data: PartyData
    Links: Links
    Meta: Meta


class OBReadParty3(Resource):
    Data: PartiesData
    Links: Links
    Meta: Meta


class OBReadProduct2(Resource):
    Data: ProductData
    Links: Links
    Meta: Meta


class OBReadBeneficiary5(Resource):
    Data: BeneficiaryData
    Links: Links
    Meta: Meta


class OBReadStandingOrder6(Resource):
    Data: StandingOrderData
    Links: Links
    Meta: Meta


class OBReadStatement2(Resource):
    Data: StatementData
    Links: Links
    Meta: Meta


class OBRisk2(Resource):
    """Account access has no risk section of its own yet: an empty object."""


class ReadConsentData(Lenient):
    Permissions: list[Permission] = Field(min_length=1, max_length=MAX_PERMISSIONS)
    ExpirationDateTime: Moment | None = None
    TransactionFromDateTime: Moment | None = None
    TransactionToDateTime: Moment | None = None


class OBReadConsent1(Lenient):
    Data: ReadConsentData
    Risk: OBRisk2


class ReadConsentState(ReadConsentData):
    ConsentId: str
    CreationDateTime: str
    Status: Literal["AWAU", "AUTH", "RJCT", "CANC", "EXPD"]
    StatusUpdateDateTime: str


class OBReadConsentResponse1(Resource):
    Data: ReadConsentState
    Risk: OBRisk2
    Links: Links
    Meta: Meta


def one_page(url: str) -> tuple[Links, Meta]:
    """Links and meta of what always fits one page."""
    return Links(Self=url), Meta(TotalPages=1)


def page_links(
    url: str, query: Mapping[str, str], *, page: int, total: int, size: int
) -> tuple[Links, Meta]:
    """Links of page `page` (from 1) of a list of `total`; `query` is what was asked beside it."""
    pages = pages_of(total, size=size)

    def at(number: int) -> str:
        return f"{url}?{urlencode({**query, 'page': str(number)})}"

    links = Links(
        Self=at(page),
        First=at(1),
        Prev=at(page - 1) if 1 < page <= pages else None,
        Next=at(page + 1) if page < pages else None,
        Last=at(pages),
    )
    return links, Meta(TotalPages=pages)
