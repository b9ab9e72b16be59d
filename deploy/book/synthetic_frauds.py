"""A few fraud patterns of the synthetic city, each labeled in `fraud_labels.csv`."""

from collections.abc import Callable
from datetime import date

from deploy.book.records import Kind
from deploy.book.synthetic_city import City, Person
from deploy.book.synthetic_names import OTHER_BANKS

CUSTOMERS_PER_FRAUD = 100
REPORTED_CASH_MINOR = 5_000_000  # cash from 50,000 yuan a day is reported to the authority

Fraud = Callable[[City, Person, date], None]
Planned = dict[int, list[tuple[str, Person]]]


def plan_frauds(city: City, days: int) -> Planned:
    """Which pattern befalls whom on which day (from 0); at least one of each pattern."""
    plan: Planned = {}
    for pattern in FRAUDS:
        for _ in range(max(1, len(city.people) // CUSTOMERS_PER_FRAUD)):
            citizen = city.people[city.dice.below(len(city.people))]
            plan.setdefault(city.dice.below(days), []).append((pattern, citizen))
    return plan


def card_testing(city: City, citizen: Person, day: date) -> None:
    """A stolen card: many tiny payments in one shop, then a large one."""
    store = city.shops[city.dice.below(len(city.shops))]
    for _ in range(city.dice.between(5, 9)):
        amount = city.dice.between(1, 100)
        city.shop_payment(citizen.account, day, amount, Kind.CARD, store, pattern="card_testing")
    large = city.balances[citizen.account] * city.dice.between(40, 80) // 100
    if large > 0:
        city.shop_payment(citizen.account, day, large, Kind.CARD, store, pattern="card_testing")


def account_takeover(city: City, citizen: Person, day: date) -> None:
    """A stolen phone empties the account to a mule, who passes it on at once."""
    mule = city.people[city.dice.below(len(city.people))].account
    if mule == citizen.account:
        return
    stolen = 0
    for _ in range(3):
        part = city.balances[citizen.account] * city.dice.between(30, 60) // 100
        if part > 0 and city.transfer(
            citizen.account, mule, day, part, "", pattern="account_takeover"
        ):
            stolen += part
    onward = stolen * 95 // 100
    if onward > 0:
        city.book(
            mule,
            day,
            -onward,
            Kind.TRANSFER_OUT,
            "",
            bank=OTHER_BANKS[city.dice.below(len(OTHER_BANKS))],
            other=f"6217{city.dice.between(10**11, 10**12 - 1)}",
            pattern="mule",
        )


def structuring(city: City, citizen: Person, day: date) -> None:
    """Cash in several parts, each just below the amount that must be reported."""
    for _ in range(city.dice.between(3, 5)):
        amount = REPORTED_CASH_MINOR - city.dice.between(1, 30) * 10_000
        city.book(citizen.account, day, amount, Kind.CASH_IN, "", pattern="structuring")


FRAUDS: dict[str, Fraud] = {
    "card_testing": card_testing,
    "account_takeover": account_takeover,
    "structuring": structuring,
}
