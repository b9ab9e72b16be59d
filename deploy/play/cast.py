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
    names = _names(staff)
    accounts = [one for one in deposits(staff) if one["holder_id"] in names]
    rich = [one for one in accounts if _available(one) > 0 and names[one["holder_id"]].is_person]
    rich.sort(key=lambda one: (-_available(one), one["account_id"]))
    if not rich:
        raise NotAsExpected("no customer of this bank has money")
    payer = rich[turn % min(len(rich), CUSTOMERS_IN_TURN)]
    payees = [
        one
        for one in accounts
        if one["holder_id"] != payer["holder_id"] and one["currency"] == payer["currency"]
    ]
    if not payees:
        raise NotAsExpected("there is nobody to pay")
    # A shop where the book has one; else the person with the lowest number.
    payee = min(payees, key=lambda one: (names[one["holder_id"]].is_person, one["account_id"]))
    return Cast(
        customer_id=payer["holder_id"],
        account_id=payer["account_id"],
        available_minor=_available(payer),
        currency=payer["currency"],
        payee_account=payee["account_id"],
        payee_name=names[payee["holder_id"]].name,
    )


@dataclass(frozen=True, slots=True)
class _Holder:
    name: str
    #: A person has a birthday, and a shop has none.
    is_person: bool


def _names(staff: StaffClient) -> dict[str, _Holder]:
    found: dict[str, _Holder] = {}
    params = {"limit": str(PAGE)}
    while True:
        page = staff.call("identity", "GET", "/v1/customers", params=params)
        for one in page["items"]:
            found[one["customer_id"]] = _Holder(one["full_name"], one["born_on"] is not None)
        if not page["next_after"]:
            return found
        params["after"] = page["next_after"]


def _available(account: dict[str, Any]) -> int:
    """What may leave the account now."""
    return 0 if account["frozen"] else int(account["balance"]["available_minor"] or 0)


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
