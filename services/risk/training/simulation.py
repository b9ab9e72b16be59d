"""A city's customers and what they pay, with the ways in which they are robbed. Pure, seeded.

Honest behaviour is as hard as it is in life: customers without history, small businesses that
pay wages in one burst, friends who send each other a dozen small amounts in a row, large first
payments to accounts elsewhere that nobody here ever paid, people who live at night, collections
for which thirty people pay one person in a day, shops that are crowded from their first hour.

Fraud comes in three patterns:
- takeover: someone else holds the account; a few unusual amounts to a payee never paid before,
  mostly at night, within minutes; the patient ones take one modest amount by day;
- mule: deceived customers of all kinds pay one account, fresh or bought, within a day or two;
- card testing: tiny payments to many payees in a row, then the large one.
"""

import math
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate
from random import Random

from services.risk.features import HOUR_MS, LOCAL_OFFSET_MS, MINUTE_MS, SECOND_MS
from services.risk.windows import DAY_MS, SeenPayment

#: The history starts at midnight in the bank's own time: 2026-01-01 UTC+8.
START_MS = 1_767_225_600_000 - LOCAL_OFFSET_MS
HONEST = "honest"
PATTERNS = ("takeover", "mule", "card_testing")

#: Weight of each hour of the day, 0 to 23, for those who sleep at night and those who do not.
_DAY_HOURS = (1, 1, 1, 1, 1, 2, 5, 9, 10, 10, 10, 12, 14, 10, 9, 9, 9, 11, 13, 13, 11, 9, 5, 2)
_NIGHT_HOURS = (9, 8, 7, 5, 3, 2, 2, 3, 4, 4, 5, 6, 7, 6, 5, 5, 6, 7, 9, 10, 11, 12, 12, 11)


