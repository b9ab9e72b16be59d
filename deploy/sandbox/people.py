"""The sandbox's customer: a way to sign in, two accounts, money."""

import uuid
from collections.abc import Sequence
from typing import Any

from deploy.bank.staff import StaffClient

CUSTOMER_ID = "sandbox-customer"
LOGIN_NAME = "sandbox"
NAME = "Sandbox Customer 沙箱客户"
CURRENCY = "CNY"
#: Account numbers with what each holds in the beginning, in minor units.
ACCOUNTS: Sequence[tuple[str, int]] = (
    ("6230580000000000017", 1_000_000),
    ("6230580000000000025", 250_000),
)
SOURCE = "sandbox-cash"
DEPOSITS, CASH = "2011", "1001"
#: From the same namespace come the same transfers: funding again changes nothing.
_NAMESPACE = uuid.UUID("5f0d1f0e-6f64-4c5f-9d0e-0b7a4a3f2c11")


def prepare_customer(staff: StaffClient, *, password: str) -> dict[str, Any]:
    """Makes the customer with accounts and money; again is the same as once. Raises Refused."""
    customer = {"customer_id": CUSTOMER_ID, "full_name": NAME}
    staff.call("identity", "POST", "/v1/customers/bulk", body={"customers": [customer]})
    _open(staff, SOURCE, chart_code=CASH, floor_minor=None)
    for account_id, amount in ACCOUNTS:
        _open(staff, account_id, chart_code=DEPOSITS, holder_id=CUSTOMER_ID)
        _fund(staff, account_id, amount)
    rights = [
        {"account_id": account_id, "customer_id": CUSTOMER_ID, "right": "owner"}
        for account_id, _ in ACCOUNTS
    ]
    staff.call("identity", "POST", "/v1/account-rights/bulk", body={"rights": rights})
    staff.call(
        "identity",
        "PUT",
        f"/v1/customers/{CUSTOMER_ID}/credentials",
        body={"login_name": LOGIN_NAME, "password": password},
    )
    return {
        "customer_id": CUSTOMER_ID,
        "login_name": LOGIN_NAME,
        "password": password,
        "accounts": [account_id for account_id, _ in ACCOUNTS],
    }


def _open(staff: StaffClient, account_id: str, **fields: Any) -> None:
    body = {"account_id": account_id, "currency": CURRENCY} | fields
    staff.call("ledger", "POST", "/v1/accounts", body=body)


def _fund(staff: StaffClient, account_id: str, amount: int) -> None:
    legs = [
        {"account_id": account, "direction": way, "amount_minor": amount, "currency": CURRENCY}
        for account, way in ((SOURCE, "debit"), (account_id, "credit"))
    ]
    body = {
        "transfer_id": str(uuid.uuid5(_NAMESPACE, account_id)),
        "kind": "sandbox_funding",
        "legs": legs,
    }
    staff.call("ledger", "POST", "/v1/transfers", body=body)
