"""Who plays: a customer with money, and somebody to pay, both from the bank's own book."""

from dataclasses import dataclass
from typing import Any

from deploy.bank.staff import StaffClient
from deploy.play.steps import NotAsExpected

DEPOSITS = "2011"
PAGE = 1_000
#: Plays take turns among so many of the richest customers: a bank that watches for bursts of
#: payments would otherwise hold up the fourth play of a quarter of an hour.
CUSTOMERS_IN_TURN = 20


@dataclass(frozen=True, slots=True)
class Cast:
    """Amounts are minor units of `currency`."""

    customer_id: str
    account_id: str
    available_minor: int
    currency: str
    payee_account: str
    payee_name: str


def choose(staff: StaffClient, *, turn: int) -> Cast:
    """The customer of play number `turn`, and the payee. Raises NotAsExpected, Refused."""
    accounts = [one for one in deposits(staff) if one["holder_id"] and not one["frozen"]]
    accounts = [one for one in accounts if (one["balance"]["available_minor"] or 0) > 0]
    accounts.sort(key=lambda one: (-one["balance"]["available_minor"], one["account_id"]))
    if not accounts:
        raise NotAsExpected("no customer of this bank has money")
    payer = accounts[turn % min(len(accounts), CUSTOMERS_IN_TURN)]
    payees = [
        one
        for one in accounts
        if one["holder_id"] != payer["holder_id"] and one["currency"] == payer["currency"]
    ]
    if not payees:
        raise NotAsExpected("there is nobody to pay")
    payee = payees[-1]
    holder = staff.call("identity", "GET", f"/v1/customers/{payee['holder_id']}")
    return Cast(
        customer_id=payer["holder_id"],
        account_id=payer["account_id"],
        available_minor=payer["balance"]["available_minor"],
        currency=payer["currency"],
        payee_account=payee["account_id"],
        payee_name=holder["full_name"],
    )


def deposits(staff: StaffClient) -> list[dict[str, Any]]:
    """All customers' deposit accounts."""
    found: list[dict[str, Any]] = []
    params = {"chart_code": DEPOSITS, "limit": str(PAGE)}
    while True:
        page = staff.call("ledger", "GET", "/v1/accounts", params=params)
        found += page["items"]
        if not page["next_after"]:
            return found
        params["after"] = page["next_after"]
