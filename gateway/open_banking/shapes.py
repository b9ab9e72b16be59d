"""The bank's own facts in the standard's form; what a permission does not show is left out."""

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Final

from gateway.open_banking.domain import (
    SCHEME,
    Days,
    decimal_of,
    direction_of,
    end_of,
    start_of,
    written,
)
from gateway.open_banking.views import (
    Amount,
    EntryBalance,
    Identification,
    OBAccount6,
    OBBalance,
    OBBeneficiary5,
    OBParty2,
    OBProduct2,
    OBStandingOrder6,
    OBStatement2,
    OBTransaction6,
    ProprietaryCode,
    StatedAmount,
)
from shared.contracts.http.identity import Customer, Right
from shared.contracts.http.ledger import Account, Entry
from shared.contracts.http.payments import Payee, StandingOrderState

#: Codes of other banks, as standing orders of an imported book name them.
BANK_SCHEME: Final = "CN.Tongbao.BankCode"
#: Identifiers have forty characters at the most.
MAX_ID: Final = 40


def account_of(account: Account, *, has_details: bool) -> OBAccount6:
    number = Identification(SchemeName=SCHEME, Identification=account.account_id)
    return OBAccount6(
        AccountId=account.account_id,
        Status="Disabled" if account.frozen else "Enabled",
        Currency=account.currency,
        AccountCategory="Personal",
        AccountTypeCode="CACC",
        OpeningDate=start_of(account.opened_on),
        Account=[number] if has_details else None,
    )


def balances_of(account: Account, *, now: datetime) -> list[OBBalance]:
    """What is booked, and what can be spent; an account without a floor has no such end."""
    amounts = {"ITBD": account.balance.posted_minor, "ITAV": account.balance.available_minor}
    return [
        OBBalance(
            AccountId=account.account_id,
            CreditDebitIndicator=direction_of(minor),
            Type=kind,
            DateTime=written(now),
            Amount=amount_of(minor, account.currency),
        )
        for kind, minor in amounts.items()
        if minor is not None
    ]


def amount_of(minor: int, currency: str) -> Amount:
    return Amount(Amount=decimal_of(minor, currency), Currency=currency)


def transaction_of(entry: Entry, *, account_id: str, has_details: bool) -> OBTransaction6:
    """Details are the counterparty, the remark and the balance after it."""
    direction = direction_of(entry.amount_minor)
    basic = OBTransaction6(
        AccountId=account_id,
        TransactionId=f"{account_id}-{entry.entry_no}",
        CreditDebitIndicator=direction,
        Status="BOOK",
        TransactionMutability="Immutable",
        BookingDateTime=start_of(entry.booking_date),
        ValueDateTime=start_of(entry.value_date),
        Amount=amount_of(entry.amount_minor, entry.currency),
        ProprietaryBankTransactionCode=ProprietaryCode(Code=entry.kind[:35], Issuer="Tongbao"),
    )
    if not has_details:
        return basic
    other = None
    if entry.counterpart_id is not None:
        other = Identification(SchemeName=SCHEME, Identification=entry.counterpart_id)
    return basic.model_copy(
        update={
            "TransactionReference": str(entry.transfer_id),
            "TransactionInformation": entry.reference or None,
            "Balance": EntryBalance(
                CreditDebitIndicator=direction_of(entry.balance_minor),
                Type="ITBD",
                Amount=amount_of(entry.balance_minor, entry.currency),
            ),
            ("DebtorAccount" if direction == "Credit" else "CreditorAccount"): other,
        }
    )


def product_of(account: Account) -> OBProduct2:
    return OBProduct2(
        AccountId=account.account_id,
        ProductId="tongbao-current",
        ProductName="通宝活期账户 Tongbao Current Account",
        ProductType="PersonalCurrentAccount",
    )


def beneficiary_of(payee: Payee, *, account_id: str | None, has_details: bool) -> OBBeneficiary5:
    found = f"{payee.customer_id} {payee.account_id}"
    account = Identification(
        SchemeName=SCHEME, Identification=payee.account_id, Name=payee.name or None
    )
    return OBBeneficiary5(
        AccountId=account_id,
        BeneficiaryId=sha256(found.encode()).hexdigest()[:MAX_ID],
        BeneficiaryType="Ordinary",
        CreditorAccount=account if has_details else None,
    )


def standing_order_of(order: StandingOrderState, *, has_details: bool) -> OBStandingOrder6:
    """An order of an imported book that nobody executes is suspended."""
    agent = account = None
    if has_details:
        account = Identification(SchemeName=SCHEME, Identification=order.creditor_account)
        if order.creditor_bank:
            agent = Identification(SchemeName=BANK_SCHEME, Identification=order.creditor_bank)
    fits = len(order.order_id) <= MAX_ID
    hashed = sha256(order.order_id.encode()).hexdigest()[:MAX_ID]
    return OBStandingOrder6(
        AccountId=order.debtor_account,
        StandingOrderId=order.order_id if fits else hashed,
        StandingOrderStatusCode="ACTV" if order.active else "SUSP",
        NextPaymentAmount=amount_of(order.amount_minor, order.currency),
        CreditorAgent=agent,
        CreditorAccount=account,
    )


def party_of(person: Customer, *, party_id: str, right: Right | None) -> OBParty2:
    """`right` is what the person may do with the account that is read; None for no account."""
    roles = {"owner": "UK.OBIE.Principal", "authorized_user": "UK.OBIE.PowerOfAttorney"}
    return OBParty2(
        PartyId=party_id,
        PartyType="Delegate" if right == "authorized_user" else "Sole",
        Name=person.full_name,
        FullLegalName=person.full_name,
        LegalStructure="UK.OBIE.Individual",
        AccountRole=roles[right] if right else None,
    )


def statement_of(month: Days, *, account: Account, balances: Sequence[int] = ()) -> OBStatement2:
    """`balances` are those before and after the month; none where they may not be seen."""
    kinds = ("UK.OBIE.PreviousClosingBalance", "UK.OBIE.ClosingBalance")
    amounts = [
        StatedAmount(
            CreditDebitIndicator=direction_of(minor),
            Type=kind,
            Amount=amount_of(minor, account.currency),
        )
        for kind, minor in zip(kinds, balances, strict=False)
    ]
    return OBStatement2(
        AccountId=account.account_id,
        StatementId=f"{month.first:%Y-%m}",
        Type="RegularPeriodic",
        StartDateTime=start_of(month.first),
        EndDateTime=end_of(month.last),
        CreationDateTime=end_of(month.last),
        StatementAmount=amounts or None,
    )
