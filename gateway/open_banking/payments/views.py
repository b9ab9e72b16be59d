"""Domestic payments of UK Open Banking, as far as this bank pays: the rest is refused by name."""

from typing import Annotated, Any, Final, Literal

from pydantic import Field, StringConstraints

from gateway.open_banking.views import Links, Meta, Resource
from shared.contracts.values import AccountId, Currency, EndToEndId
from shared.contracts.values import Name as PersonName

Max35 = Annotated[str, StringConstraints(min_length=1, max_length=35)]
Max70 = Annotated[str, StringConstraints(min_length=1, max_length=70)]
MAX_REMARKS: Final = 1


class InstructedAmount(Resource):
    Amount: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,13}$|^[0-9]{1,13}\.[0-9]{1,5}$")]
    Currency: Currency


class PayingAccount(Resource):
    SchemeName: Annotated[str, StringConstraints(min_length=1, max_length=40)]
    Identification: AccountId
    Name: PersonName | None = None


class CreditorAccount(Resource):
    SchemeName: Annotated[str, StringConstraints(min_length=1, max_length=40)]
    Identification: AccountId
    Name: PersonName


class Remittance(Resource):
    Unstructured: list[Annotated[str, StringConstraints(min_length=1, max_length=140)]] = Field(
        max_length=MAX_REMARKS
    )


class Initiation(Resource):
    """What is to be paid. The bank books one remark with a payment."""

    InstructionIdentification: Max35
    EndToEndIdentification: EndToEndId
    LocalInstrument: Max35 | None = None
    InstructedAmount: InstructedAmount
    DebtorAccount: PayingAccount | None = None
    CreditorAccount: CreditorAccount
    RemittanceInformation: Remittance | None = None


class OBRisk1(Resource):
    PaymentContextCode: (
        Literal[
            "BillingGoodsAndServicesInAdvance",
            "BillingGoodsAndServicesInArrears",
            "EcommerceMerchantInitiatedPayment",
            "FaceToFacePointOfSale",
            "TransferToSelf",
            "TransferToThirdParty",
        ]
        | None
    ) = None
    MerchantCategoryCode: Annotated[str, StringConstraints(min_length=3, max_length=4)] | None = (
        None
    )
    MerchantCustomerIdentification: Max70 | None = None
    ContractPresentIndicator: bool | None = None
    BeneficiaryPrepopulatedIndicator: bool | None = None


class DomesticConsentData(Resource):
    ReadRefundAccount: Literal["No"] | None = None
    Initiation: Initiation


class OBWriteDomesticConsent4(Resource):
    Data: DomesticConsentData
    Risk: OBRisk1


class DomesticConsentState(DomesticConsentData):
    ConsentId: str
    CreationDateTime: str
    Status: Literal["AWAU", "AUTH", "RJCT", "COND"]
    StatusUpdateDateTime: str


class OBWriteDomesticConsentResponse5(Resource):
    Data: DomesticConsentState
    Risk: OBRisk1
    Links: Links
    Meta: Meta


class DomesticData(Resource):
    ConsentId: str
    Initiation: Initiation


class OBWriteDomestic2(Resource):
    Data: DomesticData
    Risk: OBRisk1


class Reason(Resource):
    StatusReasonCode: str
    StatusReasonDescription: str


class DomesticState(Resource):
    DomesticPaymentId: str
    ConsentId: str
    CreationDateTime: str
    Status: Literal["RCVD", "ACSP", "ACSC", "PDNG", "RJCT"]
    StatusUpdateDateTime: str
    StatusReason: list[Reason] | None = None
    Initiation: Initiation


class OBWriteDomesticResponse5(Resource):
    Data: DomesticState
    Links: Links
    Meta: Meta


class FundsAvailable(Resource):
    FundsAvailableDateTime: str
    FundsAvailable: bool


class FundsData(Resource):
    FundsAvailableResult: FundsAvailable


class OBWriteFundsConfirmationResponse1(Resource):
    Data: FundsData
    Links: Links
    Meta: Meta


def plain(document: Resource) -> dict[str, Any]:
    """The document as it goes over the wire, without what is not there."""
    return document.model_dump(mode="json", exclude_none=True)