@dataclass(frozen=True, slots=True)
class Size:
    """How large the history is. Days count from START_MS."""

    customers: int = 2_400
    shops: int = 240
    days: int = 84

    @classmethod
    def of(cls, customers: int, *, days: int) -> "Size":
        """With the usual number of shops for so many customers."""
        return cls(customers, shops=max(customers // 10, 1), days=days)


@dataclass(frozen=True, slots=True)
class Labeled:
    """A payment with what it really was: HONEST or one of PATTERNS."""

    payment: SeenPayment
    pattern: str


@dataclass(slots=True)
class _Person:
    customer_id: str
    account_id: str
    joined_day: int
    per_day: float
    typical_minor: int
    hours: tuple[int, ...]
    shops: list[str] = field(default_factory=list)
    friends: list[str] = field(default_factory=list)
    rent_minor: int = 0
    rent_day: int = 0
    staff: list[str] = field(default_factory=list)


class _City:
    """Draws everything from one generator, in one order: the seed decides every payment."""

    def __init__(self, *, seed: int, size: Size) -> None:
        self.random = Random(seed)
        self.size = size
        self.payments: list[tuple[int, str, str, str, int, str]] = []
        self.shops = [(f"shop-{i:04d}", self._shop_opens(i)) for i in range(size.shops)]
        # a few shops have most of the customers
        self.shop_weights = list(accumulate(1 / (i + 3) for i in range(size.shops)))
        self.people = [self._person(i) for i in range(size.customers)]
        for person in self.people:
            self._acquaint(person)

    def _shop_opens(self, number: int) -> int:
        return self.random.randrange(self.size.days) if number % 5 == 0 else 0

    def _person(self, number: int) -> _Person:
        draw = self.random
        is_business = number % 40 == 0
        typical = math.exp(draw.gauss(4.3, 0.8)) * (6 if is_business else 1)
        return _Person(
            customer_id=f"c-{number:05d}",
            account_id=f"a-{number:05d}",
            joined_day=0 if draw.random() < 0.6 else draw.randrange(self.size.days),
            per_day=min(draw.gammavariate(1.6, 0.8), 8.0),
            typical_minor=int(typical * 100),
            hours=_NIGHT_HOURS if draw.random() < 0.12 else _DAY_HOURS,
            rent_minor=draw.randrange(80_000, 900_000) if draw.random() < 0.6 else 0,
            rent_day=draw.randrange(28),
        )

    def _acquaint(self, person: _Person) -> None:
        draw = self.random
        person.shops = [self.any_shop(self.size.days) for _ in range(draw.randrange(3, 12))]
        person.friends = [draw.choice(self.people).account_id for _ in range(draw.randrange(2, 8))]
        if int(person.customer_id[2:]) % 40 == 0:
            staff = draw.randrange(5, 36)
            person.staff = [draw.choice(self.people).account_id for _ in range(staff)]

    def any_shop(self, day: int) -> str:
        """A shop by its size, open on that day."""
        while True:
            at = self.random.random() * self.shop_weights[-1]
            name, opens = self.shops[bisect_left(self.shop_weights, at)]
            if opens <= day:
                return name

    def stranger(self) -> str:
        """Someone whom the payer never met: here or, mostly, at another bank."""
        if self.random.random() < 0.3:
            return self.random.choice(self.people).account_id
        return f"out-{self.random.randrange(30_000):05d}"

    def moment(self, day: int, hours: tuple[int, ...]) -> int:
        [hour] = self.random.choices(range(24), weights=hours)
        return START_MS + day * DAY_MS + hour * HOUR_MS + self.random.randrange(HOUR_MS)

    def amount(self, typical_minor: float, spread: float = 0.9) -> int:
        """A skewed amount of at least 1 fen; people like round ones."""
        minor = int(typical_minor * math.exp(self.random.gauss(0, spread)))
        if self.random.random() < 0.3:
            minor = round(minor, -3)
        return min(max(minor, 1), 500_000_000)

    def pay(self, person: _Person, payee: str, minor: int, at_ms: int, pattern: str) -> None:
        self.payments.append((at_ms, person.customer_id, person.account_id, payee, minor, pattern))


def simulate(*, seed: int, size: Size) -> list[Labeled]:
    """The whole history in order of time. The same seed and size give the same list."""
    city = _City(seed=seed, size=size)
    for day in range(size.days):
        for person in city.people:
            if person.joined_day <= day:
                _honest_day(city, person, day)
        _takeovers(city, day)
        _mules(city, day)
        _card_tests(city, day)
    city.payments.sort()
    return [
        Labeled(SeenPayment(f"p-{i:07d}", customer, account, payee, minor, at_ms), pattern)
        for i, (at_ms, customer, account, payee, minor, pattern) in enumerate(city.payments)
    ]


def _honest_day(city: _City, person: _Person, day: int) -> None:
    draw = city.random
    if day == person.joined_day:
        _first_use(city, person, day)
    for _ in range(_poisson(draw, person.per_day)):
        at_ms = city.moment(day, person.hours)
        payee = _honest_payee(city, person, day)
        city.pay(person, payee, city.amount(person.typical_minor), at_ms, HONEST)
    if person.rent_minor and day % 28 == person.rent_day:
        landlord = f"rent-{person.customer_id}"
        city.pay(person, landlord, person.rent_minor, city.moment(day, _DAY_HOURS), HONEST)
    if person.staff and day % 28 == 9:
        _pay_wages(city, person, day)
    _perhaps_unusual(city, person, day)


def _first_use(city: _City, person: _Person, day: int) -> None:
    """Any hour, any amount, nothing known yet."""
    draw = city.random
    at_ms = START_MS + day * DAY_MS + draw.randrange(DAY_MS)
    for _ in range(draw.choice((1, 1, 2, 3))):
        city.pay(person, city.stranger(), city.amount(60_000, 1.6), at_ms, HONEST)
        at_ms += draw.randrange(SECOND_MS, 10 * MINUTE_MS)


def _pay_wages(city: _City, person: _Person, day: int) -> None:
    at_ms = city.moment(day, _DAY_HOURS)
    for payee in person.staff:
        at_ms += city.random.randrange(2 * SECOND_MS, 40 * SECOND_MS)
        city.pay(person, payee, city.amount(600_000, 0.4), at_ms, HONEST)


def _perhaps_unusual(city: _City, person: _Person, day: int) -> None:
    chance = city.random.random()
    if chance < 0.012:
        _friends_in_a_row(city, person, day)
    elif chance < 0.030:
        _large_purchase(city, person, day)
    elif chance < 0.036:
        _try_out(city, person, day)
    elif chance < 0.0364:
        _collection(city, day)
    elif chance < 0.0444:
        _platform_orders(city, person, day)


def _honest_payee(city: _City, person: _Person, day: int) -> str:
    chance = city.random.random()
    if chance < 0.55:
        return city.random.choice(person.shops)
    if chance < 0.75:
        return city.random.choice(person.friends)
    if chance < 0.85:
        return city.any_shop(day)
    return city.stranger()


def _friends_in_a_row(city: _City, person: _Person, day: int) -> None:
    """A shared dinner, red packets: many small amounts to one or two people within minutes."""
    draw = city.random
    at_ms = city.moment(day, person.hours)
    known = draw.random() < 0.6
    payees = [
        draw.choice(person.friends) if known else city.stranger()
        for _ in range(draw.randrange(1, 3))
    ]
    for _ in range(draw.randrange(3, 15)):
        at_ms += draw.randrange(SECOND_MS, 90 * SECOND_MS)
        city.pay(person, draw.choice(payees), city.amount(6_000, 1.1), at_ms, HONEST)


def _large_purchase(city: _City, person: _Person, day: int) -> None:
    """A car, a school fee, a wedding: many times the usual, often to someone new."""
    draw = city.random
    minor = int(person.typical_minor * math.exp(draw.uniform(1.5, 4.5)))
    payee = draw.choice(person.friends) if draw.random() < 0.3 else city.stranger()
    at_ms = city.moment(day, person.hours)
    for _ in range(draw.choice((1, 1, 1, 2, 3))):  # in parts, where a daily limit asks for it
        city.pay(person, payee, max(minor, 1), at_ms, HONEST)
        at_ms += draw.randrange(20 * SECOND_MS, 30 * MINUTE_MS)


def _try_out(city: _City, person: _Person, day: int) -> None:
    """A careful payer sends a trifle first and the real amount right after it."""
    draw = city.random
    at_ms = city.moment(day, person.hours)
    payee = city.stranger()
    for _ in range(draw.choice((1, 1, 2, 4))):
        city.pay(person, payee, draw.choice((1, 10, 100)), at_ms, HONEST)
        at_ms += draw.randrange(2 * SECOND_MS, 60 * SECOND_MS)
    at_ms += draw.randrange(20 * SECOND_MS, 8 * MINUTE_MS)
    city.pay(person, payee, city.amount(person.typical_minor * 8), at_ms, HONEST)


def _platform_orders(city: _City, person: _Person, day: int) -> None:
    """A partner settles the customer's orders in one go whenever its batch runs, day or night."""
    draw = city.random
    at_ms = START_MS + day * DAY_MS + draw.randrange(DAY_MS)
    payees = [city.stranger() for _ in range(draw.randrange(1, 3))]
    for _ in range(draw.randrange(2, 14)):
        city.pay(person, draw.choice(payees), city.amount(50_000, 1.4), at_ms, HONEST)
        at_ms += draw.randrange(200, 60 * SECOND_MS)


def _collection(city: _City, day: int) -> None:
    """A class trip, a wedding: many people pay one person, often the same amount, in a day."""
    draw = city.random
    payee = city.stranger()
    start, lasts_ms = city.moment(day, _DAY_HOURS), draw.randrange(2 * HOUR_MS, 30 * HOUR_MS)
    share = draw.choice((20_000, 50_000, 88_800, 200_000))
    members = _members(city, day)
    for person in draw.sample(members, min(draw.randrange(6, 30), len(members))):
        at_ms = start + draw.randrange(lasts_ms)
        city.pay(person, payee, share if draw.random() < 0.7 else share * 2, at_ms, HONEST)


def _members(city: _City, day: int) -> list[_Person]:
    return [person for person in city.people if person.joined_day <= day]


def _fraud_count(city: _City, per_1000_customers: float) -> int:
    return _poisson(city.random, per_1000_customers * city.size.customers / 1_000)


def _fraud_account(city: _City, day: int) -> str:
    """Fresh, or bought from someone who has long used it honestly."""
    if city.random.random() < 0.35:
        return city.random.choice(city.people).account_id
    return f"x-{day:03d}-{city.random.randrange(10**6):06d}"


def _takeovers(city: _City, day: int) -> None:
    draw = city.random
    for _ in range(_fraud_count(city, 1.4)):
        victim = draw.choice(_members(city, day))
        is_patient = draw.random() < 0.25
        at_night = not is_patient and draw.random() < 0.7
        at_ms = START_MS + day * DAY_MS
        at_ms += int((draw.random() * 5 if at_night else 8 + draw.random() * 14) * HOUR_MS)
        low, high = (0.5, 2.0) if is_patient else (1.2, 3.6)
        payees = [_fraud_account(city, day) for _ in range(1 if is_patient else 2)]
        for _ in range(1 if is_patient else draw.randrange(2, 7)):
            minor = int(max(victim.typical_minor, 8_000) * math.exp(draw.uniform(low, high)))
            city.pay(victim, draw.choice(payees), minor, at_ms, "takeover")
            at_ms += draw.randrange(20 * SECOND_MS, 8 * MINUTE_MS)


def _mules(city: _City, day: int) -> None:
    draw = city.random
    for _ in range(_fraud_count(city, 0.15)):
        mule = _fraud_account(city, day)
        start, lasts_ms = city.moment(day, _DAY_HOURS), draw.randrange(3 * HOUR_MS, 44 * HOUR_MS)
        members = _members(city, day)
        for victim in draw.sample(members, min(draw.randrange(5, 28), len(members))):
            minor = city.amount(draw.choice((88_000, 199_900, 480_000)), 0.5)
            city.pay(victim, mule, minor, start + draw.randrange(lasts_ms), "mule")


def _card_tests(city: _City, day: int) -> None:
    draw = city.random
    for _ in range(_fraud_count(city, 0.6)):
        victim = draw.choice(_members(city, day))
        at_ms = city.moment(day, _NIGHT_HOURS)
        for _ in range(draw.randrange(3, 11)):
            city.pay(victim, city.any_shop(day), draw.randrange(1, 900), at_ms, "card_testing")
            at_ms += draw.randrange(2 * SECOND_MS, 90 * SECOND_MS)
        if draw.random() < 0.7:
            at_ms += draw.randrange(MINUTE_MS, 20 * MINUTE_MS)
            minor = city.amount(max(victim.typical_minor, 8_000) * 12, 0.8)
            city.pay(victim, _fraud_account(city, day), minor, at_ms, "card_testing")


def _poisson(draw: Random, mean: float) -> int:
    """Knuth's method (The Art of Computer Programming 2, 3.4.1); `mean` is small here."""
    limit, count, product = math.exp(-mean), 0, draw.random()
    while product > limit:
        count += 1
        product *= draw.random()
    return count


def days_of(history: list[Labeled]) -> Iterator[int]:
    """The day of each payment, counted from START_MS."""
    for item in history:
        yield (item.payment.at_ms - START_MS) // DAY_MS
