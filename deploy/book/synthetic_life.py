"""How the people of the synthetic city live: they settle, earn, pay rent and shop.

Amounts are in fen. Odds are per thousand and day.
"""

from collections.abc import Iterator
from datetime import date, timedelta

from deploy.book.records import (
    Account,
    AccountRight,
    Card,
    Customer,
    Kind,
    Loan,
    LoanStatus,
    Role,
    StandingOrder,
    Statement,
)
from deploy.book.synthetic_city import CURRENCY, NOWHERE, City, Person
from deploy.book.synthetic_names import DISTRICTS, EMPLOYERS, OTHER_BANKS, person, shop

CUSTOMERS_PER_SHOP = 15
RENT_DAY = 5
UTILITIES_DAY = 20
INTEREST_DAY = 21  # Chinese banks credit interest on the 21st that ends a quarter
INTEREST_PER_MILLION = 500  # a quarter's interest on a sight deposit of 0.2 % a year


def settle(city: City, customers: int, first_day: date) -> None:
    """Opens the shops' and the people's accounts with what they hold on the first day."""
    for number in range(1, max(3, customers // CUSTOMERS_PER_SHOP) + 1):
        name = shop(city.dice, number)
        owner = Customer(f"M{number:06d}", name, None, "", _district(city), NOWHERE)
        opening = city.dice.between(20_000, 200_000) * 100
        city.shops.append(_open(city, owner, first_day, opening))
    for number in range(1, customers + 1):
        born = date(1956 + city.dice.below(50), 1, 1) + timedelta(days=city.dice.below(365))
        sex = "FM"[city.dice.below(2)]
        name = person(city.dice)
        citizen = Customer(f"C{number:06d}", name, born, sex, _district(city), NOWHERE)
        opening = city.dice.between(500, 60_000) * 100 + city.dice.below(100)
        account = _open(city, citizen, first_day, opening)
        city.people.append(_person(city, citizen, account))
    _share_accounts(city)


def _district(city: City) -> str:
    return DISTRICTS[city.dice.below(len(DISTRICTS))]


def _open(city: City, customer: Customer, first_day: date, opening_minor: int) -> str:
    number = len(city.accounts) + 1
    account = Account(
        id=f"62288800{number:08d}",
        currency=CURRENCY,
        opened_on=first_day - timedelta(days=city.dice.between(30, 3_000)),
        opening_balance_minor=opening_minor,
        floor_minor=-200_000 if city.dice.hits(30) else 0,
        statement=Statement.MONTHLY,
        region=customer.region,
        origin=NOWHERE,
    )
    city.customers.append(customer)
    city.accounts.append(account)
    city.balances[account.id] = opening_minor
    city.floors[account.id] = account.floor_minor
    city.rights.append(AccountRight(f"R{number:06d}", customer.id, account.id, Role.OWNER, NOWHERE))
    return account.id


def _person(city: City, customer: Customer, account: str) -> Person:
    dice = city.dice
    salary = dice.between(40, 300) * 10_000
    # The first tenth of the people owns flats; everybody else may rent from one of them.
    landlords = city.people[: max(1, len(city.people) // 10)]
    rents = bool(landlords) and dice.hits(400)
    return Person(
        customer=customer,
        account=account,
        employer=dice.below(len(EMPLOYERS)),
        salary_minor=salary,
        salary_day=(10, 15)[dice.below(2)],
        rent_minor=salary * dice.between(15, 35) // 100 if rents else 0,
        landlord=landlords[dice.below(len(landlords))].account if rents else "",
        scans_per_mille=dice.between(200, 700),
        cards_per_mille=dice.between(20, 150),
    )


def _share_accounts(city: City) -> None:
    """One person in ten may also use the account of the person before."""
    for before, citizen in zip(city.people, city.people[1:], strict=False):
        if city.dice.hits(100):
            number = len(city.rights) + 1
            city.rights.append(
                AccountRight(
                    f"R{number:06d}",
                    citizen.customer.id,
                    before.account,
                    Role.AUTHORIZED_USER,
                    NOWHERE,
                )
            )


def monthly(city: City, citizen: Person, day: date) -> None:
    """Salary, rent, utilities and the quarter's interest, each on its day."""
    if day.day == citizen.salary_day:
        city.book(
            citizen.account,
            day,
            citizen.salary_minor + city.dice.below(20_000),
            Kind.TRANSFER_IN,
            "salary",
            bank=OTHER_BANKS[citizen.employer % len(OTHER_BANKS)],
            other=f"88000{citizen.employer:05d}",
        )
    if day.day == RENT_DAY and citizen.rent_minor:
        city.transfer(citizen.account, citizen.landlord, day, citizen.rent_minor, "rent")
    if day.day == UTILITIES_DAY:
        city.book(
            citizen.account,
            day,
            -city.dice.between(5_000, 60_000),
            Kind.TRANSFER_OUT,
            "utilities",
            bank=OTHER_BANKS[0],
            other="9500000001",
        )
        city.book(citizen.account, day, -200, Kind.FEE, "statement_fee")
    if day.day == INTEREST_DAY and day.month % 3 == 0:
        interest = city.balances[citizen.account] * INTEREST_PER_MILLION // 1_000_000
        if interest > 0:
            city.book(citizen.account, day, interest, Kind.INTEREST, "interest")


def daily(city: City, citizen: Person, day: date) -> None:
    """Scan and card payments in shops, cash and transfers between friends."""
    dice = city.dice
    if dice.hits(citizen.scans_per_mille):
        amount = dice.between(300, 9_000)
        city.shop_payment(citizen.account, day, amount, Kind.SCAN, _shop(city))
    if dice.hits(citizen.cards_per_mille):
        amount = dice.between(5_000, 150_000)
        city.shop_payment(citizen.account, day, amount, Kind.CARD, _shop(city))
    if dice.hits(12):
        amount = dice.between(1, 30) * 10_000
        city.book(citizen.account, day, -amount, Kind.CASH_OUT, "")
    if dice.hits(6):
        city.book(citizen.account, day, dice.between(1, 50) * 10_000, Kind.CASH_IN, "")
    if dice.hits(15):
        friend = city.people[dice.below(len(city.people))].account
        if friend != citizen.account:
            city.transfer(citizen.account, friend, day, dice.between(10, 2_000) * 100, "gift")


def _shop(city: City) -> str:
    return city.shops[city.dice.below(len(city.shops))]


def close_day(city: City, day: date) -> None:
    """Pays every shop the day's takings, by scan and by card apart."""
    for store in city.shops:
        for kind in (Kind.SCAN, Kind.CARD):
            takings = city.takings.pop((store, kind), 0)
            if takings:
                city.book(store, day, takings, kind, "takings")


def standing_orders(city: City) -> Iterator[StandingOrder]:
    """The rents, as their tenants ordered them."""
    for citizen in city.people:
        if citizen.rent_minor:
            yield StandingOrder(
                id=f"O{citizen.customer.id[1:]}",
                account=citizen.account,
                amount_minor=citizen.rent_minor,
                currency=CURRENCY,
                counterparty_bank="",
                counterparty_account=citizen.landlord,
                purpose="rent",
                origin=NOWHERE,
            )


def cards(city: City, first_day: date) -> Iterator[Card]:
    """A card for each who pays with one often."""
    for citizen in city.people:
        if citizen.cards_per_mille >= 60:
            yield Card(
                id=f"K{citizen.customer.id[1:]}",
                customer=citizen.customer.id,
                account=citizen.account,
                type="gold" if citizen.salary_minor > 2_000_000 else "classic",
                issued_on=first_day - timedelta(days=city.dice.between(1, 29)),
                origin=NOWHERE,
            )


def loans(city: City, first_day: date) -> Iterator[Loan]:
    """A running loan for one person in twenty."""
    for citizen in city.people:
        if city.dice.hits(50):
            months = (12, 24, 36, 60)[city.dice.below(4)]
            payment = citizen.salary_minor * city.dice.between(10, 30) // 100
            yield Loan(
                id=f"L{citizen.customer.id[1:]}",
                account=citizen.account,
                granted_on=first_day - timedelta(days=city.dice.between(1, 29)),
                amount_minor=payment * months * 92 // 100,
                currency=CURRENCY,
                months=months,
                payment_minor=payment,
                status=LoanStatus.RUNNING,
                origin=NOWHERE,
            )
