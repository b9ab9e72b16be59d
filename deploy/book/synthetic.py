"""A synthetic bank: a city's customers with salaries, rents, shops, cards and scan payments.

The same seed and size give the same book, byte for byte.
"""

from datetime import date, timedelta

from deploy.book.checks import with_floors
from deploy.book.records import About, Book
from deploy.book.synthetic_city import CURRENCY, City, Dice
from deploy.book.synthetic_frauds import FRAUDS, plan_frauds
from deploy.book.synthetic_life import (
    cards,
    close_day,
    daily,
    loans,
    monthly,
    settle,
    standing_orders,
)

FIRST_DAY = date(2026, 7, 1)


def synthetic_book(*, seed: int, customers: int, days: int, first_day: date = FIRST_DAY) -> Book:
    """A city of `customers` people over `days` days from `first_day`."""
    city = City(Dice(seed))
    settle(city, customers, first_day)
    frauds = plan_frauds(city, days)
    for number in range(days):
        day = first_day + timedelta(days=number)
        for citizen in city.people:
            monthly(city, citizen, day)
            daily(city, citizen, day)
        for pattern, citizen in frauds.get(number, ()):
            FRAUDS[pattern](city, citizen, day)
        close_day(city, day)
    about = About(
        name=f"synthetic-{seed}-{customers}-{days}",
        bank_name="通宝示范银行",
        currency=CURRENCY,
        first_day=first_day,
        last_day=first_day + timedelta(days=days - 1),
        rounding_tolerance_minor=0,
    )
    return with_floors(
        Book(
            about=about,
            customers=tuple(city.customers),
            accounts=tuple(city.accounts),
            rights=tuple(city.rights),
            entries=tuple(city.entries),
            standing_orders=tuple(standing_orders(city)),
            cards=tuple(cards(city, first_day)),
            loans=tuple(loans(city, first_day)),
            fraud_labels=tuple(city.labels),
        )
    )
